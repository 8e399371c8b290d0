"""The mean that people would give, from few ratings and many verdicts: prediction-powered inference with tuned weight.

PPI++ of Angelopoulos, Duchi and Zrnic (arXiv:2311.01453) for a mean, in closed form: the judge's mean over what nobody
rated, times a weight, plus the mean of people minus weighted judge over what people rated. The weight is what makes the
variance least, between 0 (a judge that says nothing about people's ratings: the ratings alone) and 1. Value, weight and
standard error are those of the authors' package ``ppi_py``. Its normal interval is too narrow for few ratings;
``corrected`` has one that is not. Pure; numpy inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import DataError


@dataclass(frozen=True)
class PredictionPowered:
    """One mean."""

    value: float
    """In the unit of the ratings."""
    weight: float
    """Of the judge, 0 to 1."""
    error: float
    """Standard error for independent ratings, of the normal approximation."""


def predict_mean(people: Sequence[float], judged: Sequence[float], unrated: Sequence[float]) -> PredictionPowered:
    """Prediction-powered mean.

    Args:
        people: ratings, one for each rated item.
        judged: the judge's verdicts on the same items, in their order.
        unrated: its verdicts on the items that nobody rated; empty where all were rated, then people alone count.

    Raises:
        DataError: nothing was rated, or ``people`` and ``judged`` are not of the same items.
    """
    import numpy as np  # late: heavy

    if not len(people) or len(people) != len(judged):
        raise DataError("a prediction-powered mean needs ratings, and a verdict for each of them")
    y, f, u = (np.asarray(values, dtype=float) for values in (people, judged, unrated))
    if not len(u):
        return PredictionPowered(float(y.mean()), 0.0, float(y.std() / np.sqrt(len(y))))
    covariance = ((y - y.mean()) * (f - f.mean())).mean()
    variance = np.concatenate([f, u]).var(ddof=1)
    weight = float(np.clip(covariance / ((1 + len(f) / len(u)) * variance), 0, 1)) if variance > 0 else 0.0
    value = weight * u.mean() + (y - weight * f).mean()
    error = np.sqrt((weight * u).var() / len(u) + (y - weight * f).var() / len(y))
    return PredictionPowered(float(value), weight, float(error))
