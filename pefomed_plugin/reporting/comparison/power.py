"""What a test set can show: the least difference of two models that a paired test finds, and its chance to find others.

Of two runs it follows from where they differ. Of a single run it is a bound: a second model of the same spread whose
mistakes have nothing to do with this one's; models that fail at the same questions are told apart sooner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Callable

from ...scoring.breakdown import cluster_of
from ...scoring.intervals import Interval
from ...scoring.paired import Difference, standard_error
from ...scoring.spec import ACCURACY
from ..results import Run
from ..table import COUNT, FIGURE, Cell, Column, Table
from .compare import Comparison, values_of
from .verdicts import LEVEL, POWER

POINTS = (1, 2, 5)
"""Differences whose chance is shown, in points of percent."""


@dataclass(frozen=True)
class Seen:
    """What one test could show."""

    name: str
    """Test set, scorer, and the runs."""
    samples: int
    clusters: int
    """Studies or images."""
    least: float | None
    """The least difference found in 80 of 100 such test sets, in the unit shown."""
    unit: str
    digits: int
    chances: Sequence[float]
    """Of finding ``POINTS``, 0 to 1; empty for what is not in percent, or where no sample differs."""
    is_bound: bool
    """It is about a single run."""


def what_is_seen(comparisons: Sequence[Comparison], runs: Sequence[Run]) -> list[Seen]:
    """One entry for each test of each table; for each table without a test, one of its only run."""
    by_name, found = {run.name: run for run in runs}, []
    for table in comparisons:
        tested = [(row.run, row.difference) for row in table.rows if row.difference is not None]
        for run, difference in tested:
            found.append(_seen(table, f"{run} against {table.reference}", difference, max(1, table.tests)))
        if len(table.rows) == 1:
            alone = _alone(table, by_name[table.rows[0].run])
            found += [_seen(table, f"{table.rows[0].run} against another", alone, 1, is_bound=True)] if alone else []
    return found


def _alone(table: Comparison, run: Run) -> Difference | None:
    rows = values_of(run.answered[table.dataset], table.tested)
    clusters = [cluster_of(prediction) for prediction, _ in rows]
    error = standard_error([value for _, value in rows], clusters)
    if not error or table.tested.metric.pooled:
        return None
    return Difference(0.0, Interval(None, None), 1.0, len(rows), len(set(clusters)), math.sqrt(2) * error)


def _seen(table: Comparison, of: str, difference: Difference, tests: int, is_bound: bool = False) -> Seen:
    tested, level = table.tested, 1 - LEVEL / tests
    step = tested.metric.factor if table.kind == ACCURACY else 0.0
    powers = [difference.power(points, level) for points in POINTS] if tested.unit == "%" else []
    return Seen(
        f"{table.dataset}, {table.scorer}: {of}",
        difference.n,
        difference.clusters,
        difference.least_seen(level, POWER, step),
        tested.unit,
        tested.digits,
        [power for power in powers if power is not None],
        is_bound,
    )


def power_table(found: Sequence[Seen]) -> list[Table]:
    """One table with a row for each; none where there is nothing."""
    if not found:
        return []

    def chance(place: int) -> Callable[[Seen], Cell | None]:
        return lambda seen: Cell(100 * seen.chances[place], digits=0) if seen.chances else None

    columns = [
        Column("", lambda seen: seen.name),
        Column("samples", lambda seen: seen.samples, COUNT),
        Column("images", lambda seen: seen.clusters, COUNT, help="or studies; what is independent"),
        Column("least difference", lambda seen: Cell(seen.least, unit=_unit(seen), digits=seen.digits), FIGURE),
    ]
    title = "What the tests can show: the least difference found in 80 of 100"
    if any(seen.chances for seen in found):
        title += f", the chance to find {', '.join(map(str, POINTS))} points"
        columns += [
            Column(f"{points} point{'s' * (points > 1)}", chance(place), FIGURE, unit="%")
            for place, points in enumerate(POINTS)
        ]
    bound = "Of a single run: at most, for another model whose mistakes have nothing to do with this one's."
    table = Table(
        title,
        columns,
        found,
        [bound] if any(seen.is_bound for seen in found) else [],
    )
    return [table]


def power_to_json(found: Sequence[Seen]) -> list[dict[str, Any]]:
    """As ``compare.json`` holds it."""
    return [{**asdict(seen), "points": POINTS} for seen in found]


def _unit(seen: Seen) -> str:
    return "points" if seen.unit == "%" else seen.unit
