"""The rules that say what an answer is worth, without the scorers' own normalisations."""

from __future__ import annotations

import pytest

from pefomed_plugin.scoring.known import Known, alike, has_words, holds, holds_plainly, same, share_no_word, touches
from pefomed_plugin.text import NORMALISATIONS

from .rows import predicted


@pytest.mark.parametrize(
    ("answer", "prediction", "of"),
    [
        ("yes", " yes ", "same alike touches holds"),
        ("Yes", "yes.", "alike touches holds"),
        ("x-ray", "X ray", "alike touches holds"),
        ("the left lung", "left lung", "alike touches holds"),
        ("two", "2", "alike touches holds"),
        ("none", "0", "alike touches holds"),
        ("yes", "yes or no", "touches holds"),
        ("left lung", "the lung, right", "touches"),
        ("700 g", "700g", "alike touches holds"),
        ("chest", "chestwall", "touches"),
        ("yes", "no", ""),
        ("yes", "", ""),
        ("yes", None, ""),
        ("left left", "left", "touches"),
    ],
)
def test_what_two_texts_share(answer: str, prediction: str | None, of: str) -> None:
    found = predicted(answer, prediction)
    rules = {"same": same, "alike": alike, "touches": touches, "holds": holds}
    assert {name for name, rule in rules.items() if rule(found)} == set(of.split())


@pytest.mark.parametrize("rule", sorted(NORMALISATIONS))
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Yes", "yes."),
        ("3.5 cm", "3.5cm"),
        ("a mass", "mass"),
        ("None", "0"),
        ("x-ray", "X-RAY"),
        ("CT", "c.t."),
        ("l", "r"),
    ],
)
def test_what_a_normalisation_takes_for_equal_is_alike(rule: str, one: str, other: str) -> None:
    if NORMALISATIONS[rule](one) == NORMALISATIONS[rule](other):
        assert alike(predicted(one, other)) == 1


def test_what_is_said_without_punctuation() -> None:
    assert holds_plainly(predicted("left lung", "left lung, heart")) == 1
    assert holds_plainly(predicted("x-ray", "x-ray, ct")) == 0 and holds(predicted("x-ray", "x-ray, ct")) == 1
    assert holds_plainly(predicted("left lung", "heart")) == 0


def test_words() -> None:
    assert (has_words(predicted("The")), has_words(predicted("?")), has_words(predicted("a CT"))) == (0, 0, 1)
    assert share_no_word("left lung", "heart") and not share_no_word("left lung", "Lung")
    assert not share_no_word("xray", "x-ray")


def test_bounds_are_means_over_the_answers() -> None:
    rows = [predicted("yes", "yes"), predicted("Yes", "yes"), predicted("no", "yes")]
    assert Known("always yes", same, alike).bounds(rows) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert Known("perfect", 1).bounds(rows) == (1, 1)
