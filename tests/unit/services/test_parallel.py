from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pefomed_plugin.services.parallel import map_in_threads


def test_results_keep_the_order_of_the_items() -> None:
    def slow_when_early(number: int) -> int:
        time.sleep(0.01 if number < 3 else 0)
        return number * number

    assert list(map_in_threads(slow_when_early, range(20), workers=4)) == [number * number for number in range(20)]


def test_items_are_drawn_only_as_results_are_taken() -> None:
    drawn = []

    def items() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    results = map_in_threads(str, items(), workers=2)
    assert next(results) == "0"
    assert len(drawn) <= 8


def test_what_the_function_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(lambda number: 1 // number, [1, 0, 1], workers=2))
