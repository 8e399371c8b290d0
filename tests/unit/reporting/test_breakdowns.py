from __future__ import annotations

from pathlib import Path

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.records import Score
from pefomed_plugin.reporting.breakdowns import breakdown_table, make_breakdown
from pefomed_plugin.reporting.plots import plot_breakdowns
from pefomed_plugin.reporting.rendering import show_table
from pefomed_plugin.rubrics import REPORT, VQA
from pefomed_plugin.scoring.exact_match import PEFOMED, score_exact_match
from pefomed_plugin.scoring.ratings import judge_spec

from .made import answers

ROWS = answers([True, True, False, False] * 3)


def test_right_or_wrong_is_shown_in_percent_and_other_scores_as_they_are() -> None:
    percent = make_breakdown(ROWS, score_exact_match(ROWS), "organ", PEFOMED)
    assert percent.metric.unit == "%" and {cell.group: cell.value for cell in percent.cells} == {
        "CHEST": pytest.approx(200 / 3),
        "HEAD": 0.0,
    }
    levels = judge_spec(REPORT, "made")
    plain = make_breakdown(ROWS, [Score(row.id, levels.name, "1", 3.0) for row in ROWS], "organ", levels)
    assert (plain.metric.unit, plain.metric.shown_range, plain.cells[0].value) == ("", (0.0, 4.0), 3.0)


def test_the_table_counts_what_was_not_scored(capsys: pytest.CaptureFixture) -> None:
    scores = [Score(row.id, "judge/vqa/made", "1", None if number % 3 else 1.0) for number, row in enumerate(ROWS)]
    breakdown = make_breakdown(ROWS, scores, "question_type", judge_spec(VQA, "made"))
    show_table(breakdown_table(breakdown))
    shown = capsys.readouterr().out
    assert "judge/vqa/made by question type" in shown and "not scored" in shown and "100.0 %" in shown


def test_a_plot_has_a_panel_for_each_axis(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    breakdowns = [make_breakdown(ROWS, score_exact_match(ROWS), axis, PEFOMED) for axis in ("organ", "question_type")]
    plot_breakdowns(breakdowns, tmp_path / "new" / "plot.svg")
    text = (tmp_path / "new" / "plot.svg").read_text(encoding="utf-8")
    assert "CHEST (n = 9)" in text


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="end its name with .png, .svg, .pdf"):
        plot_breakdowns([], tmp_path / "plot.bmp")
    with pytest.raises(DataError, match="nothing to plot"):
        plot_breakdowns([], tmp_path / "plot.png")
