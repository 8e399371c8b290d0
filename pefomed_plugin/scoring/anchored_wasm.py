"""A judge's mean level, anchored on people: its bias is estimated where people rated too, and taken off the rest.

The difference estimator of survey sampling: mean of the judge over all reports, minus the mean of judge minus people
over the rated ones. It assumes that the rated reports were drawn at random from all of them (``pefomed rate export
--random``), that the judge is the same for both, and that people are right on average. The interval, a bootstrap over
studies, carries the uncertainty of the bias and of the reports, not of the choice of raters. Pure; numpy inside.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DataError
from .agreement import Values
from .intervals import Interval, number_clusters, sum_resamples
from .pairing import mean

FEWEST = 10
"""Reports rated by both below which the bias cannot be estimated."""


@dataclass(frozen=True)
class AnchoredWasm:
    """WASM with the judge's bias removed."""

    value: float
    """In the unit of the levels, higher is better; not cut off at the ends of the scale."""
    interval: Interval
    """95 % percentile bootstrap over clusters."""
    judge: float
    """The judge's own WASM over all reports."""
    bias: float
    """How much the judge rates above people, in levels."""
    rated: int
    """Reports that both rated."""
    n: int
    """Reports that the judge rated."""


def anchor_wasm(
    judge: Values, people: Values, clusters: Sequence[Hashable], resamples: int = 1000, seed: int = 0
) -> AnchoredWasm:
    """Anchored WASM.

    Args:
        judge: the judge's mean level of every report, None where it has none.
        people: people's mean level, None where nobody rated.
        clusters: the study of every report.

    Raises:
        DataError: the lengths differ, or too few reports were rated by both.
    """
    import numpy as np  # late: heavy

    if not len(judge) == len(people) == len(clusters):
        raise DataError("judge, people and clusters must be of the same reports")
    rows = [(j, p, cluster) for j, p, cluster in zip(judge, people, clusters) if j is not None]
    differences = [j - p for j, p, _ in rows if p is not None]
    if len(differences) < FEWEST:
        raise DataError(
            f"only {len(differences)} reports were rated by both judge and people; the judge's bias needs {FEWEST}"
        )
    numbers = number_clusters([cluster for _, _, cluster in rows])
    sums_C4 = np.zeros((max(numbers) + 1, 4))
    for number, (j, p, _) in zip(numbers, rows):
        sums_C4[number] += (j, 1, 0.0 if p is None else j - p, p is not None)
    own, bias = mean([j for j, _, _ in rows]), mean(differences)
    interval = _interval(sums_C4, resamples, seed)
    return AnchoredWasm(own - bias, interval, own, bias, len(differences), len(rows))


def _interval(sums_C4: Any, resamples: int, seed: int) -> Interval:
    import numpy as np  # late: heavy

    if len(sums_C4) < 2:
        return Interval(None, None, "one cluster only")
    totals = sum_resamples(sums_C4, resamples, seed)
    totals = totals[totals[:, 3] > 0]
    values = totals[:, 0] / totals[:, 1] - totals[:, 2] / totals[:, 3]
    low, high = np.percentile(values, [2.5, 97.5])
    return Interval(float(low), float(high))
