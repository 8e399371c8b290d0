"""How many ratings are needed: what the plan says is what so many ratings give."""

from __future__ import annotations

import numpy as np
import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.scoring.corrected import MEAN, correct_mean, made_up_ratings
from pefomed_plugin.scoring.intervals import Interval
from pefomed_plugin.scoring.judged_and_rated import JudgedAndRated, pair_up
from pefomed_plugin.scoring.ratings_needed import ratings_needed

MADE_UP = made_up_ratings(MEAN, is_binary=True)


def made(rated: int, seed: int, answers: int = 1500) -> JudgedAndRated:
    """75 % right, a judge of 95 % sensitivity and 90 % specificity, ``rated`` of them drawn."""
    draw = np.random.default_rng(seed)
    people = draw.random(answers) < 0.75
    luck = draw.random(answers)
    judge = np.where(people, luck < 0.95, luck > 0.9)
    chosen = set(draw.choice(answers, rated, replace=False).tolist())
    given = [float(value) if number in chosen else None for number, value in enumerate(people)]
    return JudgedAndRated(judge.astype(float).tolist(), given)


def half_width(answers: JudgedAndRated) -> float:
    interval = correct_mean(answers, range(len(answers.judge))).prediction_powered.interval
    assert interval.low is not None and interval.high is not None
    return (interval.high - interval.low) / 2


def plan(answers: JudgedAndRated, wished: float):
    interval = correct_mean(answers, range(len(answers.judge))).prediction_powered.interval
    return ratings_needed(pair_up(answers, range(len(answers.judge)), 0, 1), wished, interval, *MADE_UP)


def test_so_many_ratings_have_the_wished_half_width() -> None:
    planned = [plan(made(60, seed), 0.04) for seed in range(9)]
    needed = int(np.median([found.needed or 0 for found in planned]))
    assert 100 < needed < 250
    assert np.median([half_width(made(needed, seed)) for seed in range(20, 29)]) == pytest.approx(0.04, rel=0.1)
    assert all((found.without_judge or 0) > (found.needed or 0) for found in planned)
    assert all(found.of_these <= (found.needed or 0) for found in planned)


def test_what_is_there_is_what_it_says_of_so_many() -> None:
    answers = made(200, 1)
    found = plan(answers, half_width(answers))
    assert found.now == half_width(answers) and found.needed in (200, 201)


def test_a_small_test_set_cannot_give_a_narrow_interval() -> None:
    found = plan(made(60, 3, answers=150), 0.03)
    assert found.needed is None and found.without_judge is None
    assert 0.05 < found.if_all < 0.09 and found.of_these < 150


def test_without_ratings_the_judge_is_of_no_use() -> None:
    answers = made(5, 2)
    found = ratings_needed(pair_up(answers, range(1500), 0, 1), 0.04, Interval(None, None), *MADE_UP)
    assert found.is_bound and found.needed == found.without_judge
    assert found.needed == pytest.approx(1.96**2 * 0.73 * 0.27 / 0.04**2, rel=0.1)


def test_no_such_half_width() -> None:
    with pytest.raises(ConfigError, match="less than the whole scale"):
        plan(made(60, 0), 1.5)
