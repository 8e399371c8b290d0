"""Sentences on comparisons keep their word: seldom a difference where there is none, mostly one of the least size seen.

Every draw makes two models' answers to 300 questions about 150 images, by way of ``paired_difference`` and ``Verdict``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pefomed_plugin.reporting.comparison.verdicts import BETTER, WORSE, Verdict
from pefomed_plugin.scoring.intervals import Interval
from pefomed_plugin.scoring.paired import Difference, adjust_holm, paired_difference
from pefomed_plugin.scoring.spec import MetricSpec, ScoredColumn

DRAWS, IMAGES = 400, 150
CLUSTERS = [number // 2 for number in range(2 * IMAGES)]
COLUMN = ScoredColumn("overall", MetricSpec("exact", "right", unit="%"), "exact")
NOBODY = Difference(0.0, Interval(None, None), 1.0, 1, 1)
MADE = Verdict("set-test", "exact", COLUMN, "accuracy", "B", "A", NOBODY, 1.0, 1)


def difference(draw: np.random.Generator, gain: float, changed: float = 0.1) -> Difference:
    """B answers a share ``changed`` of the questions otherwise and gains ``gain`` beyond (0 to 1); half of the images'
    second questions go as their first."""
    apart, other = (
        np.where(draw.random(IMAGES) < changed, draw.choice([-100.0, 100.0], IMAGES), 0.0) for _ in range(2)
    )
    apart, other = (np.where(draw.random(IMAGES) < gain, 100.0, values) for values in (apart, other))
    values = np.stack([apart, np.where(draw.random(IMAGES) < 0.5, apart, other)], axis=1).ravel()
    return paired_difference(values.tolist(), [0.0] * len(values), CLUSTERS, permutations=2000)


def claims(gain: float, tests: int = 1) -> tuple[float, float]:
    """Share of draws with a claim among ``tests`` comparisons, and the median of what the first would have seen."""
    claimed, seen = [], []
    for number in range(DRAWS):
        draw = np.random.default_rng(number)
        found = [difference(draw, gain) for _ in range(tests)]
        verdicts = [
            replace(MADE, difference=one, adjusted_p=p, tests=tests)
            for one, p in zip(found, adjust_holm([one.p_value for one in found]))
        ]
        claimed.append(any(verdict.conclusion in (BETTER, WORSE) for verdict in verdicts))
        seen.append(verdicts[0].least_seen or 0.0)
    return float(np.mean(claimed)), float(np.median(seen))


@pytest.mark.parametrize("tests", [1, 4])
def test_where_nothing_differs_a_difference_is_seldom_claimed(tests: int) -> None:
    share, _ = claims(0.0, tests)
    assert share <= 0.075  # 5 % and two standard errors of 400 draws


def test_the_least_difference_seen_is_found_in_80_of_100() -> None:
    gain = 0.06
    for _ in range(3):  # what is seen depends on how much the models differ
        _, least = claims(gain)
        gain = least / 100
    share, _ = claims(gain)
    assert 0.7 <= share <= 0.87


def test_holm_of_statsmodels() -> None:
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    for p_values in ([0.001, 0.2, 0.03, 0.03, 0.9], [0.5], [0.01] * 6):
        assert adjust_holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1].tolist())
