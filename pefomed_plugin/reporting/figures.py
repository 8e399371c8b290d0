"""Figures of ``metrics.json`` as tables: what a test set scored, and what several runs or raters found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..scoring.intervals import Interval
from .table import COUNT, FIGURE, Cell, Column, Table

INTERVAL = "95 % interval"
"""What the column of intervals is called."""
FLOOR = "floor"
"""What the column of floors is called, and how their rows begin."""


@dataclass(frozen=True)
class Figure:
    """One figure of one test set."""

    scorer: str
    """Name under which ``metrics.json`` has it."""
    group: str
    """``overall``, ``open``, ``bleu_1``, ``level 3``."""
    data: Mapping[str, Any]
    """What ``metrics.json`` holds of it."""
    test_set: str = ""
    """``<data set>-<split>``, where figures of several stand together."""
    floor: Mapping[str, Any] | None = None
    """The same figure of the strongest predictor that does not look."""

    def count(self) -> Cell | int | None:
        """``237 of 272`` where right answers are counted, else how many were scored."""
        if "correct" in self.data:
            return Cell(self.data["correct"], of=self.data["n"])
        return self.data.get("n")

    def value(self, digits: int | None = None) -> Cell:
        """The figure with its unit and its spread over runs, or why there is none."""
        value = self.data.get("value")
        if value is not None and "percent" in self.data:
            digits = 0 if float(value).is_integer() and not self.data.get("sd") else 1
        return Cell(
            value,
            self.data.get("unit", ""),
            sd=self.data.get("sd"),
            digits=None if self.data.get("unit") else digits,
            reason=self.data.get("reason") or "",
        )

    def interval(self, digits: int | None = None) -> Cell | None:
        """Its interval, or why there is none; None where nothing was said of one."""
        ends = self.data.get("interval")
        unit = self.data.get("unit", "")
        return Cell(unit=unit, interval=Interval(**ends), digits=None if unit else digits) if ends else None


FIGURE_COLUMNS: Sequence[Column] = (
    Column("score", lambda figure: f"{figure.scorer} {figure.group}"),
    Column("n", Figure.count, COUNT),
    Column("value", Figure.value, FIGURE),
    Column(INTERVAL, Figure.interval, FIGURE),
)


def figures_of(scores: Mapping[str, Any], test_set: str = "") -> list[Figure]:
    """Every figure in section ``scores`` of a ``metrics.json``."""
    return [
        Figure(scorer, group, data, test_set)
        for scorer, groups in scores.items()
        for group, data in groups.items()
        if isinstance(data, Mapping)
    ]


def metrics_table(results: Mapping[str, Mapping[str, Any]]) -> Table:
    """What each test set scored, by ``<data set>-<split>``: one table, however many there are."""
    figures = figures_with_floors(results)
    scored = {figure.test_set for figure in figures}
    several = len(results) > 1
    notes = [
        f"{name}: answers written, nothing scored" if several else "answers written, nothing scored"
        for name in results
        if name not in scored
    ]
    notes += floor_lines(results)
    title = f"{', '.join(results)} ({sum(metrics['n'] for metrics in results.values()):,} answers)"
    columns = [Column("test set", lambda figure: figure.test_set), *FIGURE_COLUMNS] if several else [*FIGURE_COLUMNS]
    return Table(title, [*columns, *floor_columns(figures)], figures, notes)


def figures_with_floors(results: Mapping[str, Mapping[str, Any]]) -> list[Figure]:
    """Every figure of every test set, each with its floor where there is one."""
    figures = [figure for name, metrics in results.items() for figure in figures_of(metrics["scores"], name)]
    return [replace(figure, floor=_floor(results[figure.test_set], figure)) for figure in figures]


def floor_columns(figures: Sequence[Figure]) -> list[Column]:
    """The column of floors, where any figure has one."""
    if not any(figure.floor for figure in figures):
        return []
    return [Column(FLOOR, lambda figure: replace(figure, data=figure.floor or {}).value(), FIGURE)]


def floor_lines(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Which predictors the floors are, a line each."""
    return [
        f"Floor of {scorer}{' on ' + name if len(results) > 1 else ''}, without looking: {floor['predictor']}."
        for name, metrics in results.items()
        for scorer, floor in (metrics.get("floors") or {}).items()
        if scorer in metrics["scores"]
    ]


def _floor(metrics: Mapping[str, Any], figure: Figure) -> Mapping[str, Any] | None:
    floor = (metrics.get("floors") or {}).get(figure.scorer) or {}
    return (floor.get("figures") or {}).get(figure.group)


def repeated_table(title: str, groups: Mapping[str, Any], floor: Mapping[str, Any] | None = None) -> Table:
    """What several runs or raters found: mean and SD, what was left without a value, interval over the samples.

    Args:
        floor: of the scorer, as under ``floors`` in ``metrics.json``; None: there is none.
    """
    found = (floor or {}).get("figures") or {}
    figures = [replace(figure, floor=found.get(figure.group)) for figure in figures_of({"": groups})]
    shares = [Column("share", lambda figure: figure.data.get("percent"), FIGURE, unit="%")]
    beyond = [Column("of these cannot judge", lambda figure: figure.data.get("cannot_judge", 0), COUNT)]
    return Table(
        title,
        [
            Column("", lambda figure: figure.group),
            Column("n", lambda figure: figure.data["n"], COUNT),
            Column("mean \u00b1 SD", lambda figure: figure.value(digits=2), FIGURE),
            *(shares if any("percent" in figure.data for figure in figures) else ()),
            Column("runs", lambda figure: figure.data.get("runs"), COUNT),
            Column("unscored", lambda figure: figure.data.get("unscored"), COUNT),
            *(beyond if any("cannot_judge" in figure.data for figure in figures) else ()),
            Column(INTERVAL, lambda figure: figure.interval(digits=2), FIGURE),
            *floor_columns(figures),
        ],
        figures,
        [f"Floor, without looking: {floor['predictor']}."] if floor else [],
    )
