"""What answers rest on: answers worded by us, whose figures can be counted by hand."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Prediction
from pefomed_plugin.scoring.reliance import BLIND, MIRRORED, SHUFFLED, exchange_sides, measure_reliance, names_side


def rows(*told, task="vqa"):
    """From (question, reference, answer), an image each."""
    return [
        Prediction(f"q{number}", "made", "test", (f"{number}.png",), task, question, reference, prediction=answer)
        for number, (question, reference, answer) in enumerate(told)
    ]


ASKED = [
    ("Which lobe?", "left upper"),
    ("Is the right lung clear?", "no"),
    ("What is shown?", "a mass"),
    ("Is it ill?", "yes"),
]


def told(*answers):
    return rows(*((*asked, answer) for asked, answer in zip(ASKED, answers)))


def values(found):
    return {name: figure["value"] for name, figure in found.items()}


def test_an_answer_that_never_looks_is_insensitive_and_a_shortcut_where_it_is_right():
    own = told("left upper", "yes", "a mass", "yes")
    found = values(measure_reliance(own, dict.fromkeys((SHUFFLED, BLIND, MIRRORED), own)))
    assert [found[f"changed {variant}"] for variant in (SHUFFLED, BLIND, MIRRORED)] == [0, 0, 0]
    assert (found["right own"], found["right blind"], found["shortcut"], found["gain over blind"]) == (75, 75, 100, 0)
    assert (found["mirror followed"], found["mirror asked"], found["mirror kept"]) == (0, 0, 100)


def test_an_answer_that_looks_changes_follows_the_mirror_and_is_no_shortcut():
    own = told("left upper", "no", "a mass", "yes")
    variants = {
        SHUFFLED: told("right lower", "yes", "a cyst", "no"),
        BLIND: told(None, "no", "nothing", "yes"),
        MIRRORED: told("Right upper.", "yes", "a mass", "no"),
    }
    found = measure_reliance(own, variants)
    assert values(found) == {
        "changed shuffled": 100,
        "changed blind": 50,
        "changed mirrored": 75,
        "right own": 100,
        "right shuffled": 0,
        "right blind": 50,
        "right mirrored": pytest.approx(200 / 3),
        "gain over blind": 50,
        "shortcut": 50,
        "mirror followed": 100,
        "mirror asked": 100,
        "mirror kept": 50,
    }
    assert [found[name]["n"] for name in ("right mirrored", "mirror followed", "mirror asked", "mirror kept")] == [
        3,
        1,
        1,
        2,
    ]
    assert found["changed blind"]["interval"]["low"] is not None


def test_no_answer_follows_nothing():
    own = told(None, None, None, None)
    found = measure_reliance(own, {MIRRORED: own, BLIND: own})
    assert found["mirror followed"]["value"] == 0 and found["shortcut"]["reason"] == "no such answers"


def test_reports_are_never_right_but_may_change():
    own = rows((None, "Clear lungs.", "Clear."), (None, "A mass.", "Clear."), task="report")
    assert values(measure_reliance(own, {BLIND: own})) == {"changed blind": 0}


@pytest.mark.parametrize(
    ("text", "exchanged"),
    [
        ("Left lung", "Right lung"),
        ("LEFT", "RIGHT"),
        ("right and left", "left and right"),
        ("both sides", "both sides"),
        ("brightest, leftover", "brightest, leftover"),
        ("左肺", "右肺"),
    ],
)
def test_sides_trade_places(text, exchanged):
    assert exchange_sides(text) == exchanged and names_side(text) == (text != exchanged)


@pytest.mark.parametrize("other", [told("a", "b", "c"), rows(*((f"{q}!", a, "x") for q, a in ASKED))])
def test_answers_to_other_questions_are_refused(other):
    with pytest.raises(DataError, match="not about the same questions"):
        measure_reliance(told("a", "b", "c", "d"), {BLIND: other})
