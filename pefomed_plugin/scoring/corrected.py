"""What people would say of all answers, from a judge's verdicts on all and people's ratings of some: with intervals.

Two ways to take the judge's errors off its mean. *Prediction-powered* (``prediction_powered``) needs ratings of answers
drawn at random. *Rogan-Gladen* (Am J Epidemiol 107, 1978) needs only that the judge's sensitivity and specificity among
the rated hold for all; its intervals are wider. Intervals are those of ``reweighting``; below 20 ratings, or
ratings of 15 studies or images, there are none, and no estimate. Pure; numpy inside.

Legend of array shapes: C clusters, R draws, K sums.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .intervals import Interval
from .judged_and_rated import JudgedAndRated, Paired, pair_difference, pair_up
from .reweighting import (
    CORNERS,
    CORNERS_OF_DIFFERENCES,
    SUMS,
    Corners,
    draw_sums,
    expanded_interval,
    regress,
)

ESTIMATES = ("prediction_powered", "rogan_gladen", "sensitivity", "specificity")
"""What is estimated of right and wrong, as fields of ``Corrected``; of levels the first."""
MEAN, APART = (CORNERS, 0.5, 0.05), (CORNERS_OF_DIFFERENCES, 0.25, 0.1)
"""Made-up ratings of a mean and of a difference: their corners, and what one weighs for right and wrong, for levels.
One half is Jeffreys' prior of a proportion; the others were chosen by tests/conformance/test_coverage.py."""


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
    """Answers that the judge has a verdict on, or that are missing; of a difference, of both models."""
    rated: int
    """Of them rated by people."""
    clusters: int
    """Studies or images that the rated ones are of."""
    unjudged: int
    """Answers left out because the judge has no verdict on them."""
    missing: int
    """Of ``n`` those that were not given: they have the worst rating for certain, and are no ratings of people."""
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


def made_up_ratings(of: tuple[Corners, float, float], is_binary: bool) -> tuple[float, Corners]:
    """Weight and corners of the made-up ratings, of ``MEAN`` or ``APART``."""
    corners, of_binary, of_levels = of
    return of_binary if is_binary else of_levels, corners


def correct_mean(
    answers: JudgedAndRated, clusters: Sequence[Hashable], lowest: float = 0.0, highest: float = 1.0
) -> Corrected:
    """Corrected mean of one model's answers.

    Args:
        clusters: the patient, study or image of every answer.
        lowest: the worst rating; 0 and 1 are taken for wrong and right.
        highest: the best.

    Raises:
        DataError: lists of different length, or values outside the scale.
    """
    is_binary, width = (lowest, highest) == (0.0, 1.0), highest - lowest
    found = pair_up(answers, clusters, lowest, highest)
    own, by_people = (None if share is None else lowest + width * share for share in found.own)
    if found.too_few:
        none = _no_estimate(found.too_few)
        none_of: dict[str, Any] = dict.fromkeys(ESTIMATES if is_binary else ESTIMATES[:1], none)
        return Corrected(**found.counts, judge=own, people=by_people, weight=None, **none_of)
    share, weight = found.predict()
    value, sums_CK = min(max(share, 0.0), 1.0), found.sums()
    drawn, made_up = draw_sums(sums_CK, *made_up_ratings(MEAN, is_binary))
    means = regress(drawn[:, :5] + made_up, drawn[:, 5:])
    powered = _scaled(Estimate(value, expanded_interval(means, value, found.clusters)), width * found.share, lowest)
    rates: dict[str, Any] = {}
    if is_binary:
        by_rates = _by_rates(sums_CK, drawn, made_up, found.clusters)
        rates = {"rogan_gladen": _scaled(by_rates.gladen, found.share), **by_rates.rates}
    return Corrected(**found.counts, judge=own, people=by_people, weight=weight, prediction_powered=powered, **rates)


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
    is_binary, width = (lowest, highest) == (0.0, 1.0), highest - lowest
    apart, models = pair_difference(one, other, clusters, lowest, highest)
    own, by_people = (None if share is None else width * share for share in apart.own)
    if apart.too_few:
        none = _no_estimate(apart.too_few + ", of both models' answers to the same questions")
        none_of: dict[str, Any] = dict.fromkeys(ESTIMATES[: 2 if is_binary else 1], none)
        return Corrected(**apart.counts, judge=own, people=by_people, weight=None, **none_of)
    value, weight = apart.predict()
    drawn, made_up = draw_sums(apart.sums(), *made_up_ratings(APART, is_binary))
    means = regress(drawn[:, :5] + made_up, drawn[:, 5:])
    powered = Estimate(value, expanded_interval(means, value, apart.clusters))
    figures = {"prediction_powered": powered, **({"rogan_gladen": _gladen_apart(*models)} if is_binary else {})}
    scaled: dict[str, Any] = {name: _scaled(figure, width * apart.share) for name, figure in figures.items()}
    return Corrected(**apart.counts, judge=own, people=by_people, weight=weight, **scaled)


def _gladen_apart(one: Paired, other: Paired) -> Estimate:
    """The difference of two Rogan-Gladen figures over the same answers."""
    import numpy as np  # late: heavy

    sums = [one.sums(), other.sums()]
    drawn, *made_up = draw_sums(np.concatenate(sums, axis=1), *made_up_ratings(MEAN, True), models=2)
    first, second = (
        _by_rates(sums[k], drawn[:, SUMS * k : SUMS * (k + 1)], made_up[k], one.clusters, no_better=k) for k in (0, 1)
    )
    if first.gladen.value is None or second.gladen.value is None:
        return first.gladen if first.gladen.value is None else second.gladen
    value = first.gladen.value - second.gladen.value
    return Estimate(value, expanded_interval(first.drawn_R - second.drawn_R, value, one.clusters))


@dataclass(frozen=True)
class _ByRates:
    """What follows from the judge's sensitivity and specificity."""

    gladen: Estimate
    rates: Mapping[str, Estimate]
    """``sensitivity`` and ``specificity``."""
    drawn_R: Any
    """Draws of ``gladen``."""


def _by_rates(sums_CK: Any, drawn_RK: Any, made_up_RK: Any, clusters: int, no_better: int = 0) -> _ByRates:
    """``no_better``: 0 or 1, which draws of a judge that is no better than chance are 0 and which 1."""
    import numpy as np  # late: heavy

    n, right, called, both = sums_CK.sum(0)[:4]
    share = sums_CK[:, 6].sum() / sums_CK[:, 5].sum()
    rated_RK = drawn_RK[:, :5] + made_up_RK
    sensitivity_R = rated_RK[:, 3] / rated_RK[:, 1]
    specificity_R = 1 - (rated_RK[:, 2] - rated_RK[:, 3]) / (rated_RK[:, 0] - rated_RK[:, 1])
    gain_R = sensitivity_R + specificity_R - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        drawn_R = np.clip((drawn_RK[:, 6] / drawn_RK[:, 5] + specificity_R - 1) / gain_R, 0, 1)
    # A judge no better than chance says nothing: then anything from 0 to 1 is as likely.
    drawn_R = np.where(gain_R > 0, drawn_R, (np.arange(len(gain_R)) + no_better) % 2)
    sensitivity = both / right if right > 0 else None
    specificity = 1 - (called - both) / (n - right) if n - right > 0 else None
    rates = [
        _no_estimate(f"people called none of the rated answers {what}")
        if value is None
        else Estimate(float(value), expanded_interval(drawn, float(value), clusters))
        for value, drawn, what in ((sensitivity, sensitivity_R, "right"), (specificity, specificity_R, "wrong"))
    ]
    if sensitivity is None or specificity is None:
        gladen = next(rate for rate in rates if rate.value is None)
    elif sensitivity + specificity <= 1:
        gladen = _no_estimate("among the rated the judge tells right from wrong no better than chance")
    else:
        value = float(min(max((share + specificity - 1) / (sensitivity + specificity - 1), 0.0), 1.0))
        gladen = Estimate(value, expanded_interval(drawn_R, value, clusters))
    return _ByRates(gladen, {"sensitivity": rates[0], "specificity": rates[1]}, drawn_R)


def _no_estimate(reason: str) -> Estimate:
    return Estimate(None, Interval(None, None, reason), reason)


def _scaled(estimate: Estimate, width: float, lowest: float = 0.0) -> Estimate:
    if estimate.value is None or estimate.interval.low is None or estimate.interval.high is None:
        return estimate
    low, value, high = (lowest + width * x for x in (estimate.interval.low, estimate.value, estimate.interval.high))
    return Estimate(value, Interval(low, high))
