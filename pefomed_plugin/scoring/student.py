"""Student's t: quantiles, and how likely a test of a mean sees a difference. Quadrature in numpy, no SciPy.

The power is that of the non-central t (Cohen 1988, chapter 2), both sides counted, as ``statsmodels`` and G*Power give
it. Pure.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Callable

from ..errors import DataError

_NODES = 200
_STEPS = 60
"""Of bisection."""


@lru_cache(maxsize=1)
def _gauss_legendre() -> Any:
    import numpy as np  # late: heavy

    return np.polynomial.legendre.leggauss(_NODES)


@lru_cache(maxsize=1024)
def t_quantile(probability: float, freedom: float) -> float:
    """The value that a t of ``freedom`` degrees of freedom stays below with a probability between 0 and 1.

    Raises:
        DataError: no such probability, or no degree of freedom.
    """
    if not 0 < probability < 1 or freedom <= 0:
        raise DataError(f"no t quantile at {probability} with {freedom} degrees of freedom")
    if probability < 0.5:
        return -t_quantile(1 - probability, freedom)
    share = probability - 0.5
    # t = sqrt(freedom) tan(angle) has the density cos(angle) ** (freedom - 1) on the angle
    angle = _bisect(lambda angle: _angle_mass(angle, freedom) < share, 0.0, math.pi / 2)
    return math.sqrt(freedom) * math.tan(angle)


def _angle_mass(angle: float, freedom: float) -> float:
    import numpy as np  # late: heavy

    nodes, weights = _gauss_legendre()
    width = min(angle, 40 / math.sqrt(freedom + 40))  # beyond it there is nothing: the nodes stay where the mass is
    density = np.cos(width / 2 * (nodes + 1)) ** (freedom - 1)
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    return scale * float(width / 2 * (weights @ density))


def t_power(difference: float, freedom: float, level: float = 0.95) -> float:
    """Probability that a two-sided t test sees a true difference, 0 to 1.

    Args:
        difference: in standard errors.
        level: 0.95 tests at 5 %.
    """
    import numpy as np  # late: heavy

    critical = t_quantile(0.5 + level / 2, freedom)
    nodes, weights = _gauss_legendre()
    spread = 10 / math.sqrt(2 * freedom)
    low, high = max(1e-9, 1 - spread), 1 + spread
    error = low + (high - low) / 2 * (nodes + 1)  # estimated over true standard error: chi / sqrt(freedom)
    logs = (freedom - 1) * np.log(error) - freedom * error**2 / 2
    density = weights * np.exp(logs - logs.max())
    below = [NormalDist().cdf(x) for x in difference - critical * error]
    above = [NormalDist().cdf(x) for x in -difference - critical * error]
    return float(density @ (np.array(below) + above) / density.sum())


@lru_cache(maxsize=1024)
def detectable(freedom: float, power: float = 0.8, level: float = 0.95) -> float:
    """The least true difference, in standard errors, that a two-sided t test sees with a probability of ``power``."""
    return _bisect(lambda difference: t_power(difference, freedom, level) < power, 0.0, 1000.0)


def _bisect(is_below: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return (low + high) / 2
