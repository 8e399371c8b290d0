"""Scores by question type, organ, phrase type or modality as rows to show (paper, tables 3 and 4, figures 3 to 6).

The cells come from ``scoring.breakdown``; here they get their unit and their words. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..readers import describe
from ..records import Prediction, Score
from ..scoring.breakdown import GroupMean, break_down, group_means
from ..scoring.leaks import TITLES
from ..scoring.repeated import break_down_runs
from ..scoring.spec import MetricSpec
from .comparison.paper_figures import EXACT_MATCH, GPT4_JUDGE, HUMAN
from .figures import FLOOR, INTERVAL
from .results import Answered
from .table import COUNT, FIGURE, HIGHER, LOWER, Cell, Column, Table


@dataclass(frozen=True)
class Breakdown:
    """One scorer's means by group of one axis, in the unit they are shown in."""

    scorer: str
    """Name that the scores carry."""
    axis_title: str
    """What the data set calls the axis, in words."""
    metric: MetricSpec
    """What the scores measure."""
    cells: Sequence[GroupMean]
    """``value`` and ``interval`` in the metric's unit."""
    floor: Mapping[str, float | None] = field(default_factory=dict)
    """By group: what the strongest predictor that does not look gets; empty where there is none."""
    floor_name: str = ""
    """Which predictor that is."""


def make_breakdown(
    predictions: Sequence[Prediction], scores: Sequence[Score], axis: str, metric: MetricSpec
) -> Breakdown:
    """Means by group, clustered by study (by image where a data set has no studies).

    Args:
        metric: what the scores measure.

    Raises:
        ConfigError: no such axis.
        DataError: predictions and scores do not belong together.
    """
    cells = break_down(predictions, scores, axis, metric.factor)
    return Breakdown(scores[0].scorer, title_of_axis(axis, predictions[0].dataset), metric, cells)


def break_down_answers(answered: Answered, name: str, axis: str) -> Breakdown:
    """Means of one name of scores by group; of a judge or people the mean over runs or raters, with its SD.

    Raises:
        ConfigError: no such axis.
        DataError: predictions and scores do not belong together.
    """
    spec, metric = answered.measured[name]
    if name not in answered.runs:
        found = make_breakdown(answered.predictions, answered.scores[name], axis, metric)
    else:
        cells = break_down_runs(answered.predictions, answered.runs[name], axis, metric.factor)
        found = Breakdown(name, title_of_axis(axis, answered.predictions[0].dataset), metric, cells)
    floor = answered.floors.get(spec.name)
    if floor is None or name not in floor.answered.scores:
        return found
    means = group_means(floor.answered.predictions, floor.answered.scores[name], axis, metric.factor)
    return replace(found, floor=means, floor_name=floor.predictor)


def names_together(answered: Answered) -> list[str]:
    """Scores that the paper's figures show side by side: exact match as the paper's, judges, people; on one scale.

    Empty where fewer than two of them are there.
    """
    found = [
        name
        for name, (spec, _) in answered.measured.items()
        if spec.is_rating or spec.paper in (EXACT_MATCH, GPT4_JUDGE, HUMAN)
    ]
    scales: dict[tuple[str, tuple[float, float]], list[str]] = {}
    for name in found:
        metric = answered.measured[name][1]
        scales.setdefault((metric.unit, metric.shown_range), []).append(name)
    together = max(scales.values(), key=len, default=[])
    return together if len(together) > 1 else []


def title_of_axis(axis: str, dataset: str) -> str:
    """What a data set calls an axis, in words."""
    declared = {field.name: field.title for field in describe(dataset).fields}
    return declared.get(axis) or TITLES.get(axis) or axis.replace("_", " ")


def breakdown_table(breakdown: Breakdown) -> Table:
    """Group, n, value, interval, and how many were not scored where any was not."""
    axis, unit = breakdown.axis_title, breakdown.metric.unit
    better = HIGHER if breakdown.metric.higher_is_better else LOWER
    unscored = any(cell.unscored for cell in breakdown.cells)
    return Table(
        f"{breakdown.scorer} by {axis}",
        [
            Column(axis, lambda cell: cell.label),
            Column("n", lambda cell: cell.n, COUNT),
            Column("value", lambda cell: Cell(cell.value, unit, sd=cell.sd), FIGURE, better=better),
            Column(INTERVAL, lambda cell: Cell(unit=unit, interval=cell.interval), FIGURE),
            *(
                [Column(FLOOR, lambda cell: Cell(breakdown.floor.get(cell.group), unit), FIGURE, better=better)]
                if breakdown.floor
                else []
            ),
            *([Column("not scored", lambda cell: cell.unscored, COUNT)] if unscored else []),
        ],
        breakdown.cells,
        [f"Floor, without looking: {breakdown.floor_name}."] if breakdown.floor else [],
    )
