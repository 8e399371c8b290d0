"""Prediction-powered means, against the package of the method's authors where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.scoring.prediction_powered import predict_mean

NORMAL = 1.959963984540054


def test_all_rated_is_what_people_say() -> None:
    found = predict_mean([1, 0, 1, 1], [1, 1, 1, 0], [])
    assert (found.value, found.weight) == (0.75, 0.0)


def test_a_judge_that_always_says_the_same_has_no_weight() -> None:
    found = predict_mean([1, 0, 1, 1], [1, 1, 1, 1], [1, 1])
    assert (found.value, found.weight) == (0.75, 0.0)


def test_ratings_and_verdicts_are_of_the_same_items() -> None:
    with pytest.raises(DataError, match="a verdict for each"):
        predict_mean([1, 0], [1], [1])


def test_value_and_normal_interval_are_those_of_the_authors_package() -> None:
    ppi_py = pytest.importorskip("ppi_py")
    generator = np.random.default_rng(0)
    for _ in range(50):
        people = generator.integers(0, 5, 20).astype(float)
        judged = np.clip(people + generator.integers(-1, 3, 20), 0, 4)
        unrated = generator.integers(0, 5, 300).astype(float)
        found = predict_mean(people, judged, unrated)
        value = float(np.ravel(ppi_py.ppi_mean_pointestimate(people, judged, unrated))[0])
        low, high = (float(np.ravel(end)[0]) for end in ppi_py.ppi_mean_ci(people, judged, unrated, alpha=0.05))
        assert found.value == pytest.approx(value, abs=1e-9)
        assert found.value - NORMAL * found.error == pytest.approx(low, abs=1e-9)
        assert found.value + NORMAL * found.error == pytest.approx(high, abs=1e-9)
