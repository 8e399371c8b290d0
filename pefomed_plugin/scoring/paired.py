"""Is one run better than another on the same samples? Paired differences, clustered by what rows share.

Two answers side by side: a bootstrap interval of the mean difference (clusters drawn with replacement), and a sign-flip
permutation test of it (the two runs exchanged in whole clusters). Plain numbers; what they stand for is the caller's.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ..errors import DataError
from .intervals import Interval, cluster_interval, number_clusters
from .pairing import mean

METHOD = "mean of paired differences; 95 % percentile bootstrap and two-sided sign-flip permutation, by cluster"
_CELLS_AT_ONCE = 2_000_000
"""Bounds the memory of one block of permutations to about 20 MB."""


@dataclass(frozen=True)
class Difference:
    """What a run gained over another one."""

    value: float
    """Mean of run minus other, in the unit of the scores; above 0: the run is better."""
    interval: Interval
    """95 % bootstrap interval of ``value``."""
    p_value: float
    """Share of sign flips whose mean is at least as far from 0; never 0, at least 1 / (permutations + 1)."""
    n: int
    """Samples that both runs answered and that have both scores."""
    clusters: int
    """Of which so many are independent."""


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
    return Difference(mean(differences), interval, p_value, len(values), len(set(clusters)))


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
