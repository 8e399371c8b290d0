"""Cohen's kappa of pairs of people, each with its interval, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .table import COUNT, FIGURE, Column, Table, figure_cell, without_interval

_TITLES = {"kappa": "kappa", "kappa_quadratic": "quadratic weights", "kappa_linear": "linear weights"}


def pairs_of_raters(pairs: Mapping[str, Any], statistics: Sequence[str] = ("kappa", "kappa_quadratic")) -> Table:
    """Cohen's kappa of each pair of people, over the items that both answered."""
    rows = [{"name": name, **pair} for name, pair in pairs.items()]
    return Table(
        "Pairs of raters: Cohen's kappa",
        [
            Column("", lambda row: row["name"]),
            Column("both rated", lambda row: row["n"], COUNT),
            *(_kappa_column(name) for name in statistics),
        ],
        rows,
        notes=[
            "In square brackets: 95 % bootstrap intervals over studies or images.",
            *without_interval(
                (f"{_TITLES[name]} of {row['name']}" if len(statistics) > 1 else row["name"], row["figures"][name])
                for row in rows
                for name in statistics
            ),
        ],
    )


def _kappa_column(name: str) -> Column:
    return Column(_TITLES[name], lambda row: figure_cell(row["figures"][name], digits=2), FIGURE)
