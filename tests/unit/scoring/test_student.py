"""Student's t against printed tables, and against SciPy and statsmodels where they are installed."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.scoring.student import detectable, t_power, t_quantile


@pytest.mark.parametrize(
    ("probability", "freedom", "printed"),
    [(0.975, 1, 12.706), (0.975, 5, 2.571), (0.975, 19, 2.093), (0.95, 10, 1.812), (0.975, 1e6, 1.960), (0.5, 3, 0.0)],
)
def test_quantiles_of_the_tables(probability: float, freedom: float, printed: float) -> None:
    assert t_quantile(probability, freedom) == pytest.approx(printed, abs=6e-4)
    assert t_quantile(1 - probability, freedom) == pytest.approx(-printed, abs=6e-4)


def test_no_quantile_at_one() -> None:
    with pytest.raises(DataError, match="no t quantile"):
        t_quantile(1.0, 5)


def test_power_is_the_level_where_nothing_differs_and_grows() -> None:
    assert t_power(0.0, 12) == pytest.approx(0.05, abs=1e-6)
    assert t_power(1.0, 12) < t_power(2.0, 12) < t_power(4.0, 12) < 1.0
    assert t_power(detectable(30, 0.9), 30) == pytest.approx(0.9, abs=1e-6)
    assert detectable(1e6) == pytest.approx(1.959964 + 0.841621, abs=1e-3)


def test_quantiles_and_power_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for freedom in (1, 3, 18, 400):
        for probability in (0.6, 0.975, 0.9995):
            assert t_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-7)
        critical = stats.t.ppf(0.975, freedom)
        for difference in (0.5, 2.0, 5.0):
            known = stats.nct.sf(critical, freedom, difference) + stats.nct.cdf(-critical, freedom, difference)
            assert t_power(difference, freedom) == pytest.approx(known, abs=1e-6)


def test_power_of_statsmodels() -> None:
    power = pytest.importorskip("statsmodels.stats.power")
    for n in (8, 40, 300):
        effect = power.TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
        assert detectable(n - 1) / n**0.5 == pytest.approx(effect, rel=1e-5)
