"""Judgements on disk, as the rest of the house reads them back."""

from __future__ import annotations

import json

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.reporting.figures import repeated_table
from pefomed_plugin.reporting.rendering import show_table
from pefomed_plugin.reporting.results import read_run
from pefomed_plugin.rubrics import BUILT_IN, VQA
from pefomed_plugin.scoring.metrics_file import describe
from pefomed_plugin.services import judgements
from pefomed_plugin.services.judge.offline_judge import judge_offline, spec_of
from pefomed_plugin.services.judgements import read_runs, write_judgements
from tests.unit.services.judged import answers, written_reports


def written(folder, predictions, kind, runs=2):
    rubric = BUILT_IN[kind]
    judged = judge_offline(predictions, rubric, runs)
    return write_judgements(predictions, rubric, spec_of(rubric), judged, folder, {"model": "invented"})


def test_files_and_figures(tmp_path):
    metrics = written(tmp_path, answers(4), "vqa", runs=3)
    assert sorted(path.name for path in (tmp_path / "scores").iterdir()) == [
        f"judge-vqa-offline-lexical.run{number}.jsonl" for number in (1, 2, 3)
    ]
    stored = json.loads((tmp_path / "metrics.json").read_text())
    assert stored["scores"]["judge/vqa/offline-lexical"] == metrics["scores"]["judge/vqa/offline-lexical"]
    assert sorted(stored["scores"]["judge/vqa/offline-lexical"]) == ["closed", "open", "overall", "version"]
    assert stored["judges"] == {"judge/vqa/offline-lexical": {"rubric": VQA.to_json(), "model": "invented"}}
    assert [[score.value for score in scores] for scores in read_runs(tmp_path, "judge/vqa/offline-lexical")] == [
        [0.0] * 4
    ] * 3


def test_a_run_with_judgements_can_be_read_back(tmp_path):
    written(tmp_path, written_reports(4), "report")
    [found] = read_run(tmp_path).answered.values()
    assert found.figures["judge/report/offline-lexical"]["overall"]["n"] == 4


def test_fewer_runs_than_before_leave_no_file_of_before(tmp_path):
    written(tmp_path, answers(2), "vqa", runs=12)
    written(tmp_path, answers(2), "vqa", runs=2)
    assert len(read_runs(tmp_path, "judge/vqa/offline-lexical")) == 2


def test_runs_come_in_the_order_of_their_numbers(tmp_path):
    written(tmp_path, answers(1), "vqa", runs=11)
    names = [path.name for path in sorted((tmp_path / "scores").iterdir())]
    assert names[1].endswith("run10.jsonl")
    (tmp_path / "scores" / "judge-vqa-offline-lexical.run10.jsonl").write_text(
        '{"sample_id": "invented-0", "scorer": "judge/vqa/offline-lexical", "version": "1", "value": 1.0}\n'
    )
    assert [scores[0].value for scores in read_runs(tmp_path, "judge/vqa/offline-lexical")][9] == 1.0


def test_what_other_scorers_wrote_stays(tmp_path):
    (tmp_path / "metrics.json").write_text(
        json.dumps({"schema": 1, **describe(answers(2)), "images": "own", "scores": {"other": {}}})
    )
    metrics = written(tmp_path, answers(2), "vqa")
    assert metrics["images"] == "own" and "other" in metrics["scores"]


def test_other_predictions_are_not_mixed_in(tmp_path):
    written(tmp_path, answers(2), "vqa")
    with pytest.raises(DataError, match="metrics of other predictions"):
        written(tmp_path, answers(3), "vqa")
    with pytest.raises(DataError, match="judge first"):
        read_runs(tmp_path, "judge/vqa/nobody")


def test_the_table_shows_mean_sd_and_what_was_not_scored(capsys):
    table = repeated_table(
        "invented",
        {
            "version": "1",
            "overall": {"n": 9, "unscored": 2, "value": 79.94, "sd": 1.21, "runs": 10, "unit": "%", "interval": None},
        },
    )
    show_table(table)
    shown = capsys.readouterr().out
    assert "79.9 \u00b1 1.2 %" in shown and " 10 " in shown and shown.endswith(" 2\n")


@pytest.mark.parametrize("written_before", [0, 1, 2, 3])
def test_what_cannot_be_written_whole_is_not_written_at_all(tmp_path, monkeypatch, written_before):
    written(tmp_path, answers(2), "vqa", runs=4)
    before = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
    left = [written_before]
    real = judgements.write_records

    def write(path, records):
        if not left[0]:
            raise DataError("no room")
        left[0] -= 1
        real(path, records)

    monkeypatch.setattr(judgements, "write_records", write)
    with pytest.raises(DataError, match="no room"):
        written(tmp_path, answers(2), "vqa", runs=6)
    assert {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()} == before
