from __future__ import annotations

import itertools

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.scoring.paired import paired_difference


def test_p_is_that_of_all_sign_flips() -> None:
    differences = [1.0, 1.0, -1.0, 2.0, 1.0, 0.0]
    observed = abs(sum(differences))
    flips = list(itertools.product((-1, 1), repeat=6))
    exact = sum(abs(sum(s * d for s, d in zip(signs, differences))) >= observed for signs in flips) / len(flips)
    found = paired_difference(differences, [0.0] * 6, list(range(6)), permutations=40_000)
    assert found.p_value == pytest.approx(exact, abs=0.01)
    assert found.value == pytest.approx(4 / 6) and (found.n, found.clusters) == (6, 6)


def test_rows_of_one_cluster_are_exchanged_together() -> None:
    values, others = [1.0] * 8, [0.0] * 8
    apart = paired_difference(values, others, list(range(8)))
    together = paired_difference(values, others, [0, 0, 0, 0, 1, 1, 1, 1])
    assert apart.p_value < 0.02 < together.p_value
    assert together.p_value == pytest.approx(0.5, abs=0.03)


def test_equal_runs_do_not_differ() -> None:
    found = paired_difference([1.0, 0.0, 1.0], [1.0, 0.0, 1.0], ["a", "b", "c"])
    assert (found.value, found.p_value, found.interval.low) == (0.0, 1.0, None)


def test_the_interval_and_p_agree_on_a_clear_gain_and_are_repeatable() -> None:
    values = [float(number % 5 != 0) for number in range(200)]
    others = [float(number % 2) for number in range(200)]
    found = paired_difference(values, others, [number // 2 for number in range(200)])
    assert found.interval.low is not None and found.interval.low > 0.1 and found.p_value < 0.001
    assert found == paired_difference(values, others, [number // 2 for number in range(200)])


def test_unequal_lengths_and_nothing_are_refused() -> None:
    with pytest.raises(DataError, match="got 2 and 1"):
        paired_difference([1.0, 2.0], [1.0], ["a", "b"])
    with pytest.raises(DataError, match="got 0 and 0"):
        paired_difference([], [], [])
