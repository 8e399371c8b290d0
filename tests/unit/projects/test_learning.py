"""What the learning benchmark says of its runs."""

from __future__ import annotations

import pytest

from projects.benchmarks import learning


def results(*overall: float) -> list[dict[str, float]]:
    return [{"overall": value, "closed": 2 * value, "loss": 1.0 + value / 100} for value in overall]


def test_the_interval_is_students() -> None:
    middle, low, high = learning.interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert middle == 3.0
    assert high - middle == pytest.approx(2.776 * 1.5811 / 5**0.5, rel=1e-3)
    assert middle - low == pytest.approx(high - middle)


def test_intervals_apart_are_said_in_capitals() -> None:
    page = learning.table("generated", {1: results(50, 51, 52), 8: results(50, 52, 53), 24: results(30, 31, 32)})
    assert page.splitlines()[2].startswith("| 1 | 51.0 (48.5 - 53.5) | 102.0 (")
    assert "accuracy, %: the intervals of 1 and 8 overlap." in page
    assert "accuracy, %: the intervals of 1 and 24 do NOT overlap." in page
