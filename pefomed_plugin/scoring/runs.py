"""Mean and standard deviation over repeated runs or raters, as the paper's tables print them. Standard library only."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import DataError
from .pairing import mean


@dataclass(frozen=True)
class OverRuns:
    """One figure, measured several times."""

    mean: float
    """In the unit of what was measured."""
    sd: float | None
    """Sample standard deviation (ddof=1), as in the paper's brackets; None for a single run."""
    runs: int
    """How many runs or raters."""


def summarise_runs(values: Sequence[float]) -> OverRuns:
    """Mean and sample standard deviation of one figure over runs.

    Raises:
        DataError: no run, or one whose figure is not a finite number.
    """
    broken = [number for number, value in enumerate(values, 1) if not math.isfinite(value)]
    if broken:
        raise DataError(f"no finite figure in run(s) {', '.join(map(str, broken))}: score them again")
    return OverRuns(mean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))
