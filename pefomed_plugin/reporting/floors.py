"""Floors as tables show them: which predictor is the strongest of each scorer, what it gets, and how it is named.

Where a table has a row for each run or evaluation, the floor is one more row; where its rows are figures or groups, a
column. Computes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..scoring.spec import ScorerSpec
from .figures import FLOOR, INTERVAL, Figure
from .results import Floor
from .table import FIGURE, Column, Table


def floors_table(test_set: str, floors: Mapping[str, Mapping[str, Any]], specs: Sequence[ScorerSpec]) -> Table:
    """The strongest predictor of each scorer with its figure, and what the others get."""
    rows = [(spec, floors[spec.name]) for spec in specs if spec.name in floors]

    def figure(row: tuple[ScorerSpec, Mapping[str, Any]]) -> Figure:
        spec, floor = row
        return Figure(spec.name, "", floor["figures"][spec.column(spec.columns[-1]).figure])

    def others(row: tuple[ScorerSpec, Mapping[str, Any]]) -> str:
        digits = row[0].column(row[0].columns[-1]).digits
        return ", ".join(f"{name} {value:.{digits}f}" for name, value in row[1]["others"].items())

    return Table(
        f"{test_set}: floors",
        [
            Column("score", lambda row: f"{row[0].name} {row[0].columns[-1]}"),
            Column("strongest", lambda row: row[1]["predictor"]),
            Column("value", lambda row: figure(row).value(), FIGURE),
            Column(INTERVAL, lambda row: figure(row).interval(), FIGURE),
            Column("others", others),
        ],
        rows,
        [] if rows else ["Nothing is scored yet: pefomed score scores the floors with the answers."],
    )


def floor_label(name: str) -> str:
    """What a row of a floor is called."""
    return f"{FLOOR}: {name}"


def floor_words(floor: Floor) -> str:
    """What a floor is, in a few words."""
    known = f", knows {floor.train_samples:,} training samples" if floor.train_samples else ""
    return f"{floor.title or floor.predictor}{known}, does not look"
