"""Bootstrap intervals for the mean of scores that come in clusters (several questions about one image).

Works on plain numbers; the caller knows what a value or a cluster stands for. The interval of a paired
difference is the interval of the differences.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..errors import DataError

_CELLS_AT_ONCE = 2_000_000
"""Bounds the memory of one block of resamples to about 50 MB."""
_FLOATS_AT_ONCE = 500_000
"""Draws that are floats at a time: 4 MB."""
_KEPT_CELLS = 128_000_000
"""Bounds the memory of draws that are kept, a byte each: 1,000 resamples of 128,000 clusters."""


@dataclass(frozen=True)
class Interval:
    """Where the mean would fall in 95 of 100 samples of as many clusters."""

    low: float | None
    """Lower end, in the unit of the values; None when undefined."""
    high: float | None
    """Upper end; None when undefined."""
    reason: str | None = None
    """Why there is no interval."""


def number_clusters(clusters: Sequence[Hashable]) -> list[int]:
    """The number of each row's cluster, in the order of their first rows."""
    numbers = {cluster: number for number, cluster in enumerate(dict.fromkeys(clusters))}
    return [numbers[cluster] for cluster in clusters]


def sum_resamples(values_CK: Any, resamples: int, seed: int) -> Any:
    """Sums of rows over each resample, which draws as many clusters with replacement.

    Args:
        values_CK: K numbers for each of C clusters.

    Returns:
        (resamples, K). The same number of clusters and seed are the same resamples.
    """
    import numpy as np  # late: heavy

    clusters, sums = len(values_CK), []
    for drawn_RC in _draw_clusters(clusters, resamples, seed):
        width = max(1, _FLOATS_AT_ONCE // len(drawn_RC))
        buffer, total = np.empty((len(drawn_RC), min(width, clusters))), 0
        for start in range(0, clusters, width):
            part = buffer[:, : clusters - start]
            np.copyto(part, drawn_RC[:, start : start + width])
            total = total + part @ values_CK[start : start + width]
        sums.append(total)
    return np.concatenate(sums)


def _draw_clusters(clusters: int, resamples: int, seed: int) -> Iterable[Any]:
    """How often each cluster is in each resample, (some resamples, clusters) at a time, drawn once where they fit."""
    if clusters * resamples <= _KEPT_CELLS:
        return [_kept_draws(clusters, resamples, seed)]
    return _draw_blocks(clusters, resamples, seed)


@lru_cache(maxsize=1)  # dozens of pairs of raters are over the same clusters
def _kept_draws(clusters: int, resamples: int, seed: int) -> Any:
    import numpy as np  # late: heavy

    return np.concatenate(list(_draw_blocks(clusters, resamples, seed)))


def _draw_blocks(clusters: int, resamples: int, seed: int) -> Iterator[Any]:
    import numpy as np  # late: heavy

    generator = np.random.default_rng(seed)
    block = max(1, _CELLS_AT_ONCE // clusters)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=size)
        yield drawn.astype(np.min_scalar_type(drawn.max()))


def cluster_interval(
    values: Sequence[float], clusters: Sequence[Hashable], resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Percentile bootstrap of the mean, drawing whole clusters with replacement.

    Args:
        values: one number per row.
        clusters: what rows share when they are not independent, such as the image; one per row.
        resamples: how many samples are drawn.
        seed: the same seed, values and clusters give the same interval.
        level: the share of resampled means that the interval covers.

    Returns:
        The interval, or None for both ends with the reason: fewer than two clusters, or clusters of one mean, of which
        every resample has the same (an interval of no width would claim certainty).

    Raises:
        DataError: no values, not one cluster per value, or a value that is not finite.
    """
    if not values or len(values) != len(clusters):
        raise DataError(
            f"an interval needs one cluster for each of at least one value; got {len(values)} values, {len(clusters)} "
            "clusters"
        )
    if not all(math.isfinite(value) for value in values):
        raise DataError("an interval needs finite values; leave out what was not scored")
    import numpy as np  # late: heavy

    of_row = np.array(number_clusters(clusters))
    if not of_row.any():
        return Interval(None, None, "one cluster only")
    sums = np.bincount(of_row, weights=np.asarray(values, dtype=float))
    sizes = np.bincount(of_row).astype(float)
    if np.allclose(sums / sizes, sums[0] / sizes[0], rtol=0, atol=1e-12):
        return Interval(None, None, f"all {len(sums)} clusters have the same mean")

    generator = np.random.default_rng(seed)
    block = max(1, _CELLS_AT_ONCE // len(sums))
    means = []
    for start in range(0, resamples, block):
        drawn = generator.integers(len(sums), size=(min(block, resamples - start), len(sums)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    tail = 50 * (1 - level)
    low, high = np.percentile(np.concatenate(means), [tail, 100 - tail])
    return Interval(float(low), float(high))
