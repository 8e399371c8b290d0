from __future__ import annotations

import itertools
import statistics

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.scoring.paired import adjust_holm, least_p, paired_difference, standard_error


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


def test_p_of_several_tests_by_holm() -> None:
    assert adjust_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust_holm([0.6, 0.7]) == [1.0, 1.0] and adjust_holm([0.02]) == [0.02] and adjust_holm([]) == []


def test_the_standard_error_is_that_of_the_mean_where_clusters_are_single_samples() -> None:
    values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]
    expected = statistics.stdev(values) / 6**0.5
    assert standard_error(values, range(6)) == pytest.approx(expected)
    # the same sample five times is one sample
    assert standard_error(values * 5, [*range(6)] * 5) == pytest.approx(expected)
    assert standard_error(values, ["one"] * 6) is None


def test_the_least_difference_seen_is_what_the_t_test_sees_in_80_of_100() -> None:
    found = paired_difference([float(k % 3) for k in range(120)], [1.0] * 120, list(range(120)))
    least = found.least_seen()
    assert least is not None and found.error is not None
    assert least == pytest.approx(found.error * 2.82, rel=0.01) and found.power(least) == pytest.approx(0.8, abs=1e-6)
    assert found.least_seen(level=0.99) > least  # several tests see less
    same = paired_difference([1.0] * 120, [1.0] * 120, list(range(120)))
    assert same.least_seen(step=1.0) == pytest.approx(8 / 120) and same.power(0.1) is None
    assert paired_difference([1.0], [0.0], ["a"]).least_seen() is None
    assert [least_p(count) < 0.05 for count in (1, 5, 6)] == [False, False, True]
