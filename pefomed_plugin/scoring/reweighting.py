"""Draws of what judge and people would say together, and the intervals that come of them: a Bayesian bootstrap.

Every patient, study or image gets a random weight, an exponential one (Rubin, Ann Stat 9, 1981), and so do a few
made-up ratings, one kind in each corner of judge x people: without them twenty ratings with no error would claim
certainty.
For right and wrong they weigh one half each, so that the draws are Jeffreys' posterior of a proportion. Percentiles are
taken further out for few studies or images, as Student's t would have it (Hesterberg, Am Stat 69, 2015, "expanded
percentile"). How often the intervals hold is shown by tests/conformance/test_coverage.py. Pure; numpy inside.

Legend of array shapes: C clusters, R draws, K sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

from .intervals import Interval
from .student import t_quantile

DRAWS = 4000
_OWN = 0.25
"""Share of the made-up ratings that each of two models has for itself: with all in common differences are too sure."""
SUMS = 7
Corners = Sequence[tuple[float, float]]
CORNERS: Corners = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
"""People and judge at the made-up ratings of a mean, as shares of the scale."""
CORNERS_OF_DIFFERENCES: Corners = ((-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0))
_CELLS_AT_ONCE = 2_000_000


def sum_clusters(judge: Any, people: Any, numbers: Any) -> Any:
    """(C, 7): of the rated the count and the sums of p, j, pj, jj; of all the count and the sum of j.

    Args:
        judge: (n,) verdicts.
        people: (n,) ratings, NaN where there is none.
        numbers: (n,) number of each one's cluster.
    """
    import numpy as np  # late: heavy

    rated = ~np.isnan(people)
    given = np.where(rated, people, 0.0)
    columns = [rated, given, rated * judge, given * judge, rated * judge**2, np.ones(len(judge)), judge]
    count = int(numbers.max(initial=-1)) + 1
    return np.stack([np.bincount(numbers, weights=column, minlength=count) for column in columns], axis=1)


def made_up_sums(corners: Corners, size: float) -> Any:
    """(corners, 5): the first five sums of a made-up rating in each corner, as many answers as ``size``."""
    import numpy as np  # late: heavy

    people, judge = np.array(corners).T
    return np.stack([np.ones(len(corners)), people, judge, people * judge, judge**2], axis=1) * size


def draw_sums(sums_CK: Any, weight: float, corners: Corners, models: int = 1) -> list[Any]:
    """Weighted sums of each draw (R, K), and for each model those of the made-up ratings (R, 5).

    Made-up ratings come in clusters as large as the rated ones. Clusters with the same sums share a gamma weight, which
    is distributed as the sum of their exponential ones.
    """
    import numpy as np  # late: heavy

    generator = np.random.default_rng(0)
    ordered = sums_CK[np.lexsort(sums_CK.T)]
    starts = np.flatnonzero(np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)]))
    kinds, times = ordered[starts], np.diff(np.append(starts, len(ordered)))
    block = max(1, _CELLS_AT_ONCE // len(kinds))
    drawn = [
        generator.standard_gamma(times.astype(float), size=(min(block, DRAWS - start), len(kinds))) @ kinds
        for start in range(0, DRAWS, block)
    ]
    cells = made_up_sums(corners, rated_per_cluster(sums_CK))
    own = weight if models == 1 else _OWN * weight
    made_up = [generator.standard_gamma(own, size=(DRAWS, len(corners))) for _ in range(models)]
    shared = generator.standard_gamma(weight - own, size=(DRAWS, len(corners))) if models > 1 else 0.0
    return [np.concatenate(drawn), *((weights + shared) @ cells for weights in made_up)]


def rated_per_cluster(sums_CK: Any) -> float:
    """Rated answers of a patient, study or image that has some."""
    counts = sums_CK[:, 0]
    return float(counts.sum() / max(1, (counts > 0).sum()))


def regress(rated_RK: Any, all_RK: Any) -> Any:
    """Mean of people over all: that over the rated, moved along the regression on the judge. Of right and wrong it is
    the mean within what the judge calls right and wrong, weighted by how often it does.

    Args:
        rated_RK: (R, 5) count and sums of p, j, pj, jj of the rated.
        all_RK: (R, 2) count and sum of j of all.
    """
    import numpy as np  # late: heavy

    n, p, j, pj, jj = rated_RK.T
    variance, covariance = jj / n - (j / n) ** 2, pj / n - p * j / n**2
    slope = np.divide(covariance, variance, out=np.zeros_like(variance), where=variance > 1e-12)
    return p / n + slope * (all_RK[:, 1] / all_RK[:, 0] - j / n)


def expanded_interval(drawn_R: Any, value: float, clusters: int) -> Interval:
    """95 % of the draws, further out the fewer studies or images the ratings are of; it holds ``value``."""
    import numpy as np  # late: heavy

    tail = 100 * NormalDist().cdf(-expansion(clusters))
    low, high = np.percentile(drawn_R, [tail, 100 - tail])
    return Interval(min(float(low), value), max(float(high), value))


def expansion(clusters: int) -> float:
    """How many standard errors the ends of a 95 % interval lie apart from its middle, by studies or images."""
    freedom = max(1, clusters - 2)
    return t_quantile(0.975, freedom) * math.sqrt(clusters / freedom)
