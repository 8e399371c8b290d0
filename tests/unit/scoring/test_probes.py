"""Answers of known worth are what they say."""

from __future__ import annotations

from pefomed_plugin.records import CLOSED, OPEN
from pefomed_plugin.scoring.known import share_no_word
from pefomed_plugin.scoring.probes import (
    ECHO,
    MISSING,
    MOST_COMMON,
    NOT_NEGATED,
    OPTIONS,
    OTHER_SIDE,
    PERFECT,
    PROBES,
    RETRACTED,
    SWAPPED,
)

from .rows import predicted, reports

ANSWERS = (("yes", CLOSED), ("No", CLOSED), ("left lung", OPEN), ("lung", OPEN), ("x-ray", OPEN), ("yes", CLOSED))
QUESTIONS = [predicted(answer, None, n, answer_type=kind).sample for n, (answer, kind) in enumerate(ANSWERS)]
REPORTS = [
    found.sample
    for found in reports(
        [("No mass in the LEFT lung.", None), ("Normal.", None), ("Normal.", None), ("Right base.", None)]
    )
]


def texts(name, samples=QUESTIONS):
    return [found.prediction for found in PROBES[name].predictions(samples)]


def test_every_answer_of_a_question_probe_has_its_question() -> None:
    for probe in PROBES.values():
        if "vqa" in probe.tasks:
            found = probe.predictions(QUESTIONS)
            assert [each.sample for each in found] == QUESTIONS
            assert {each.producer["probe"] for each in found} == {probe.name}


def test_answers_to_questions() -> None:
    assert texts(PERFECT) == [answer for answer, _ in ANSWERS]
    assert texts(ECHO) == ["Is the invented finding seen?"] * 6
    assert texts(MISSING) == [None] * 6
    assert texts(RETRACTED)[:3] == ["yes. No, sorry: no", "No. No, sorry: yes", "left lung. No, sorry: x-ray"]
    assert texts(OPTIONS)[:3] == ["no, yes", "No, yes", "cannot be told, left lung, lung, x-ray"]
    assert all(share_no_word(answer, other) for (answer, _), other in zip(ANSWERS, texts(SWAPPED)))


def test_references_of_which_no_two_differ_cannot_be_swapped() -> None:
    assert PROBES[SWAPPED].predictions(QUESTIONS[:1]) == []
    assert PROBES[RETRACTED].predictions([QUESTIONS[2], QUESTIONS[3]]) == []


def test_reports() -> None:
    assert texts(OTHER_SIDE, REPORTS) == ["No mass in the RIGHT lung.", "Normal.", "Normal.", "Left base."]
    assert texts(NOT_NEGATED, REPORTS)[0] == "mass in the LEFT lung."
    assert texts(MOST_COMMON, REPORTS) == ["Normal."] * 4
    assert PROBES[MOST_COMMON].predictions(REPORTS[1:3]) == []
    assert all(other != sample.answer for other, sample in zip(texts(SWAPPED, REPORTS), REPORTS))
