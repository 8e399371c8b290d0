"""How many ratings by people an interval of a wished half-width takes, from those that there are.

The variance of a prediction-powered mean is what the judge leaves open, over the rated answers, and what it explains,
over all of them. Both are taken from the ratings there are, made-up ones included; the half-width that these have fixes
the scale, and with it what studies and images add. Below the fewest ratings that have an interval the judge is taken to
be of no use, which gives too many rather than too few. Pure; numpy inside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable

from ..errors import ConfigError
from .intervals import Interval
from .judged_and_rated import FEWEST, Paired
from .reweighting import Corners, expansion, made_up_sums, rated_per_cluster


@dataclass(frozen=True)
class RatingsNeeded:
    """For one figure."""

    rated: int
    """Answers that are rated."""
    n: int
    """Answers that can be rated."""
    now: float | None
    """Half-width that the ratings have; None below the fewest that have an interval."""
    needed: int | None
    """Answers to be rated in all; None: even all of them do not give it."""
    without_judge: int | None
    """The same from people's ratings alone."""
    of_these: int
    """Answers to be rated to know that well what people say of these very answers, not of such questions at all."""
    if_all: float
    """Half-width if all are rated: that of the test set itself."""
    is_bound: bool
    """The judge was taken to be of no use, since too few are rated."""


@dataclass(frozen=True)
class _Spread:
    """Variances in squares of the scale, and what turns the root of one into a half-width."""

    people: float
    left_open: float
    """By the judge."""
    factor: float
    n: int
    per_cluster: float

    def half_width(self, rated: int) -> float:
        explained = self.people - self.left_open
        return self._of(rated, self.left_open / rated + explained / self.n)

    def without_judge(self, rated: int) -> float:
        return self._of(rated, self.people / rated)

    def of_these(self, rated: int) -> float:
        return self._of(rated, self.left_open * (1 / rated - 1 / self.n))

    def _of(self, rated: int, variance: float) -> float:
        clusters = max(3, round(rated / self.per_cluster))
        return self.factor * expansion(clusters) * math.sqrt(variance)


def ratings_needed(
    answers: Paired,
    half_width: float,
    interval: Interval,
    weight: float,
    corners: Corners,
) -> RatingsNeeded:
    """How many answers people have to rate.

    Args:
        answers: verdicts and ratings, or their differences.
        half_width: wished, as a share of the scale.
        interval: what these ratings have, as shares of the scale; without ends where they are too few.
        weight: of the made-up ratings, as ``corrected`` has it for such figures.
        corners: their places.

    Raises:
        ConfigError: no such half-width.
    """
    if not 0 < half_width < 1:
        raise ConfigError("a half-width is more than 0 and less than the whole scale: 0.02 is two points of accuracy")
    now = None if interval.low is None or interval.high is None else (interval.high - interval.low) / 2
    spread = _spread_of(answers, now, weight, corners)
    n = spread.n
    return RatingsNeeded(
        rated=int(answers.rated.sum()),
        n=n,
        now=now,
        needed=_least(spread.half_width, n, half_width),
        without_judge=_least(spread.without_judge, n, half_width),
        of_these=_least(spread.of_these, n, half_width) or n,
        if_all=spread.half_width(n),
        is_bound=now is None,
    )


def _spread_of(answers: Paired, now: float | None, weight: float, corners: Corners) -> _Spread:
    import numpy as np  # late: heavy

    n = len(answers.judge)
    if now is None:  # the judge's own spread stands for people's, and it explains nothing of it
        variance = float(answers.judge.var()) if n else 0.0
        return _Spread(max(variance, 1 / (n + 4)), max(variance, 1 / (n + 4)), answers.share, n, 1.0)
    rated, sums = answers.rated, answers.sums()
    people, judge, size = answers.people[rated], answers.judge[rated], rated_per_cluster(sums)
    count, p, j, pj, jj = sums[:, :5].sum(0) + weight * made_up_sums(corners, size).sum(0)
    squares = float((people**2).sum() + weight * size * sum(corner[0] ** 2 for corner in corners))
    of_people, of_judge = squares / count - (p / count) ** 2, jj / count - (j / count) ** 2
    covariance = pj / count - p * j / count**2
    left_open = of_people - covariance**2 / of_judge if of_judge > 0 else of_people
    spread = _Spread(float(of_people), float(np.clip(left_open, 0, of_people)), 1.0, n, len(judge) / answers.clusters)
    return _Spread(spread.people, spread.left_open, now / spread.half_width(len(judge)), n, spread.per_cluster)


def _least(of_rated: Callable[[int], float], n: int, half_width: float) -> int | None:
    low, high = min(FEWEST, n), n
    if of_rated(high) > half_width:
        return None
    while low < high:
        middle = (low + high) // 2
        if of_rated(middle) <= half_width:
            high = middle
        else:
            low = middle + 1
    return low
