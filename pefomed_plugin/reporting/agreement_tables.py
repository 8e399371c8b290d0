"""What ``measure_agreement`` found, as tables: for ``pefomed agree``, ``compare`` and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .agreement import mean_name, scale_of, statistics_of
from .corrected import corrected_cell, corrected_tables
from .rater_pairs import pairs_of_raters
from .table import COUNT, FIGURE, HIGHER, Cell, Column, Table, figure_cell, without_interval

_RATER = "rater "
"""How the name of a single rater begins."""
_SHOWN_RATERS = 2
"""Of more, the general table has no single ones."""


@dataclass(frozen=True)
class _Named:
    """A row: a pair, a judge or all raters, and what was found of them."""

    name: str
    found: Mapping[str, Any]


_NAMES = Column("", lambda row: row.name)


def _named(found: Mapping[str, Any]) -> list[_Named]:
    return [_Named(name, of_name) for name, of_name in found.items()]


def agreement_tables(found: Mapping[str, Any]) -> list[Table]:
    """All statistics; of many people the general table has what they say together, and a second one their pairs."""
    statistics = statistics_of(found)
    pairs = pairs_table("Agreement of pairs", found, statistics)
    people = {name: pair for name, pair in found["pairs"].items() if name not in _shown_pairs(found)}
    of_people = pairs_of_raters(
        {name: pair for name, pair in people.items() if name.count(_RATER) == 2},
        [name for name in statistics if name in ("kappa", "kappa_quadratic")],
    )
    tables = [
        pairs,
        of_people,
        Table(
            "Krippendorff's alpha, ordinal",
            [_NAMES, Column("alpha", lambda row: figure_cell(row.found, digits=2), FIGURE, better=HIGHER)],
            _named(found["alpha"]),
        ),
        Table(
            "Judges over their runs",
            [
                _NAMES,
                Column("items", lambda row: row.found["items"], COUNT),
                Column("that flip", lambda row: _percent(row.found["flipping"]), FIGURE, unit="%"),
                Column("runs off the majority", lambda row: _percent(row.found["rate"]), FIGURE, unit="%"),
            ],
            _named(found["flips"]),
        ),
        *corrected_of(found),
    ]
    at = 1 if of_people.items else 0
    tables[at] = replace(tables[at], notes=[*tables[at].notes, *_who_is_who(found)])
    return [table for table in tables if table.items]


def _who_is_who(found: Mapping[str, Any]) -> list[str]:
    names, beyond = found.get("names") or {}, found.get("cannot_judge") or {}
    notes = ["Of these, " + ", ".join(f"{rater} is {name}" for rater, name in names.items()) + "."] if names else []
    if beyond:
        counts = ", ".join(f"{rater} {count:,}" for rater, count in beyond.items())
        notes.append(f"Items that somebody cannot judge are in no pair of theirs: {counts}.")
    return notes


def corrected_of(found: Mapping[str, Any]) -> list[Table]:
    """Judges' figures corrected by people's ratings; no table where there are not both."""
    return corrected_tables(f"{mean_name(found)} corrected by people's ratings", found.get("corrected", {}))


def pairs_table(title: str, found: Mapping[str, Any], statistics: Sequence[str] = ()) -> Table:
    """One row per pair, without single raters where there are many; by default the usual statistics."""
    statistics = statistics or (
        "kappa" if len(scale_of(found)) == 2 else "kappa_quadratic",
        "kendall_tau_b",
        "spearman",
    )

    def column(statistic: str) -> Column:
        name = statistic.replace("_", " ")
        return Column(name, lambda row: figure_cell(row.found["figures"][statistic], digits=2), FIGURE, better=HIGHER)

    return Table(
        title,
        [_NAMES, Column("n", lambda row: row.found["n"], COUNT), *map(column, statistics)],
        _named(_shown_pairs(found)),
        notes=[
            "In square brackets: 95 % intervals.",
            *without_interval(
                (f"{name.replace('_', ' ')} of {row.name}", row.found["figures"][name])
                for row in _named(_shown_pairs(found))
                for name in statistics
            ),
        ],
    )


@dataclass(frozen=True)
class _Together:
    """A row of what all raters say together."""

    name: str
    items: int | None
    value: Cell | None


def together_table(title: str, found: Mapping[str, Any]) -> Table:
    """What all raters say together, how steady the judges are, and their figures corrected by people: a row each."""
    rows = [
        _Together(f"Krippendorff's alpha, {name}", None, figure_cell(figure, digits=2))
        for name, figure in found["alpha"].items()
    ]
    rows += [
        _Together(f"{name}: runs off their majority", flips["items"], replace(_percent(flips["rate"]), unit="%"))
        for name, flips in found["flips"].items()
    ]
    rows += [
        _Together(f"{name}: {mean_name(found)} corrected by people", figures.get("rated"), corrected_cell(figures))
        for name, figures in found.get("corrected", {}).items()
    ]
    columns = [
        _NAMES,
        Column("items", lambda row: row.items, COUNT),
        Column("value", lambda row: row.value, FIGURE),
    ]
    return Table(title, columns, rows)


def _shown_pairs(found: Mapping[str, Any]) -> dict[str, Any]:
    many = sum(name.startswith(_RATER) for name in found["raters"]) > _SHOWN_RATERS
    return {name: pair for name, pair in found["pairs"].items() if not many or _RATER not in name}


def _percent(share: float | None) -> Cell:
    return Cell(None if share is None else 100 * share, digits=1)
