"""``pefomed wasm``: the paper's figures from its counts, and figures from score files."""

from __future__ import annotations

import json

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.records import Score
from pefomed_plugin.rubrics import REPORT, VQA
from pefomed_plugin.scoring.ratings import human_spec
from pefomed_plugin.services.judge.offline_judge import judge_offline, spec_of
from pefomed_plugin.services.judgements import write_judgements
from tests.unit.services.judged import answers, written_reports


@pytest.mark.parametrize(
    ("counts", "printed"),
    [
        ("1048 79 33 20 0", "WASM 0.17"),
        ("51 170 192 318 449", "WASM 2.80"),
        ("39 125 193 447 376", "WASM 2.84"),
        ("22 118 267 449 324", "WASM 2.79"),
        ("2.8 7.8 17.1 22.6 48.7", "WASM 3.08"),
    ],
)
def test_the_papers_figures_from_its_counts(counts, printed, capsys):
    assert main(["wasm", "--counts", *counts.split()]) == 0
    assert printed in capsys.readouterr().out


def test_from_the_score_files_of_a_judge(tmp_path, capsys):
    predictions = written_reports(6)
    write_judgements(predictions, REPORT, spec_of(REPORT), judge_offline(predictions, REPORT, 2), tmp_path, {})
    assert main(["wasm", str(tmp_path / "predictions.jsonl")]) == 0
    assert "WASM by judge/report/offline-lexical" in capsys.readouterr().out
    scores = json.loads((tmp_path / "metrics.json").read_text())["scores"]
    assert scores["wasm/judge/report/offline-lexical"]["overall"] == scores["judge/report/offline-lexical"]["overall"]
    assert sum(
        scores["wasm/judge/report/offline-lexical"][f"level {level}"]["percent"] for level in range(5)
    ) == pytest.approx(100)


def test_what_people_would_say_of_all_reports_stands_below(tmp_path, capsys):
    predictions = written_reports(30)
    write_judgements(predictions, REPORT, spec_of(REPORT), judge_offline(predictions, REPORT, 2), tmp_path, {})
    rated = [
        Score(prediction.id, "human/report", "1", float(number % 3) if number < 24 else None)
        for number, prediction in enumerate(predictions)
    ]
    write_judgements(predictions, REPORT, human_spec(REPORT), [rated], tmp_path, {})
    assert main(["wasm", str(tmp_path / "predictions.jsonl"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["corrected"]["WASM"]["judge/report/offline-lexical"]
    assert (found["n"], found["rated"], found["people"]) == (30, 24, 1.0)
    assert main(["wasm", str(tmp_path / "predictions.jsonl")]) == 0
    assert "WASM corrected by people's ratings" in capsys.readouterr().out


def test_mistakes(tmp_path, capsys):
    assert main(["wasm"]) == 2
    assert main(["wasm", "--counts", "0", "0", "0", "0", "0"]) == 2
    predictions = answers(2)
    write_judgements(predictions, VQA, spec_of(VQA), judge_offline(predictions, VQA, 1), tmp_path, {})
    assert main(["wasm", str(tmp_path / "predictions.jsonl")]) == 2
    assert "no ratings by levels" in capsys.readouterr().err
