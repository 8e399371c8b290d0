"""What answers rest on, as tables: each run's figures beside each other (``scoring.reliance`` computes them)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..scoring.reliance import VARIANTS
from .results import Run
from .table import COUNT, FIGURE, Column, Content, Table, figure_cell

TITLE = "does it look?"
NOTES = (
    "Each question was asked again, shown " + "; ".join(VARIANTS.values()) + ".",
    "A right answer without the image was known from the question; side: left or right, by the words.",
)


@dataclass(frozen=True)
class _Row:
    title: str
    figures: Mapping[str, Mapping[str, Any]]
    """By the run's name."""

    def n(self) -> Content:
        return next((int(figure["n"]) for figure in self.figures.values()), None)

    def cell(self, run: str) -> Content:
        figure = self.figures.get(run)
        return None if figure is None else figure_cell(figure, digits=1)


def reliance_table(test_set: str, runs: Mapping[str, Mapping[str, Any]]) -> Table:
    """One test set: a row a figure, a column a run.

    Args:
        runs: name -> ``reliance`` of ``metrics.json``.
    """
    names = dict.fromkeys(name for found in runs.values() for name in found["figures"])
    rows = []
    for name in names:
        figures = {run: found["figures"][name] for run, found in runs.items() if name in found["figures"]}
        rows.append(_Row(next(iter(figures.values()))["title"], figures))
    several = len(runs) > 1

    def column(run: str) -> Column:
        return Column(run if several else "answers", lambda row: row.cell(run), FIGURE, unit="%")

    counts = [] if several else [Column("of", lambda row: row.n(), COUNT)]  # runs can be right about different ones
    return Table(
        f"{test_set}: {TITLE}",
        [Column("", lambda row: row.title), *counts, *map(column, runs)],
        rows,
        NOTES,
    )


def reliance_tables(runs: Sequence[Run]) -> list[Table]:
    """A table for each test set of which a run has measured it; runs that have not are left out."""
    keys = dict.fromkeys(key for run in runs for key in run.answered)
    tables = []
    for key in keys:
        measured = {run.name: run.answered[key].reliance for run in runs if key in run.answered}
        measured = {name: found for name, found in measured.items() if found}
        tables += [reliance_table(key, measured)] if measured else []
    return tables
