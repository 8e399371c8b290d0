from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.records import Prediction
from pefomed_plugin.reporting.results import read_run
from pefomed_plugin.scoring import lexical
from pefomed_plugin.scoring.checks import check_predictions, check_references
from pefomed_plugin.scoring.files import read_scores, write_scores
from pefomed_plugin.scoring.java import JavaError
from pefomed_plugin.storage import read_predictions, write_records

from .made import answers, make_run, predicted


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "run", answers([True, True, False, False])))
    answered = run.answered["vqa_rad-test"]
    assert [each.value for each in answered.scores["exact_match/pefomed"]] == [1.0, 1.0, 0.0, 0.0]
    figures = answered.figures["exact_match/pefomed"]
    assert {group: (figures[group]["correct"], figures[group]["n"]) for group in ("open", "closed", "overall")} == {
        "open": (1, 2),
        "closed": (1, 2),
        "overall": (2, 4),
    }
    assert run.name == "run" and run.record is None and run.origins.notice == "" and run.config == {}


def test_a_second_scorer_keeps_the_first(tmp_path: Path) -> None:
    rows = answers([True, False, True, False])
    write_scores(rows, ["exact_match"], tmp_path, {"images": "own"})
    metrics = write_scores(rows, ["token_recall"], tmp_path, {})
    assert list(metrics["scores"]) == ["exact_match/pefomed", "token_recall/llava_med"]
    assert json.loads((tmp_path / "metrics.json").read_text())["images"] == "own"
    with pytest.raises(DataError, match="of other predictions"):
        write_scores(rows[:2], ["exact_match"], tmp_path, {})


def test_report_metrics_get_a_file_each_and_intervals_only_where_they_are_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pycocoevalcap")

    def without_java() -> str:
        raise JavaError("no Java in this test")

    monkeypatch.setattr(lexical, "find_java", without_java)
    texts = [("the drawn heart is large", "the drawn heart is large"), ("the lung is clear", "no lung is seen")] * 3
    rows = [
        predicted(
            number,
            True,
            task="report",
            question=None,
            dataset="iu_xray",
            answer=reference,
            prediction=text,
            answer_type=None,
        )
        for number, (reference, text) in enumerate(texts)
    ]
    figures = write_scores(rows, ["lexical"], tmp_path, {})["scores"]["lexical/coco"]
    assert "interval" in figures["rouge_l"] and "interval" in figures["cider"] and "interval" not in figures["bleu4"]
    names = {path.stem for path in (tmp_path / "scores").glob("*.jsonl")}
    assert {"lexical-coco-rouge_l", "lexical-coco-cider", "lexical-coco-meteor"} <= names
    assert figures["meteor"]["value"] is None and "no Java in this test" in figures["meteor"]["reason"]


def test_an_interrupted_write_leaves_the_files_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = answers([True, False])
    write_scores(rows, ["exact_match"], tmp_path, {})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json*")}

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DataError, match="No space left"):
        write_scores(rows, ["token_recall"], tmp_path, {})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_as_many_other_answers_are_not_mixed_in(tmp_path: Path) -> None:
    write_scores(answers([True, False]), ["exact_match"], tmp_path, {})
    with pytest.raises(DataError, match="metrics of other predictions"):
        write_scores(answers([False, False]), ["token_recall"], tmp_path, {})


def test_a_scorer_that_fails_writes_nothing(tmp_path: Path) -> None:
    rows = [predicted(0, True, answer_type="PERHAPS")]
    with pytest.raises(DataError, match="PERHAPS"):
        write_scores(rows, ["exact_match", "token_recall"], tmp_path, {})
    assert not list(tmp_path.iterdir())


def test_mixed_data_sets_and_doubled_ids_are_named_together() -> None:
    with pytest.raises(DataError, match="2 test sets") as caught:
        check_predictions([predicted(0, True), predicted(1, True, dataset="slake")])
    assert caught.value.problems == ("slake, split test: 1 predictions", "vqa_rad, split test: 1 predictions")
    with pytest.raises(DataError) as caught:
        check_predictions(
            [predicted(0, True), predicted(0, False), replace(predicted(1, True), prediction=float("nan"))]
        )
    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        "vqa_rad-1: prediction is a number, neither a text nor null",
        "id 'vqa_rad-0' occurs 2 times",
    ]


def test_nan_in_a_predictions_file_is_no_text(tmp_path: Path) -> None:
    record = {**predicted(0, True).to_json(), "prediction": float("nan")}
    (tmp_path / "predictions.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(DataError, match="line 1: prediction is not a finite number"):
        read_run(tmp_path)


def test_an_empty_and_a_half_written_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text("")
    with pytest.raises(DataError, match="holds no predictions"):
        read_run(tmp_path)
    write_records(path, answers([True, False]))
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DataError, match="line 2"):
        read_run(tmp_path)


def test_references_of_another_version() -> None:
    rows = answers([True, True, False])
    samples = [*answers([True]), predicted(1, True, answer="another answer"), predicted(7, True)]
    with pytest.raises(DataError, match="not of release 2") as caught:
        check_references(rows, samples, "release 2")
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["vqa_rad-1", "vqa_rad-2", "vqa_rad-7"]
    assert "answer is another one in" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"sample_id": "a", "scorer": "s", "version": "1", "value": NaN}', "line 1: value is not a finite number"),
        (
            '{"sample_id": "a", "scorer": "s", "version": "1", "value": "1"}',
            "line 1: not a Score: value is a text, expected a number",
        ),
        ('{"sample_id": "a", "verdict": 1}', "not a Score: missing scorer, value, version; unknown verdict"),
        ('{"sample_id": ', "not JSON"),
    ],
)
def test_damaged_scores_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "scores.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(DataError, match=message):
        read_scores(path)


def test_scores_of_other_predictions_are_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", answers([True, False])) / "results" / "vqa_rad-test"
    write_records(folder / "predictions.jsonl", answers([True, False, True]))
    with pytest.raises(DataError, match="does not fit predictions.jsonl") as caught:
        read_run(tmp_path / "run")
    assert "'vqa_rad-2' has no score" in caught.value.problems[0]


def test_metrics_of_another_schema_are_refused(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", answers([True, False])) / "results" / "vqa_rad-test" / "metrics.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 7'))
    with pytest.raises(DataError, match="schema 7, this version reads 1"):
        read_run(tmp_path / "run")


def test_predictions_of_a_written_run_are_the_given_ones(tmp_path: Path) -> None:
    rows = answers([True, False])
    make_run(tmp_path / "run", rows)
    found = read_predictions(tmp_path / "run/results/vqa_rad-test/predictions.jsonl")
    assert all(isinstance(each, Prediction) for each in found) and found == rows


def test_answers_without_references_are_shown_not_scored(tmp_path: Path) -> None:
    from pefomed_plugin.services.images.image_folder import make_samples
    from pefomed_plugin.storage import write_records

    said = [Prediction.of(sample, "a heart", {}) for sample in make_samples(["a.png", "b.png"], "report")]
    path = tmp_path / "scans.jsonl"
    write_records(path, said)
    run = read_run(path, references=False)
    assert run.name == "scans" and list(run.answered) == ["images-test"] and not run.answered["images-test"].figures
    with pytest.raises(ConfigError):
        read_run(path)
    write_records(tmp_path / "run" / "predictions.jsonl", said)
    with pytest.raises(DataError, match="no reference answer"):
        read_run(tmp_path / "run")
    assert read_run(tmp_path / "run", references=False).answered
