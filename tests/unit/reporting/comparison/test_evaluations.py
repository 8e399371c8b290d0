"""One run under exact match, judges and people: the layouts of the paper's tables 6 and 9, and their agreement."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import DataError
from pefomed_plugin.reporting.comparison.compare import compare_runs
from pefomed_plugin.reporting.comparison.compare_tables import (
    evaluation_table,
    figure_cell,
    scope_lines,
)
from pefomed_plugin.reporting.comparison.evaluations import evaluate_runs
from pefomed_plugin.reporting.results import Run, read_run
from pefomed_plugin.reporting.table import text_of

from ..made import Values, answers, make_run, predicted, rate


def rated_answers(tmp_path: Path) -> Run:
    rows = answers([True, True, False, False] * 5)
    folder = make_run(tmp_path / "run", rows) / "results/vqa_rad-test"
    rate(folder, rows, "judge/vqa/gpt-4o", [[1, 1, 1, 0] * 5, [1, 1, 0, 0] * 5])
    rate(
        folder,
        rows,
        "human/vqa",
        [[1, 1, 1, 0] * 5, [1, 1, 1, 1] * 5, [1, 1, 0, 0] * 5],
        {"scope": "only answers that failed exact match"},
    )
    return read_run(tmp_path / "run", "both")


def rated_reports(tmp_path: Path, rated: int = 4) -> Run:
    rows = [
        predicted(number, True, dataset="iu_xray", task="report", question=None, answer_type=None)
        for number in range(8)
    ]
    folder = make_run(tmp_path / "reports", rows, scorers=()) / "results/iu_xray-test"
    rate(folder, rows, "judge/report/gpt-4o", [[4, 4, 3, 3, 1, 1, 1, 1], [4, 4, 3, 4, 1, 1, 1, 1]])
    people: list[Values] = [[2, 3, 2, 3][:rated] + [None] * (8 - rated), [1, 3, 2, 4][:rated] + [None] * (8 - rated)]
    rate(
        folder,
        rows,
        "human/report",
        people,
        {"scope": "a random sample of the answers"},
        only=[row.id for row in rows[:rated]],
    )
    return read_run(tmp_path / "reports", "both")


def test_people_stand_beside_the_papers_people_with_their_sd(tmp_path: Path) -> None:
    table = next(
        compare_run for compare_run in compare_runs([rated_answers(tmp_path)]) if compare_run.scorer == "human/vqa"
    )
    overall = table.rows[0].figures["overall"]
    assert (overall.value, overall.sd, table.tested.unit) == (75.0, 25.0, "%")
    assert overall.paper is not None and (overall.paper.value, overall.paper.sd) == (83.7, 1.3)
    assert text_of(figure_cell(overall, table.tested)) == "75.0 \u00b1 25.0 (83.7 \u00b1 1.3)"
    assert table.rows[0].scope == "only answers that failed exact match"


def test_all_evaluations_of_one_run_as_in_table_9(tmp_path: Path) -> None:
    (found,) = evaluate_runs([rated_answers(tmp_path)])
    assert [row.scorer for row in found.rows] == ["exact_match/pefomed", "judge/vqa/gpt-4o", "human/vqa"]
    assert [row.figures["overall"].value for row in found.rows] == [50.0, 62.5, 75.0]
    assert [row.figures["overall"].paper.table for row in found.rows] == [  # type: ignore[union-attr]
        "Table 9 (a)",
        "Table 9 (b)",
        "Table 9 (c)",
    ]
    assert evaluation_table(found).title == "both, vqa_rad-test: every evaluation, as in the paper's Table 9"
    assert scope_lines([], [found]) == [
        "both, vqa_rad-test, human/vqa: people rated only answers that failed exact match."
    ]


def test_the_judge_on_what_people_rated_as_in_table_6(tmp_path: Path) -> None:
    (found,) = evaluate_runs([rated_reports(tmp_path)])
    whole, people, part = found.rows
    assert part.label == "judge/report/gpt-4o, the 4 that people rated" and part.figures["wasm"].n == 4
    assert [row.figures["wasm"].value for row in found.rows] == [2.3125, 2.5, 3.625]
    assert [row.figures["wasm"].paper.value for row in found.rows] == [2.79, 2.24, 3.08]  # type: ignore[union-attr]
    assert part.figures["level 4"].paper.value == 48.7  # type: ignore[union-attr]
    assert (people.figures["level 3"].value, people.figures["level 3"].sd) == (1.5, pytest.approx(0.5**0.5))
    assert evaluation_table(found).texts()[1][:3] == ["human/report", "4", "0 \u00b1 0 (7.75 \u00b1 5.55)"]
    assert whole.figures["level 4"].paper.value == 324  # type: ignore[union-attr]


def test_where_people_rated_everything_nothing_is_repeated(tmp_path: Path) -> None:
    run = rated_reports(tmp_path, rated=4)
    folder = run.folder / "results/iu_xray-test"
    rate(folder, run.answered["iu_xray-test"].predictions, "human/report", [[4] * 8, [3] * 8])
    (found,) = evaluate_runs([read_run(run.folder, "both")])
    assert [row.among for row in found.rows] == [None, None]


def test_without_judge_or_people_there_is_no_such_table(tmp_path: Path) -> None:
    assert evaluate_runs([read_run(make_run(tmp_path / "run", answers([True, False])))]) == []


def test_agreement_is_found_by_compare(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = rated_reports(tmp_path).folder
    assert main(["agree", str(folder / "results/iu_xray-test/predictions.jsonl")]) == 0
    assert main(["compare", str(folder), "--label", "both", "--out", str(tmp_path / "compare.json")]) == 0
    assert "both, iu_xray-test: agreement" in capsys.readouterr().out
    (found,) = json.loads((tmp_path / "compare.json").read_text(encoding="utf-8"))["evaluations"]
    assert "judge/report/gpt-4o ~ people (median)" in found["agreement"]["pairs"]
    assert main(["compare", str(folder), "--label", "both", "--out", str(tmp_path / "compare.md")]) == 0
    assert "## both, iu_xray-test: agreement" in (tmp_path / "compare.md").read_text(encoding="utf-8")


def test_agreement_of_other_ratings_is_refused(tmp_path: Path) -> None:
    run = rated_reports(tmp_path)
    folder = run.folder / "results/iu_xray-test"
    assert main(["agree", str(folder / "predictions.jsonl")]) == 0
    rate(folder, run.answered["iu_xray-test"].predictions, "judge/report/gpt-4o", [[0] * 8, [0] * 8])
    with pytest.raises(DataError, match="not about these answers and ratings; run pefomed agree"):
        read_run(run.folder)
