"""Agreement by hand, and against scikit-learn, scipy and krippendorff."""

from __future__ import annotations

import random
from itertools import combinations
from typing import Any

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.scoring import intervals
from pefomed_plugin.scoring.agreement import agree_pair, flip_rates, krippendorff_alpha, majority

LEVELS = (0, 1, 2, 3, 4)


def drawn(seed: int, count: int = 200, values: int = 5, missing: float = 0.0) -> list[float | None]:
    draw = random.Random(seed)
    return [None if draw.random() < missing else draw.randrange(values) for _ in range(count)]


def following(first: list[float | None], seed: int) -> list[float | None]:
    """A second rater who often agrees."""
    draw = random.Random(seed)
    return [value if draw.random() < 0.6 else draw.randrange(5) for value in first]


def test_kappa_by_hand() -> None:
    first, second = [1] * 25 + [0] * 25, [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    found = agree_pair(first, second, (0, 1), list(range(50)))
    assert found.table == ((15, 10), (5, 20))
    assert found.figures["kappa"].value == pytest.approx(0.4)
    assert found.figures["kappa_linear"].value == pytest.approx(0.4)
    low, high = found.figures["kappa"].interval.low, found.figures["kappa"].interval.high
    assert low is not None and high is not None and low < 0.4 < high


@pytest.mark.parametrize("seed", range(5))
def test_as_scikit_learn_and_scipy(seed: int) -> None:
    metrics, stats = pytest.importorskip("sklearn.metrics"), pytest.importorskip("scipy.stats")
    first = drawn(seed)
    second = following(first, seed + 100)
    found = agree_pair(first, second, LEVELS, list(range(200)), resamples=50).figures
    for name, weights in (("kappa", None), ("kappa_linear", "linear"), ("kappa_quadratic", "quadratic")):
        expected = metrics.cohen_kappa_score(first, second, weights=weights, labels=list(LEVELS))
        assert found[name].value == pytest.approx(expected, abs=1e-12)
    assert found["kendall_tau_b"].value == pytest.approx(stats.kendalltau(first, second).statistic, abs=1e-12)
    assert found["spearman"].value == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-12)


def test_a_level_that_nobody_used_keeps_its_distance() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    first, second = [0, 0, 1, 4, 4, 1], [0, 1, 1, 4, 1, 4]
    found = agree_pair(first, second, LEVELS, list(range(6))).figures["kappa_quadratic"].value
    assert found == pytest.approx(metrics.cohen_kappa_score(first, second, weights="quadratic", labels=list(LEVELS)))
    assert found != pytest.approx(metrics.cohen_kappa_score(first, second, weights="quadratic"))


@pytest.mark.parametrize(("seed", "missing", "values"), [(1, 0.0, 5), (2, 0.3, 5), (3, 0.6, 5), (4, 0.2, 2)])
def test_as_krippendorff(seed: int, missing: float, values: int) -> None:
    krippendorff, np = pytest.importorskip("krippendorff"), pytest.importorskip("numpy")
    base = drawn(seed, 80, values)
    raters = [
        [None if hidden is None else value for value, hidden in zip(base, drawn(seed + n, 80, values, missing))]
        for n in (10, 20)
    ] + [drawn(seed + 30, 80, values, missing)]
    data = np.array([[np.nan if value is None else value for value in rater] for rater in raters])
    scale = tuple(range(values))
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement="ordinal", value_domain=list(scale))
    found = krippendorff_alpha(raters, scale, list(range(80)), resamples=100)
    assert found.value == pytest.approx(expected, abs=1e-12)
    if values == 2:
        nominal = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal", value_domain=list(scale))
        assert found.value == pytest.approx(nominal, abs=1e-12)


def test_full_agreement_is_1_and_opposition_is_minus_1() -> None:
    same = agree_pair(LEVELS, LEVELS, LEVELS, list(range(5))).figures
    assert {figure.value for figure in same.values()} == {1.0}
    assert same["kappa"].interval.reason == "the same in every resample"
    opposite = agree_pair(LEVELS, LEVELS[::-1], LEVELS, list(range(5))).figures
    assert opposite["kendall_tau_b"].value == opposite["spearman"].value == pytest.approx(-1)
    assert krippendorff_alpha([LEVELS, LEVELS], LEVELS, list(range(5))).value == 1.0


def test_a_constant_rater_has_no_correlation() -> None:
    found = agree_pair([1, 1, 1, 1], [1, 0, 1, 0], (0, 1), list(range(4))).figures
    assert found["kendall_tau_b"].value is None and found["spearman"].value is None
    assert "same value" in str(found["spearman"].reason)
    assert found["kappa"].value == 0.0
    both = agree_pair([1, 1, 1], [1, 1, 1], (0, 1), list(range(3))).figures
    assert {figure.value for figure in both.values()} == {None}
    assert krippendorff_alpha([[1, 1], [1, 1]], (0, 1), [1, 2]).value is None


def test_nothing_in_common() -> None:
    found = agree_pair([1, None], [None, 1], (0, 1), [1, 2])
    assert (found.n, found.figures["kappa"].value) == (0, None)
    assert "fewer than two" in str(found.figures["kappa"].reason)
    for one, other in ((1.0, 1.0), (0.0, 1.0)):
        single = agree_pair([one, None], [other, 1.0], (0.0, 1.0), [1, 2])
        assert single.n == 1
        assert {figure.value for figure in single.figures.values()} == {None}, "one item tells nothing of chance"
    assert krippendorff_alpha([[1, None], [None, 1]], (0, 1), [1, 2]).value is None


def test_items_of_one_image_are_one_cluster() -> None:
    first, second = drawn(1, 100, 2), drawn(2, 100, 2)
    by_item = agree_pair(first * 3, second * 3, (0, 1), list(range(300))).figures["kappa"].interval
    by_image = agree_pair(first * 3, second * 3, (0, 1), list(range(100)) * 3).figures["kappa"].interval
    assert by_image.high - by_image.low > 1.3 * (by_item.high - by_item.low)  # type: ignore[operator]
    one = agree_pair(first, second, (0, 1), [1] * 100).figures["kappa"]
    assert (one.interval.reason, one.interval.low) == ("one cluster only", None)


def test_the_resamples_are_those_of_earlier_versions() -> None:
    first = drawn(1, 120, missing=0.2)
    figures = agree_pair(first, following(first, 2), LEVELS, [number // 2 for number in range(120)]).figures
    found = {name: [figures[name].value, figures[name].interval.low, figures[name].interval.high] for name in figures}
    assert found["kappa"] == pytest.approx([0.5032166752444673, 0.37359400441412105, 0.6312371929306694], abs=1e-12)
    assert found["spearman"] == pytest.approx([0.5541464737802648, 0.37372471630942167, 0.7116590809683464], abs=1e-12)


def test_pairs_over_the_same_clusters_share_one_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    draws, draw = [], intervals._draw_blocks

    def counted(*arguments: int) -> Any:
        draws.append(arguments)
        return draw(*arguments)

    monkeypatch.setattr(intervals, "_draw_blocks", counted)
    intervals._kept_draws.cache_clear()
    raters = [drawn(seed) for seed in range(4)]
    found = [agree_pair(one, other, LEVELS, list(range(200))) for one, other in combinations(raters, 2)]
    assert draws == [(200, 1000, 0)]
    monkeypatch.setattr(intervals, "_KEPT_CELLS", 0)  # too many to keep: drawn again, a few at a time
    monkeypatch.setattr(intervals, "_CELLS_AT_ONCE", 3_000)
    monkeypatch.setattr(intervals, "_FLOATS_AT_ONCE", 500)
    assert agree_pair(raters[0], raters[1], LEVELS, list(range(200))) == found[0]
    assert len(draws) == 2


def test_alpha_is_the_same_number_in_whatever_order_items_come() -> None:
    raters = [drawn(seed, 150, missing=0.3) for seed in range(6)]
    forward = krippendorff_alpha(raters, LEVELS, list(range(150))).value
    backward = krippendorff_alpha([rater[::-1] for rater in raters], LEVELS, [n // 4 for n in range(150)]).value
    assert forward == backward


def test_what_is_not_of_the_scale_or_length() -> None:
    with pytest.raises(DataError, match=r"outside the scale 0, 1: 2\.5"):
        agree_pair([2.5], [1], (0, 1), [1])
    with pytest.raises(DataError, match="different numbers"):
        agree_pair([1], [1, 0], (0, 1), [1, 2])


def test_majority_and_flips() -> None:
    runs: list[list[float | None]] = [
        [1, 0, None, 4, None],
        [1, 1, None, 4, 3],
        [1, 1, None, 0, None],
        [1, 0, None, 4, None],
    ]
    assert majority(runs) == [1, 0, None, 4, 3]
    assert flip_rates(runs) == [0.0, 0.5, None, 0.25, None]
