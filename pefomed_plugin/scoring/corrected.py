"""What people would say of all answers, from a judge's verdicts on all and people's ratings of some: with intervals.

Two ways to take the judge's errors off its mean. *Prediction-powered* (``prediction_powered``) needs ratings of answers
drawn at random. *Rogan-Gladen* (Am J Epidemiol 107, 1978) needs only that the judge's sensitivity and specificity among
the rated hold for all; its intervals are wider.

Intervals are 2.5 and 97.5 % quantiles of a Bayesian bootstrap (Rubin, Ann Stat 9, 1981): every study or image gets a
random weight, an exponential one, and so do a few made-up ratings, one kind in each corner of judge x people. Without
them twenty ratings with no error would claim certainty. For right and wrong they weigh one half each, and the draws are
Jeffreys' posterior of a proportion; the other weights were chosen by simulation (tests/conformance/test_coverage.py
shows the coverage). Pure; numpy inside.

Legend of array shapes: C clusters, R draws, K sums.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import DataError
from .agreement import Values
from .intervals import Interval, number_clusters
from .prediction_powered import predict_mean

FEWEST, FEWEST_CLUSTERS = 20, 15
"""Ratings, and studies or images that they are of, below which nothing is estimated: no coverage was shown there."""
DRAWS = 4000
_RIGHT_OR_WRONG, _LEVELS = 0.5, 0.1
"""Weight of the made-up ratings in each corner."""
_OF_DIFFERENCES = {_RIGHT_OR_WRONG: 0.15, _LEVELS: 0.05}
_CELLS_AT_ONCE = 2_000_000
_SUMS = 7


@dataclass(frozen=True)
class Estimate:
    """One figure, or why there is none."""

    value: float | None
    """In the unit of the ratings."""
    interval: Interval
    """95 %."""
    reason: str | None = None
    """Why there is no value."""


@dataclass(frozen=True)
class Corrected:
    """A mean, or a difference of two, as judge and people give it."""

    n: int
    """Answers that the judge has a verdict on; of a difference, on both models' answers."""
    rated: int
    """Of them rated by people."""
    clusters: int
    """Studies or images that the rated ones are of."""
    judge: float | None
    """The judge's own figure over all."""
    people: float | None
    """People's over what they rated."""
    weight: float | None
    """Of the judge in the prediction-powered figure, 0 to 1."""
    prediction_powered: Estimate
    """Corrected, from ratings of a random part."""
    rogan_gladen: Estimate | None = None
    """Corrected by sensitivity and specificity; None for levels."""
    sensitivity: Estimate | None = None
    """How much of what people call right the judge calls right; None for levels and differences."""
    specificity: Estimate | None = None
    """The same of wrong."""


@dataclass(frozen=True)
class JudgedAndRated:
    """One model's answers: the judge's verdicts, people's ratings, None where there is none; one each an answer."""

    judge: Values
    """A mean over runs need not be a level."""
    people: Values
    """A mean over raters neither."""


def correct_mean(
    answers: JudgedAndRated, clusters: Sequence[Hashable], lowest: float = 0.0, highest: float = 1.0
) -> Corrected:
    """Corrected mean of one model's answers.

    Args:
        clusters: the study or image of every answer.
        lowest: the worst rating; 0 and 1 are taken for wrong and right.
        highest: the best.

    Raises:
        DataError: lists of different length, or values outside the scale.
    """
    import numpy as np  # late: heavy

    is_binary, width = (lowest, highest) == (0.0, 1.0), highest - lowest
    judge, people, numbers = _as_arrays(answers, clusters, lowest, highest)
    rated = ~np.isnan(people)
    counts = (len(judge), int(rated.sum()), len(set(numbers[rated].tolist())))
    own, by_people = _mean_or_none(judge), _mean_or_none(people[rated])
    reason = _too_few(counts[1], counts[2])
    if reason:
        none = Estimate(None, Interval(None, None, reason), reason)
        return Corrected(*counts, own, by_people, None, none, *([none] * 3 if is_binary else []))
    powered = predict_mean(people[rated], judge[rated], judge[~rated])
    value = min(max(powered.value, lowest), highest)
    sums = _sums((judge - lowest) / width, (people - lowest) / width, numbers)
    weight = _RIGHT_OR_WRONG if is_binary else _LEVELS
    drawn, made_up = _draw(sums, weight, counts)
    means = lowest + width * _regressed(drawn[:, :5] + made_up[0], drawn[:, 5:])
    estimate = Estimate(value, _interval(means, value))
    if not is_binary:
        return Corrected(*counts, own, by_people, powered.weight, estimate)
    return Corrected(*counts, own, by_people, powered.weight, estimate, *_by_rates(sums, drawn, made_up[0]))


def correct_difference(
    one: JudgedAndRated,
    other: JudgedAndRated,
    clusters: Sequence[Hashable],
    lowest: float = 0.0,
    highest: float = 1.0,
) -> Corrected:
    """What the first model's mean is above the second's, on the same questions, corrected.

    Prediction-powered from the questions where people rated both models' answers; Rogan-Gladen with a sensitivity and a
    specificity for each model.

    Raises:
        DataError: as ``correct_mean``.
    """
    import numpy as np  # late: heavy

    is_binary, width = (lowest, highest) == (0.0, 1.0), highest - lowest
    both = [place for place, pair in enumerate(zip(one.judge, other.judge)) if None not in pair]
    kept = [clusters[place] for place in both]
    (judge, people, numbers), (judge_2, people_2, _) = (
        _as_arrays(_only(answers, both), kept, lowest, highest) for answers in (one, other)
    )
    apart, by_people = judge - judge_2, people - people_2
    rated = ~np.isnan(by_people)
    counts = (len(apart), int(rated.sum()), len(set(numbers[rated].tolist())))
    own = _mean_or_none(apart), _mean_or_none(by_people[rated])
    reason = _too_few(counts[1], counts[2], " of both models")
    if reason:
        none = Estimate(None, Interval(None, None, reason), reason)
        return Corrected(*counts, *own, None, none, none if is_binary else None)
    powered = predict_mean(by_people[rated], apart[rated], apart[~rated])
    weight = _RIGHT_OR_WRONG if is_binary else _LEVELS
    corners = ((-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0))
    drawn, made_up = _draw(_sums(apart / width, by_people / width, numbers), _OF_DIFFERENCES[weight], counts, corners)
    means = width * _regressed(drawn[:, :5] + made_up[0], drawn[:, 5:])
    estimate = Estimate(powered.value, _interval(means, powered.value))
    if not is_binary:
        return Corrected(*counts, *own, powered.weight, estimate)
    sums = [_sums(j, p, numbers) for j, p in ((judge, people), (judge_2, people_2))]
    drawn, made_up = _draw(np.concatenate(sums, axis=1), weight, counts, models=2)
    found = [_by_rates(sums[k], drawn[:, _SUMS * k : _SUMS * (k + 1)], made_up[k], draws=True) for k in (0, 1)]
    first, second = (rates[0] for rates in found)
    if first.value is None or second.value is None:
        gladen = first if first.value is None else second
    else:
        value = first.value - second.value
        gladen = Estimate(value, _interval(found[0][3] - found[1][3], value))
    return Corrected(*counts, *own, powered.weight, estimate, gladen)


def _by_rates(sums_CK: Any, drawn_RK: Any, made_up_RK: Any, draws: bool = False) -> Any:
    """Rogan-Gladen, sensitivity, specificity; with ``draws`` also the draws of the first."""
    import numpy as np  # late: heavy

    n, right, called, both = sums_CK.sum(0)[:4]
    total, share = sums_CK[:, 5].sum(), sums_CK[:, 6].sum() / sums_CK[:, 5].sum()
    rated_RK = drawn_RK[:, :5] + made_up_RK
    sensitivity_R = rated_RK[:, 3] / rated_RK[:, 1]
    specificity_R = 1 - (rated_RK[:, 2] - rated_RK[:, 3]) / (rated_RK[:, 0] - rated_RK[:, 1])
    gain_R = sensitivity_R + specificity_R - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn_R = np.clip((drawn_RK[:, 6] / drawn_RK[:, 5] + specificity_R - 1) / gain_R, 0, 1)
    # A judge no better than chance says nothing: then anything from 0 to 1 is as likely.
    drawn_R = np.where(gain_R > 0, drawn_R, np.arange(len(gain_R)) % 2)
    sensitivity = both / right if right > 0 else None
    specificity = 1 - (called - both) / (n - right) if n - right > 0 else None
    rates = [
        Estimate(None, Interval(None, None, why), why)
        if value is None
        else Estimate(float(value), _interval(drawn, float(value)))
        for value, drawn, why in (
            (sensitivity, sensitivity_R, "people called none of the rated answers right"),
            (specificity, specificity_R, "people called none of the rated answers wrong"),
        )
    ]
    why = rates[0].reason or rates[1].reason or ""
    if sensitivity is not None and specificity is not None and sensitivity + specificity <= 1:
        why = "among the rated the judge tells right from wrong no better than chance"
    if why or sensitivity is None or specificity is None or not total:
        gladen = Estimate(None, Interval(None, None, why), why)
    else:
        value = float(min(max((share + specificity - 1) / (sensitivity + specificity - 1), 0.0), 1.0))
        gladen = Estimate(value, _interval(drawn_R, value))
    return [gladen, *rates, *([drawn_R] if draws else [])]


def _sums(judge: Any, people: Any, numbers: Any) -> Any:
    """(C, 7): of the rated the count and the sums of p, j, pj, jj; of all the count and the sum of j."""
    import numpy as np  # late: heavy

    rated = ~np.isnan(people)
    given = np.where(rated, people, 0.0)
    columns = [rated, given, rated * judge, given * judge, rated * judge**2, np.ones(len(judge)), judge]
    count = int(numbers.max(initial=-1)) + 1
    return np.stack([np.bincount(numbers, weights=column, minlength=count) for column in columns], axis=1)


def _draw(
    sums_CK: Any,
    weight: float,
    counts: tuple[int, int, int],
    corners: Sequence[tuple[float, float]] = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)),
    models: int = 1,
) -> tuple[Any, list[Any]]:
    """Weighted sums of each draw (R, K), and for each model those of the made-up ratings (R, 5), which come in clusters
    as large as those of ``counts`` (answers, rated, clusters of the rated).

    Clusters with the same sums share a gamma weight, which is distributed as the sum of their exponential ones.
    """
    import numpy as np  # late: heavy

    generator = np.random.default_rng(0)
    kinds, times = np.unique(sums_CK, axis=0, return_counts=True)
    block = max(1, _CELLS_AT_ONCE // len(kinds))
    drawn = [
        generator.standard_gamma(times.astype(float), size=(min(block, DRAWS - start), len(kinds))) @ kinds
        for start in range(0, DRAWS, block)
    ]
    people, judge = np.array(corners).T
    cells = np.stack([np.ones(len(corners)), people, judge, people * judge, judge**2], axis=1) * counts[1] / counts[2]
    made_up = [generator.standard_gamma(weight, size=(DRAWS, len(corners))) @ cells for _ in range(models)]
    return np.concatenate(drawn), made_up


def _regressed(rated_RK: Any, all_RK: Any) -> Any:
    """Mean of people over all: that over the rated, moved along the regression on the judge. Of right and wrong it is
    the mean within what the judge calls right and wrong, weighted by how often it does.
    """
    import numpy as np  # late: heavy

    n, p, j, pj, jj = rated_RK.T
    variance, covariance = jj / n - (j / n) ** 2, pj / n - p * j / n**2
    slope = np.divide(covariance, variance, out=np.zeros_like(variance), where=variance > 1e-12)
    return p / n + slope * (all_RK[:, 1] / all_RK[:, 0] - j / n)


def _interval(drawn: Any, value: float) -> Interval:
    import numpy as np  # late: heavy

    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(min(float(low), value), max(float(high), value))


def _too_few(rated: int, clusters: int, of: str = "") -> str | None:
    if rated < FEWEST:
        return f"people rated {rated} answers{of}; a corrected figure needs {FEWEST}, drawn at random"
    if clusters < FEWEST_CLUSTERS:
        return f"people rated answers{of} of {clusters} studies or images; a corrected figure needs {FEWEST_CLUSTERS}"
    return None


def _only(answers: JudgedAndRated, places: Sequence[int]) -> JudgedAndRated:
    return JudgedAndRated([answers.judge[place] for place in places], [answers.people[place] for place in places])


def _as_arrays(answers: JudgedAndRated, clusters: Sequence[Hashable], lowest: float, highest: float) -> tuple:
    """Judge and people (NaN: not rated) of what the judge has a verdict on, and the numbers of their clusters."""
    import numpy as np  # late: heavy

    if not len(answers.judge) == len(answers.people) == len(clusters):
        raise DataError("judge, people and clusters must be of the same answers")
    given = [value for values in (answers.judge, answers.people) for value in values if value is not None]
    if any(not lowest <= value <= highest for value in given):
        raise DataError(f"ratings outside {lowest:g} to {highest:g} cannot be corrected")
    rows = [row for row in zip(answers.judge, answers.people, clusters) if row[0] is not None]
    judge = np.array([row[0] for row in rows], dtype=float)
    people = np.array([np.nan if row[1] is None else row[1] for row in rows], dtype=float)
    return judge, people, np.array(number_clusters([row[2] for row in rows]), dtype=int)


def _mean_or_none(values: Any) -> float | None:
    return float(values.mean()) if len(values) else None
