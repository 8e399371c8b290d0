"""The judge's bias, taken off where nobody rated."""

from __future__ import annotations

import random

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.scoring.anchored_wasm import anchor_wasm


def test_a_constant_bias_is_taken_off() -> None:
    people = [float(number % 4) for number in range(40)]
    judge: list[float | None] = [person + 1 for person in people]
    rated: list[float | None] = [person if number % 3 == 0 else None for number, person in enumerate(people)]
    found = anchor_wasm(judge, rated, list(range(40)))
    assert (found.judge, found.bias, found.value) == (2.5, 1.0, 1.5)
    assert (found.rated, found.n) == (14, 40)


def test_with_everything_rated_it_is_what_people_say() -> None:
    draw = random.Random(1)
    people: list[float | None] = [float(draw.randrange(5)) for _ in range(30)]
    judge: list[float | None] = [float(draw.randrange(5)) for _ in range(30)]
    found = anchor_wasm(judge, people, list(range(30)))
    assert found.value == pytest.approx(sum(person for person in people if person is not None) / 30)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        draw = random.Random(seed)
        people = [float(draw.choice((0, 1, 2, 2, 3, 3, 4))) for _ in range(200)]
        judge: list[float | None] = [min(4.0, person + draw.choice((0, 0, 1))) for person in people]
        rated: list[float | None] = [person if draw.random() < 0.3 else None for person in people]
        interval = anchor_wasm(judge, rated, list(range(200)), resamples=200, seed=seed).interval
        assert interval.low is not None and interval.high is not None
        held += interval.low <= 15 / 7 <= interval.high
    assert 51 <= held <= 60


def test_reports_that_the_judge_left_out_are_left_out() -> None:
    found = anchor_wasm([None] + [2.0] * 12, [4.0] + [2.0] * 12, list(range(13)))
    assert (found.value, found.n) == (2.0, 12)


def test_too_few_ratings_are_no_anchor() -> None:
    with pytest.raises(DataError, match="only 9 reports"):
        anchor_wasm([1.0] * 20, [1.0] * 9 + [None] * 11, list(range(20)))
    with pytest.raises(DataError, match="same reports"):
        anchor_wasm([1.0], [], [1])
    assert anchor_wasm([1.0] * 10, [1.0] * 10, ["study"] * 10).interval.reason == "one cluster only"
