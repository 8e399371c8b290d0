"""How often the intervals of corrected figures hold the truth: 2,000 draws of each design, 95 % within 1.5.

``python -m tests.conformance.test_coverage`` prints the table of docs/judging.md. Every design draws answers, people
and judge anew; errors of the judge on one image are alike where images have several answers.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import numpy as np
import pytest

from pefomed_plugin.scoring import corrected
from pefomed_plugin.scoring.corrected import JudgedAndRated, correct_difference, correct_mean

DRAWS, LEAST, MOST = 2000, 0.935, 0.965
WIDEST = 0.998
"""Where ratings are few, right or wrong is rare, and intervals are too wide; never may they be too narrow."""


class Judge(NamedTuple):
    """What people call right, and what the judge makes of it."""

    right: float
    sensitivity: float
    specificity: float


USUAL, LENIENT, STRICT, RARE = (
    Judge(0.75, 0.95, 0.9),
    Judge(0.75, 0.98, 0.5),
    Judge(0.75, 0.7, 0.98),
    Judge(0.9, 0.95, 0.8),
)


def hold(make: Callable[[np.random.Generator], Any], truth: float, estimates: str, draws: int = DRAWS) -> float:
    """Share of the draws whose interval of an estimate holds the truth, among those that have one."""
    held = []
    for number in range(draws):
        interval = getattr(make(np.random.default_rng(number)), estimates).interval
        if interval.low is not None:
            held.append(interval.low <= truth <= interval.high)
    assert len(held) > 0.75 * draws
    return float(np.mean(held))


def one_model(judge: Judge, rated: int, answers: int = 450, images: int = 0, whole: bool = False) -> Callable:
    """Ratings of a random part of the answers, or of all answers of ``rated`` images."""

    def make(generator: np.random.Generator) -> Any:
        of = generator.integers(images, size=answers) if images else np.arange(answers)
        mean = generator.beta(2.5 * judge.right, 2.5 * (1 - judge.right), size=answers)[of] if images else judge.right
        people = generator.random(answers) < mean
        shared = generator.random(answers)[of] if images else generator.random(answers)
        luck = np.where(generator.random(answers) < 0.5, shared, generator.random(answers))
        verdicts = np.where(people, luck < judge.sensitivity, luck > judge.specificity)
        chosen = np.isin(of, generator.choice(np.unique(of), rated, replace=False)) if whole else part(generator)
        return correct_mean(JudgedAndRated(verdicts.astype(float).tolist(), _given(people, chosen)), of.tolist())

    def part(generator: np.random.Generator) -> Any:
        return np.isin(np.arange(answers), generator.choice(answers, rated, replace=False))

    return make


def two_models(judge: Judge, rated: int, same: float, answers: int = 450) -> Callable:
    """Two models whose answers people call the same in a share ``same`` and more; the second is right in 60 % else."""

    def make(generator: np.random.Generator) -> Any:
        first = generator.random(answers) < judge.right
        second = np.where(generator.random(answers) < same, first, generator.random(answers) < 0.6)
        luck = generator.random(answers), generator.random(answers)
        alike = (first == second) & (generator.random(answers) < 0.8)
        verdicts = [
            np.where(people, draw < judge.sensitivity, draw > judge.specificity)
            for people, draw in ((first, luck[0]), (second, np.where(alike, luck[0], luck[1])))
        ]
        chosen = np.isin(np.arange(answers), generator.choice(answers, rated, replace=False))
        of_models = [
            JudgedAndRated(said.astype(float).tolist(), _given(people, chosen))
            for said, people in zip(verdicts, (first, second))
        ]
        return correct_difference(of_models[0], of_models[1], range(answers))

    return make


def levels(rated: int, answers: int = 450) -> tuple[Callable, float]:
    """Reports rated 0 to 4 by people, and by a judge that is a level off in half of them."""
    shares = np.array([0.05, 0.1, 0.2, 0.3, 0.35])

    def make(generator: np.random.Generator) -> Any:
        people = generator.choice(5, size=answers, p=shares)
        verdicts = np.clip(people + generator.choice([-1, 0, 0, 0, 1, 1], size=answers), 0, 4).astype(float)
        chosen = np.isin(np.arange(answers), generator.choice(answers, rated, replace=False))
        return correct_mean(JudgedAndRated(verdicts.tolist(), _given(people, chosen)), range(answers), 0.0, 4.0)

    return make, float(shares @ np.arange(5))


def _given(people: Any, chosen: Any) -> list[float | None]:
    return [float(value) if kept else None for value, kept in zip(people, chosen)]


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrected, "DRAWS", 2000)  # fewer narrow the intervals


@pytest.mark.parametrize("judge", [USUAL, LENIENT, STRICT, RARE])
def test_twenty_ratings_are_never_too_sure(judge: Judge) -> None:
    make = one_model(judge, 20)
    assert LEAST <= hold(make, judge.right, "prediction_powered") <= WIDEST
    assert LEAST <= hold(make, judge.right, "rogan_gladen") <= WIDEST


@pytest.mark.parametrize("judge", [USUAL, LENIENT, RARE])
def test_from_a_hundred_ratings_on_they_hold_as_often_as_they_say(judge: Judge) -> None:
    assert LEAST <= hold(one_model(judge, 100), judge.right, "prediction_powered") <= MOST
    assert LEAST <= hold(one_model(judge, 100), judge.right, "rogan_gladen") <= MOST


def test_answers_about_one_image_are_no_independent_ones() -> None:
    assert LEAST <= hold(one_model(USUAL, 100, images=150), USUAL.right, "prediction_powered") <= MOST
    assert LEAST <= hold(one_model(LENIENT, 20, images=150, whole=True), USUAL.right, "prediction_powered") <= WIDEST


@pytest.mark.parametrize(("rated", "most"), [(20, WIDEST), (100, MOST)])
def test_differences_of_two_models(rated: int, most: float) -> None:
    truth = USUAL.right - (0.8 * USUAL.right + 0.2 * 0.6)
    assert LEAST <= hold(two_models(USUAL, rated, 0.8), truth, "prediction_powered") <= most


def test_mean_levels() -> None:
    make, truth = levels(20)
    assert LEAST <= hold(make, truth, "prediction_powered") <= 0.985


def _print_table() -> None:
    for rated in (20, 50, 100, 200):
        for name, judge in (("usual", USUAL), ("lenient", LENIENT), ("strict", STRICT), ("rare", RARE)):
            both = [
                hold(one_model(judge, rated), judge.right, figure) for figure in ("prediction_powered", "rogan_gladen")
            ]
            apart = judge.right - (0.8 * judge.right + 0.2 * 0.6)
            two = [hold(two_models(judge, rated, 0.8), apart, name) for name in ("prediction_powered", "rogan_gladen")]
            print(rated, name, *judge, *(f"{100 * share:.1f}" for share in (*both, *two)), flush=True)


if __name__ == "__main__":
    corrected.DRAWS = 2000
    _print_table()
