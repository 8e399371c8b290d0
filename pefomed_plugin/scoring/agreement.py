"""How far two raters agree, and several: kappa, tau-b, Spearman, Krippendorff's alpha, each with a clustered interval.

Every statistic is a function of a table of counts, so that a bootstrap over clusters sums the clusters' tables. What is
undefined (a rater who always says the same) is None with a reason, never 0 or 1. Plain numbers in; numpy inside.

Legend of array shapes: R tables (resamples) of V x V values, C tables of one cluster each.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any, Callable, Optional

from ..errors import DataError
from .intervals import Interval, number_clusters, sum_resamples

Values = Sequence[Optional[float]]
"""One rater's values, in the order of the items; None where the item was not rated."""
RESAMPLES = 1000
_FEW = "fewer than two items have both values"
_UNDEFINED = "undefined: one of the two gives every item the same value"
_ALPHA_UNDEFINED = "undefined: all ratings are the same, or no item was rated twice"


@dataclass(frozen=True)
class Statistic:
    """One statistic."""

    value: float | None
    """-1 to 1; 1 is full agreement, 0 what chance would give. None when undefined."""
    interval: Interval
    """95 % percentile bootstrap over clusters."""
    reason: str | None = None
    """Why there is no value."""


@dataclass(frozen=True)
class PairAgreement:
    """Two raters over the items that both rated."""

    n: int
    """Items with both values."""
    table: tuple[tuple[int, ...], ...]
    """Items by the first rater's value (rows) and the second's (columns), in the order of the scale."""
    figures: dict[str, Statistic]
    """By the names of ``STATISTICS``."""


def kappa(tables_RVV: Any, power: int | None) -> Any:
    """Cohen's kappa: plain (``power`` None), linear (1) or quadratic (2) weights; weights by place on the scale."""
    import numpy as np  # late: heavy

    places = np.arange(tables_RVV.shape[-1])
    apart = np.abs(places[:, None] - places[None, :])
    weights_VV = (apart > 0).astype(float) if power is None else apart.astype(float) ** power
    rows_RV, columns_RV = tables_RVV.sum(-1), tables_RVV.sum(-2)
    observed = (weights_VV * tables_RVV).sum((-1, -2))
    expected = (weights_VV * rows_RV[..., :, None] * columns_RV[..., None, :]).sum((-1, -2))
    return 1 - _divide(observed * rows_RV.sum(-1), expected)


def kendall_tau_b(tables_RVV: Any) -> Any:
    """Kendall's tau-b from counts."""
    import numpy as np  # late: heavy

    above = np.cumsum(np.cumsum(tables_RVV[..., ::-1, ::-1], -1), -2)[..., ::-1, ::-1]
    below = np.cumsum(np.cumsum(tables_RVV[..., ::-1, :], -1), -2)[..., ::-1, :]
    concordant = (tables_RVV[..., :-1, :-1] * above[..., 1:, 1:]).sum((-1, -2))
    discordant = (tables_RVV[..., :-1, 1:] * below[..., 1:, :-1]).sum((-1, -2))
    totals = tables_RVV.sum((-1, -2))
    pairs = totals * (totals - 1) / 2
    untied = [pairs - (margin * (margin - 1) / 2).sum(-1) for margin in (tables_RVV.sum(-1), tables_RVV.sum(-2))]
    return _divide(concordant - discordant, np.sqrt(untied[0] * untied[1]))


def spearman_rho(tables_RVV: Any) -> Any:
    """Spearman's rank correlation from counts, ties at their mean rank."""
    import numpy as np  # late: heavy

    rows_RV, columns_RV = tables_RVV.sum(-1), tables_RVV.sum(-2)
    middle = (tables_RVV.sum((-1, -2))[..., None] + 1) / 2
    x_RV, y_RV = (np.cumsum(margin, -1) - (margin - 1) / 2 - middle for margin in (rows_RV, columns_RV))
    covariance = (tables_RVV * x_RV[..., :, None] * y_RV[..., None, :]).sum((-1, -2))
    return _divide(covariance, np.sqrt((rows_RV * x_RV**2).sum(-1) * (columns_RV * y_RV**2).sum(-1)))


def ordinal_alpha(coincidences_RVV: Any) -> Any:
    """Krippendorff's alpha with the ordinal metric, from coincidence tables."""
    import numpy as np  # late: heavy

    n_RV = coincidences_RVV.sum(-1)
    upto = np.cumsum(n_RV, -1) - n_RV / 2
    distance_RVV = (upto[..., :, None] - upto[..., None, :]) ** 2
    observed = (coincidences_RVV * distance_RVV).sum((-1, -2))
    expected = (n_RV[..., :, None] * n_RV[..., None, :] * distance_RVV).sum((-1, -2))
    return 1 - _divide(observed * (n_RV.sum(-1) - 1), expected)


STATISTICS: dict[str, Callable[[Any], Any]] = {
    "kappa": lambda tables: kappa(tables, None),
    "kappa_linear": lambda tables: kappa(tables, 1),
    "kappa_quadratic": lambda tables: kappa(tables, 2),
    "kendall_tau_b": kendall_tau_b,
    "spearman": spearman_rho,
}
"""Statistics of a pair; on a scale of two values the three kappas are one."""


def agree_pair(
    first: Values,
    second: Values,
    scale: Sequence[float],
    clusters: Sequence[Hashable],
    resamples: int = RESAMPLES,
) -> PairAgreement:
    """All statistics of two raters over the items that both rated.

    Args:
        scale: the values there are, in order; also those that nobody used.
        clusters: what items share when they are not independent, such as the image; one an item.

    Raises:
        DataError: the lengths differ, or a value is not of the scale.
    """
    import numpy as np  # late: heavy

    one, other = (np.array(places) for places in _places([first, second], scale, clusters))
    both = (one >= 0) & (other >= 0)
    numbers = np.array(number_clusters([cluster for cluster, kept in zip(clusters, both.tolist()) if kept]), dtype=int)
    cells, count = len(scale) ** 2, int(numbers.max(initial=-1)) + 1
    flat = (numbers * len(scale) + one[both]) * len(scale) + other[both]
    tables_CVV = np.bincount(flat, minlength=count * cells).astype(float).reshape(count, len(scale), len(scale))
    if len(numbers) < 2:  # one item: chance cannot be told from agreement, whatever a formula gives
        figures = dict.fromkeys(STATISTICS, Statistic(None, Interval(None, None, _FEW), _FEW))
    else:
        drawn_RVV = _resample(tables_CVV, resamples)
        figures = {name: _figure(function, tables_CVV, drawn_RVV, _UNDEFINED) for name, function in STATISTICS.items()}
    table = tuple(tuple(int(count) for count in row) for row in tables_CVV.sum(0))
    return PairAgreement(len(numbers), table, figures)


def krippendorff_alpha(
    raters: Sequence[Values],
    scale: Sequence[float],
    clusters: Sequence[Hashable],
    resamples: int = RESAMPLES,
) -> Statistic:
    """Ordinal alpha of any number of raters, ratings may be missing; on two values it equals the nominal alpha.

    Raises:
        DataError: the lengths differ, or a value is not of the scale.
    """
    import numpy as np  # late: heavy

    places = _places(raters, scale, clusters)
    numbers = number_clusters(clusters)
    tables_CVV = np.zeros((max(numbers, default=-1) + 1, len(scale), len(scale)))
    items = [[place for place in item if place >= 0] for item in zip(*places)]
    unit = math.lcm(*{len(given) - 1 for given in items if len(given) > 1})  # counts are whole in it: sums are exact
    for given, number in zip(items, numbers):
        if len(given) > 1:
            counts_V = np.bincount(given, minlength=len(scale)).astype(float)
            pairs_VV = np.outer(counts_V, counts_V) - np.diag(counts_V)
            tables_CVV[number] += pairs_VV * (unit // (len(given) - 1))

    def alpha(tables_RVV: Any) -> Any:
        return ordinal_alpha(tables_RVV / unit)

    return _figure(alpha, tables_CVV, _resample(tables_CVV, resamples), _ALPHA_UNDEFINED)


def majority(runs: Sequence[Values]) -> list[float | None]:
    """One value an item from several runs: the median, the lower one of two; None where no run has a value."""
    found = [[value for value in item if value is not None] for item in zip(*runs)]
    return [median_low(values) if values else None for values in found]


def flip_rates(runs: Sequence[Values]) -> list[float | None]:
    """For each item the share of runs that differ from its most frequent value; None below two scored runs."""
    rates: list[float | None] = []
    for item in zip(*runs):
        values = [value for value in item if value is not None]
        most = max((values.count(value) for value in set(values)), default=0)
        rates.append(1 - most / len(values) if len(values) > 1 else None)
    return rates


def _resample(tables_CVV: Any, resamples: int) -> Any:
    """Tables of resamples that draw as many clusters with replacement."""
    import numpy as np  # late: heavy

    if not len(tables_CVV):
        return np.zeros((0, *tables_CVV.shape[1:]))
    sums = sum_resamples(tables_CVV.reshape(len(tables_CVV), -1), resamples, seed=0)
    return sums.reshape(resamples, *tables_CVV.shape[1:])


def _figure(statistic: Callable[[Any], Any], tables_CVV: Any, drawn_RVV: Any, reason: str) -> Statistic:
    import numpy as np  # late: heavy

    value = float(statistic(tables_CVV.sum(0)[None])[0]) if len(tables_CVV) else np.nan
    if not np.isfinite(value):
        return Statistic(None, Interval(None, None, reason), reason)
    if len(tables_CVV) < 2:
        return Statistic(value, Interval(None, None, "one cluster only"))
    values = statistic(drawn_RVV)
    defined = values[np.isfinite(values)]
    if len(defined) < len(drawn_RVV) / 2:
        return Statistic(value, Interval(None, None, "undefined in most resamples"))
    low, high = np.percentile(defined, [2.5, 97.5])
    if low == high:
        return Statistic(value, Interval(None, None, "the same in every resample"))
    return Statistic(value, Interval(float(low), float(high)))


def _places(raters: Sequence[Values], scale: Sequence[float], clusters: Sequence[Hashable]) -> list[list[int]]:
    """Values as places on the scale, -1 where there is none."""
    where: dict[float | None, int] = {None: -1, **{value: place for place, value in enumerate(scale)}}
    foreign = sorted({str(value) for values in raters for value in values if value not in where})
    if foreign:
        raise DataError(f"ratings outside the scale {', '.join(map(str, scale))}: {', '.join(foreign[:5])}")
    if any(len(values) != len(clusters) for values in raters):
        raise DataError("raters rated different numbers of items; give None where one did not")
    return [[where[value] for value in values] for values in raters]


def _divide(above: Any, below: Any) -> Any:
    import numpy as np  # late: heavy

    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=np.asarray(below) > 0)
