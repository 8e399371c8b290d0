"""How often the intervals of corrected figures hold the truth: 2,000 draws of each design, 95 % within 1.5.

``python -m tests.conformance.test_coverage`` prints the table of docs/statistics.md. Every design draws answers, people
and judge anew; errors of the judge on one image are alike where images have several answers.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

import numpy as np
import pytest

from pefomed_plugin.scoring import reweighting
from pefomed_plugin.scoring.corrected import correct_difference, correct_mean
from pefomed_plugin.scoring.judged_and_rated import JudgedAndRated

DRAWS, LEAST, MOST = 2000, 0.935, 0.965
RESAMPLES = 1000
"""Of each interval, in place of 4,000: fewer make intervals a little narrower."""
PPI, GLADEN = "prediction_powered", "rogan_gladen"


class Judge(NamedTuple):
    """What people call right, and what the judge makes of it."""

    right: float
    sensitivity: float
    specificity: float


USUAL, LENIENT, STRICT, RARE = JUDGES = (
    Judge(0.75, 0.95, 0.9),
    Judge(0.75, 0.98, 0.5),
    Judge(0.75, 0.7, 0.98),
    Judge(0.9, 0.95, 0.8),
)


def hold(make: Callable[[np.random.Generator], Any], truth: float, draws: int = DRAWS) -> dict[str, float]:
    """Share of the draws whose interval of each estimate holds the truth, among those that have one."""
    held: dict[str, list[bool]] = {PPI: [], GLADEN: []}
    for number in range(draws):
        found = make(np.random.default_rng(number))
        for name, of_name in held.items():
            interval = getattr(found, name).interval if getattr(found, name) else None
            if interval is not None and interval.low is not None:
                of_name.append(interval.low - 1e-9 <= truth <= interval.high + 1e-9)
    assert len(held[PPI]) == draws
    return {name: float(np.mean(of_name)) for name, of_name in held.items() if of_name}


def one_model(judge: Judge, rated: int, answers: int = 450, images: int = 0, whole: bool = False) -> Callable:
    """Ratings of a random part of the answers, or of all answers of ``rated`` images."""

    def make(generator: np.random.Generator) -> Any:
        of = generator.integers(images, size=answers) if images else np.arange(answers)
        mean = generator.beta(2.5 * judge.right, 2.5 * (1 - judge.right), size=answers)[of] if images else judge.right
        people = generator.random(answers) < mean
        shared = generator.random(answers)[of] if images else generator.random(answers)
        luck = np.where(generator.random(answers) < 0.5, shared, generator.random(answers))
        verdicts = np.where(people, luck < judge.sensitivity, luck > judge.specificity)
        drawn_from = np.unique(of) if whole else np.arange(answers)
        chosen = np.isin(of if whole else np.arange(answers), generator.choice(drawn_from, rated, replace=False))
        return correct_mean(JudgedAndRated(verdicts.astype(float).tolist(), _given(people, chosen)), of.tolist())

    return make


def two_models(judge: Judge, rated: int, same: float = 0.8, answers: int = 450) -> tuple[Callable, float]:
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

    return make, judge.right - (same * judge.right + (1 - same) * 0.6)


SPREAD, MOSTLY_BEST = (0.05, 0.1, 0.2, 0.3, 0.35), (0.03, 0.03, 0.04, 0.1, 0.8)


def levels(rated: int, shares: tuple[float, ...] = SPREAD, answers: int = 450) -> tuple[Callable, float]:
    """Reports rated 0 to 4 by people, and by a judge that is a level off in half of them."""

    def make(generator: np.random.Generator) -> Any:
        people = generator.choice(5, size=answers, p=shares)
        chosen = np.isin(np.arange(answers), generator.choice(answers, rated, replace=False))
        return correct_mean(_judged(generator, people, chosen), range(answers), 0.0, 4.0)

    return make, float(np.array(shares) @ np.arange(5))


def two_levels(
    rated: int, shares: tuple[float, ...] = SPREAD, same: float = 0.7, answers: int = 450
) -> tuple[Callable, float]:
    """Two models' reports, of one level in a share ``same``; else the second's are drawn from the reversed shares."""

    def make(generator: np.random.Generator) -> Any:
        one = generator.choice(5, size=answers, p=shares)
        other = np.where(generator.random(answers) < same, one, generator.choice(5, size=answers, p=shares[::-1]))
        chosen = np.isin(np.arange(answers), generator.choice(answers, rated, replace=False))
        models = [_judged(generator, people, chosen) for people in (one, other)]
        return correct_difference(models[0], models[1], range(answers), 0.0, 4.0)

    return make, (1 - same) * float(np.array(shares) @ np.arange(-4, 5, 2))


def _judged(generator: np.random.Generator, people: Any, chosen: Any) -> JudgedAndRated:
    verdicts = np.clip(people + generator.choice([-1, 0, 0, 0, 1, 1], size=len(people)), 0, 4).astype(float)
    return JudgedAndRated(verdicts.tolist(), _given(people, chosen))


def _given(people: Any, chosen: Any) -> list[float | None]:
    return [float(value) if kept else None for value, kept in zip(people, chosen)]


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reweighting, "DRAWS", RESAMPLES)


@pytest.mark.parametrize("judge", JUDGES)
def test_twenty_ratings_are_never_too_sure(judge: Judge) -> None:
    held = hold(one_model(judge, 20), judge.right)
    assert min(held.values()) >= LEAST and held[PPI] < 1.0


@pytest.mark.parametrize("judge", JUDGES[1:])
def test_from_a_hundred_ratings_on_they_hold_as_often_as_they_say(judge: Judge) -> None:
    held = hold(one_model(judge, 100), judge.right)
    assert LEAST <= held[PPI] <= MOST and LEAST <= held[GLADEN] <= 0.975


@pytest.mark.parametrize("make", [one_model(USUAL, 100, 450, 150), one_model(LENIENT, 20, 300, 100, whole=True)])
def test_answers_about_one_image_are_no_independent_ones(make: Callable) -> None:
    held = hold(make, USUAL.right)
    assert min(held.values()) >= LEAST and held[PPI] <= 0.995  # of twenty images they are too wide


@pytest.mark.parametrize(("rated", "judge", "most"), [(20, LENIENT, 1.0), (200, LENIENT, MOST)])
def test_differences_of_two_models(rated: int, judge: Judge, most: float) -> None:
    held = hold(*two_models(judge, rated))
    assert LEAST <= held[PPI] <= most and LEAST <= held[GLADEN] <= most


@pytest.mark.parametrize("shares", [SPREAD, MOSTLY_BEST])
def test_mean_levels_hold_from_twenty_ratings_on(shares: tuple[float, ...]) -> None:
    assert LEAST <= hold(*levels(20, shares))[PPI] <= 0.97
    assert LEAST <= hold(*two_levels(100, shares), draws=1000)[PPI] <= 0.97


def _print_table() -> None:
    def shown(held: dict[str, float]) -> str:
        return " | ".join(f"{100 * share:.1f}" for share in held.values())

    columns = ("ratings", "judge", "PPI", "Rogan-Gladen", "difference, PPI", "difference, Rogan-Gladen")
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for rated in (20, 30, 50, 100, 200):
        for name, judge in zip(("usual", "lenient", "strict", "usual, 90 % right"), JUDGES):
            one, two = hold(one_model(judge, rated), judge.right), hold(*two_models(judge, rated))
            print(f"| {rated} | {name} | {shown(one)} | {shown(two)} |", flush=True)
        for name, shares in (("levels", SPREAD), ("levels, 80 % the best", MOSTLY_BEST)):
            one, two = hold(*levels(rated, shares)), hold(*two_levels(rated, shares))
            print(f"| {rated} | {name} | {shown(one)} | - | {shown(two)} | - |", flush=True)


if __name__ == "__main__":
    reweighting.DRAWS = 2000
    _print_table()
