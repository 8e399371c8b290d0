"""``metrics.json`` is added to by every command and thinned by none; what rests on other scores is renewed or named."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.scoring import lexical
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.scoring.java import JavaError
from pefomed_plugin.scoring.metrics_file import set_stale_aside, with_other_results
from pefomed_plugin.storage import read_predictions, write_records
from tests.unit.reporting.made import answers, rate
from tests.unit.services.judged import written_reports

EXACT, JUDGE, PEOPLE = "exact_match/pefomed", "judge/vqa/offline-lexical", "human/vqa"
RIGHT = [True, False, True, True, False, True, True, False]
LATER = ("score", "other scorer", "judge", "people", "agree", "evaluate again")


def run(folder: Path, command: str, *options: str) -> None:
    """One command, without ``--by`` unless it is among the options."""
    path, rows = folder / "predictions.jsonl", read_predictions(folder / "predictions.jsonl")
    if command == "people":
        rate(folder, rows, PEOPLE, [[1.0] * len(rows), [0.0] * len(rows)])
    elif command == "evaluate again":
        write_scores(rows, [EXACT, "token_recall"], folder, {"images": "own"})
    else:
        words = {
            "score": ["score", "exact_match", str(path)],
            "other scorer": ["score", "token_recall", str(path)],
            "judge": ["judge", "vqa", str(path), "--judge", "offline", "--runs", "2"],
            "agree": ["agree", str(path)],
        }
        assert main([*words[command], *options]) == 0


def metrics(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def broken_down(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers that were scored and judged by organ, and judged by the type of question."""
    folder = tmp_path_factory.mktemp("run")
    write_records(folder / "predictions.jsonl", answers(RIGHT))
    run(folder, "score", "--by", "organ")
    run(folder, "judge", "--by", "organ", "--by", "question_type")
    return folder


@pytest.mark.parametrize("later", itertools.permutations(LATER, 2), ids=", ".join)
def test_groups_stay_whichever_command_runs_later(broken_down: Path, tmp_path: Path, later: Sequence[str]) -> None:
    for path in broken_down.rglob("*.json*"):
        copy = tmp_path / path.relative_to(broken_down)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    before = metrics(tmp_path)["scores"]
    assert before[EXACT]["organ CHEST"]["correct"] == 3 and before[EXACT]["organ CHEST"]["n"] == 6
    assert {"organ HEAD", "question_type PRES", "question_type ABN"} <= set(before[JUDGE])
    for command in later:
        run(tmp_path, command)
    after = metrics(tmp_path)["scores"]
    assert {name: after[name] for name in before} == before


def test_groups_are_of_the_scores_that_are_there_now(broken_down: Path) -> None:
    """Kept axes are computed anew: no group is left from scores that were replaced."""
    rows = read_predictions(broken_down / "predictions.jsonl")
    rate(broken_down, rows, "judge/vqa/invented", [[1.0] * len(rows)])
    stored = metrics(broken_down)
    stored["scores"]["judge/vqa/invented"]["organ CHEST"] = {"n": 6, "value": 100.0}
    (broken_down / "metrics.json").write_text(json.dumps(stored))
    rate(broken_down, rows, "judge/vqa/invented", [[0.0] * len(rows)])
    assert metrics(broken_down)["scores"]["judge/vqa/invented"]["organ CHEST"]["value"] == 0.0


def test_metrics_of_a_scorer_are_broken_down_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pycocoevalcap")

    def without_java() -> str:
        raise JavaError("no Java in this test")

    monkeypatch.setattr(lexical, "find_java", without_java)
    rows = written_reports(6, organ="CHEST")
    write_records(tmp_path / "predictions.jsonl", rows)
    assert main(["score", "lexical", str(tmp_path / "predictions.jsonl"), "--by", "organ"]) == 0
    figures = metrics(tmp_path)["scores"]["lexical/coco"]
    assert figures["rouge_l organ CHEST"]["value"] == pytest.approx(figures["rouge_l"]["value"])
    assert "pooled" in figures["bleu4 organ CHEST"]["note"] and "note" not in figures["cider organ CHEST"]
    write_scores(rows, ["lexical"], tmp_path, {})
    assert metrics(tmp_path)["scores"]["lexical/coco"] == figures


def test_wasm_is_that_of_the_ratings_that_are_there(tmp_path: Path) -> None:
    rows = written_reports(4)
    write_records(tmp_path / "predictions.jsonl", rows)
    rate(tmp_path, rows, "judge/report/gpt-4o", [[4.0, 4.0, 3.0, 3.0]])
    assert main(["wasm", str(tmp_path / "predictions.jsonl")]) == 0
    rate(tmp_path, rows, "judge/report/gpt-4o", [[1.0, 1.0, 0.0, 0.0]])
    assert metrics(tmp_path)["scores"]["wasm/judge/report/gpt-4o"]["overall"]["value"] == 0.5


def test_an_agreement_about_other_ratings_is_dropped_and_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = answers(RIGHT)
    write_records(tmp_path / "predictions.jsonl", rows)
    rate(tmp_path, rows, "judge/vqa/gpt-4o", [[1.0] * 8, [1.0] * 8])
    run(tmp_path, "agree")
    capsys.readouterr()
    rate(tmp_path, rows, "judge/vqa/gpt-4o", [[1.0] * 8, [1.0] * 8])
    assert "agreement" in metrics(tmp_path) and not capsys.readouterr().out
    rate(tmp_path, rows, "judge/vqa/gpt-4o", [[1.0] * 8, [0.0] * 8])
    assert "agreement" not in metrics(tmp_path) and "run pefomed agree again" in capsys.readouterr().out


def test_results_of_other_answers_are_set_aside_by_an_evaluation(tmp_path: Path) -> None:
    write_scores(answers(RIGHT), ["exact_match"], tmp_path, {})
    assert set_stale_aside(answers(RIGHT), tmp_path) == []
    moved = set_stale_aside(answers([False] * 8), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json.1", "scores.1"] and len(moved) == 2


def test_the_metrics_of_a_run_keep_test_sets_that_a_resumed_run_does_not_name(tmp_path: Path) -> None:
    for name in ("slake-test", "vqa_rad-test"):
        write_scores(answers(RIGHT), ["exact_match"], tmp_path / "results" / name, {})
    found = with_other_results(tmp_path, {"vqa_rad-test": {"n": 1}})
    assert found["vqa_rad-test"] == {"n": 1} and found["slake-test"]["n"] == len(RIGHT)
