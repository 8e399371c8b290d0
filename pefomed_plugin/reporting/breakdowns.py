"""Scores by question type, organ, phrase type or modality as rows to show (paper, tables 3 and 4, figures 3 to 6).

The cells come from ``scoring.breakdown``; here they get their unit and their words. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..records import Prediction, Score
from ..scoring.breakdown import Cell, break_down
from .scorer_kinds import is_percent
from .tables import format_interval, show_table


@dataclass(frozen=True)
class Breakdown:
    """One scorer's means by group of one axis, in the unit they are shown in."""

    scorer: str
    """Name that the scores carry."""
    axis: str
    """``question_type``, ``organ``, ``phrase_type``, ``modality``, ..."""
    unit: str
    """``%``, or nothing."""
    cells: Sequence[Cell]
    """``value`` and ``interval`` in that unit."""


def make_breakdown(predictions: Sequence[Prediction], scores: Sequence[Score], axis: str) -> Breakdown:
    """Means by group, clustered by study (by image where a data set has no studies).

    Raises:
        ConfigError: no such axis.
        DataError: predictions and scores do not belong together.
    """
    percent = is_percent(scores[0].scorer)
    if percent:
        scores = [
            Score(
                score.sample_id,
                score.scorer,
                score.version,
                None if score.value is None else 100 * score.value,
                score.reason,
            )
            for score in scores
        ]
    return Breakdown(scores[0].scorer, axis, "%" if percent else "", break_down(predictions, scores, axis))


def show_breakdown(breakdown: Breakdown) -> None:
    """Print a table: group, n, value, interval, and how many were not scored where any was not."""
    unscored = any(cell.unscored for cell in breakdown.cells)
    columns = [breakdown.axis.replace("_", " "), "n", "value", "95 % interval", *(["not scored"] if unscored else [])]
    show_table(
        f"{breakdown.scorer} by {columns[0]}", columns, [_row(cell, breakdown, unscored) for cell in breakdown.cells]
    )


def format_mean(value: float | None, unit: str) -> str:
    """``77.4 %``, ``0.1570``, or a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:.1f} %" if unit == "%" else f"{value:.3f}"


def _row(cell: Cell, breakdown: Breakdown, unscored: bool) -> list[str]:
    interval = format_interval({"low": cell.interval.low, "high": cell.interval.high}) or (cell.interval.reason or "")
    return [
        cell.group,
        str(cell.n),
        format_mean(cell.value, breakdown.unit),
        interval,
        *([str(cell.unscored)] if unscored else []),
    ]
