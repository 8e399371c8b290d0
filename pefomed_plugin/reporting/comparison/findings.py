"""All that tests and ratings say of compared runs: lines below the tables, further tables, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..results import Run
from ..table import Table
from .compare import Comparison
from .corrected_differences import corrected_differences, difference_tables, differences_to_json
from .power import power_table, power_to_json, what_is_seen
from .verdicts import group_verdicts, overall_verdicts, verdict_lines


@dataclass(frozen=True)
class Findings:
    """What stands beside the tables of a comparison."""

    lines: Mapping[tuple[str, str], Sequence[str]]
    """(data set, scorer) -> sentences below its table."""
    tables: Sequence[Table]
    """Differences corrected by people's ratings; what the tests can show."""
    data: Mapping[str, Any]
    """``verdicts``, ``corrected_differences`` and ``power`` of ``compare.json``."""


def find(runs: Sequence[Run], comparisons: Sequence[Comparison], axes: Sequence[str] = ()) -> Findings:
    """The findings of ``compare_runs(runs)``, by group of ``axes`` as well.

    Raises:
        ConfigError: no such axis.
        DataError: the rubric of a judge is damaged.
    """
    overall = overall_verdicts(comparisons)
    by_group = group_verdicts(runs, overall, axes)
    corrected, seen = corrected_differences(runs, comparisons, axes), what_is_seen(comparisons, runs)
    data = {
        "verdicts": [verdict.to_json() for verdict in (*overall, *by_group)],
        "corrected_differences": differences_to_json(corrected),
        "power": power_to_json(seen),
    }
    return Findings(verdict_lines(runs, overall, by_group), [*difference_tables(corrected), *power_table(seen)], data)
