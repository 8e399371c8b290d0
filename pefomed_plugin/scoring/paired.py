"""Is one run better than another on the same samples? Paired differences, clustered by what rows share; of several
comparisons; and which differences could have been seen.

Two answers side by side: a bootstrap interval of the mean difference (clusters drawn with replacement), and a sign-flip
permutation test of it (the two runs exchanged in whole clusters). Plain numbers; what they stand for is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ..errors import DataError
from .intervals import Interval, cluster_interval, number_clusters
from .pairing import mean
from .student import detectable, t_power

METHOD = "mean of paired differences; 95 % percentile bootstrap and two-sided sign-flip permutation, by cluster"
_MORE = 2
"""Clusters that must be expected on one side beyond those that the test needs, to have them in 80 of 100 test sets."""
_CELLS_AT_ONCE = 2_000_000
"""Bounds the memory of one block of permutations to about 20 MB."""


@dataclass(frozen=True)
class Difference:
    """What a run gained over another one."""

    value: float
    """Mean of run minus other, in the unit of the scores; above 0: the run's are higher."""
    interval: Interval
    """95 % bootstrap interval of ``value``."""
    p_value: float
    """Share of sign flips whose mean is at least as far from 0; never 0, at least 1 / (permutations + 1)."""
    n: int
    """Samples that both runs answered and that have both scores."""
    clusters: int
    """Of which so many are independent."""
    error: float | None = None
    """Standard error of ``value``, robust to clusters; None for a single one."""

    def least_seen(self, level: float = 0.95, power: float = 0.8, step: float = 0.0) -> float | None:
        """The least true difference that a test at ``level`` sees with a chance of ``power``; None for one cluster.

        That of the t test, which the permutation test comes close to. Where hardly a sample differs that is too little:
        the test needs so many clusters on one side, each of which moves the mean by ``step / n``.

        Args:
            step: the smallest change of one sample's score, in the unit of ``value``; 0: any.
        """
        if self.error is None:
            return None
        on_one_side = math.ceil(1 - math.log2(1 - level))
        floor = (on_one_side + _MORE) * step / self.n
        return max(floor, self.error * detectable(self.clusters - 1, power, level))

    def power(self, difference: float, level: float = 0.95) -> float | None:
        """The chance of a t test at ``level`` to see a true difference, 0 to 1; None where no sample differs."""
        if not self.error:
            return None
        return t_power(difference / self.error, self.clusters - 1, level)


def paired_difference(
    values: Sequence[float],
    others: Sequence[float],
    clusters: Sequence[Hashable],
    permutations: int = 10_000,
) -> Difference:
    """Difference of two runs over the same samples.

    Args:
        values: the run's scores, one per sample.
        others: the other run's, in the same order.
        clusters: what samples share when they are not independent, such as the image.
        permutations: random sign flips, the same for the same input.

    Raises:
        DataError: no samples, or lists of different length.
    """
    if not values or len(values) != len(others):
        raise DataError(f"a paired difference needs the same samples twice; got {len(values)} and {len(others)}")
    differences = [value - other for value, other in zip(values, others)]
    interval = cluster_interval(differences, clusters)
    p_value = _sign_flip(differences, clusters, permutations)
    error = standard_error(differences, clusters)
    return Difference(mean(differences), interval, p_value, len(values), len(set(clusters)), error)


def standard_error(values: Sequence[float], clusters: Sequence[Hashable]) -> float | None:
    """Of the mean of values that come in clusters; None for a single cluster."""
    import numpy as np  # late: heavy

    numbers, given = np.array(number_clusters(clusters)), np.asarray(values, dtype=float)
    count = int(numbers.max()) + 1
    if count < 2:
        return None
    residuals = np.bincount(numbers, weights=given - given.mean())
    return float(np.sqrt(count / (count - 1) * (residuals**2).sum()) / len(given))


def least_p(clusters: int) -> float:
    """The least p that a sign-flip test of so many clusters can give: all of them on one side."""
    return min(1.0, 2.0 ** (1 - clusters))


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """p of several comparisons such that the chance of any false one stays at its level (Holm, Scand J Stat 6, 1979).

    They are in the order of ``p_values``; the procedure needs no independence.
    """
    adjusted, greatest = [0.0] * len(p_values), 0.0
    for place, number in enumerate(sorted(range(len(p_values)), key=lambda number: p_values[number])):
        greatest = max(greatest, min(1.0, (len(p_values) - place) * p_values[number]))
        adjusted[number] = greatest
    return adjusted


def _sign_flip(differences: Sequence[float], clusters: Sequence[Hashable], permutations: int) -> float:
    import numpy as np  # late: heavy

    sums = np.bincount(number_clusters(clusters), weights=np.asarray(differences, dtype=float))
    sums = sums[np.abs(sums) > 1e-12]  # flipping nothing changes nothing
    if not len(sums):
        return 1.0
    observed = abs(sums.sum()) - 1e-9
    generator = np.random.default_rng(0)
    block = max(1, _CELLS_AT_ONCE // len(sums))
    as_far = 0
    for start in range(0, permutations, block):
        signs = generator.integers(2, size=(min(block, permutations - start), len(sums)), dtype=np.int8) * 2 - 1
        as_far += int((np.abs(signs @ sums) >= observed).sum())
    return (as_far + 1) / (permutations + 1)
