"""An audit finds scorers that count wrongly, and finds nothing at ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pefomed_plugin.records import CLOSED, OPEN, Score
from pefomed_plugin.scoring import SCORERS
from pefomed_plugin.scoring.exact_match import PEFOMED, score_exact_match
from pefomed_plugin.scoring.known import Known
from pefomed_plugin.scoring.probes import EMPTY, MISSING, PERFECT, PROBES, YES_OR_NO
from pefomed_plugin.scoring.spec import Measured
from pefomed_plugin.scoring.summary import summarise
from pefomed_plugin.services.audit.judges import known_judges
from pefomed_plugin.services.audit.scorers import NOT_RUN, OFF, RIGHT, audit_scorer, probe_answers
from tests.unit.scoring.rows import predicted, reports

ANSWERS = (
    ("yes", CLOSED),
    ("No", CLOSED),
    ("left lung", OPEN),
    ("x-ray", OPEN),
    ("an axial CT", OPEN),
    ("yes", CLOSED),
)
QUESTIONS = [predicted(answer, None, n, answer_type=kind).sample for n, (answer, kind) in enumerate(ANSWERS)]
REPORTS = [
    found.sample
    for found in reports(
        [
            ("No mass in the left lung. The heart is normal.", None),
            ("There is a nodule of 8 mm in the right lung without effusion.", None),
            ("Two rib fractures on the left. No pneumothorax is seen today.", None),
            ("Two rib fractures on the left. No pneumothorax is seen today.", None),
        ]
    )
]
ASKED, WRITTEN = probe_answers(QUESTIONS), probe_answers(REPORTS)
QUICK = [spec for spec in SCORERS.own.values() if not spec.name.startswith("lexical") and not spec.unasked]


@pytest.mark.parametrize("spec", [*QUICK, *known_judges()], ids=lambda spec: spec.name)
def test_ours_give_what_they_declare(spec):
    found = audit_scorer(spec, ASKED if "vqa" in spec.tasks else WRITTEN)
    assert {PERFECT, EMPTY, MISSING} <= {finding.probe for finding in found}
    assert [finding for finding in found if finding.verdict != RIGHT] == []


def test_every_scorer_of_ours_declares_what_it_gives():
    for spec in (*SCORERS.own.values(), *known_judges()):
        assert {PERFECT, EMPTY} <= {known.probe for known in spec.known}, spec.name
        assert all(known.probe in PROBES for known in spec.known)


def contains(predictions):
    """Right where the reference occurs in the answer, as many scripts have it."""
    return [
        Score(found.id, PEFOMED.name, "1", float(found.answer.lower() in (found.prediction or "").lower()))
        for found in predictions
    ]


def counted_twice(predictions):
    """Closed questions are counted once more."""
    scores = score_exact_match(predictions)
    figures = summarise(PEFOMED, predictions, scores)
    figures["overall"]["value"] += figures["closed"]["value"] * figures["closed"]["n"] / figures["overall"]["n"]
    return Measured({PEFOMED.name: scores}, figures)


def left_out(predictions):
    """What has no answer is not counted."""
    scores = score_exact_match(predictions)
    return [replace(s, value=None) if found.prediction is None else s for s, found in zip(scores, predictions)]


def fails(predictions):
    return [
        Score(found.id, PEFOMED.name, "1", float(found.prediction.strip() == found.answer)) for found in predictions
    ]


@pytest.mark.parametrize(
    ("wrong", "off"),
    [
        ({"function": contains}, {(YES_OR_NO, "closed"), ("retracted", "open"), ("every option", "overall")}),
        ({"function": None, "measure": counted_twice}, {(PERFECT, "overall"), ("always yes", "overall")}),
        ({"function": fails}, {(MISSING, "")}),
    ],
)
def test_a_scorer_that_counts_wrongly_is_found(wrong, off):
    found = {
        (each.probe, each.figure) for each in audit_scorer(replace(PEFOMED, **wrong), ASKED) if each.verdict == OFF
    }
    assert off <= found
    assert (PERFECT, "open") not in found


def test_what_a_double_count_gives():
    (whole, *_) = audit_scorer(replace(PEFOMED, function=None, measure=counted_twice), ASKED)
    assert (whole.probe, whole.figure, whole.verdict) == (PERFECT, "overall", OFF)
    assert (whole.low, whole.high, whole.value) == (100.0, 100.0, 150.0)


def test_a_figure_of_fewer_answers_is_off():
    def fewer(predictions):
        found = score_exact_match(predictions)
        figures = summarise(PEFOMED, predictions, found)
        figures["overall"]["n"] -= 1
        return Measured({PEFOMED.name: found}, figures)

    (whole, *_) = audit_scorer(replace(PEFOMED, function=None, measure=fewer), ASKED)
    assert (whole.verdict, whole.reason) == (OFF, "a figure of 5 of 6 answers")


def test_what_is_not_counted_is_not_run_and_what_must_fall_must_fall():
    found = audit_scorer(replace(PEFOMED, function=left_out), ASKED)
    assert {each.verdict for each in found if each.probe == MISSING} == {NOT_RUN}
    must_fall = replace(PEFOMED, known=(Known(PERFECT, 1), Known("always yes", 0, 1, below=PERFECT)))
    assert {each.verdict for each in audit_scorer(must_fall, ASKED)} == {RIGHT}
    stays = replace(must_fall, function=lambda rows: [Score(row.id, PEFOMED.name, "1", 1.0) for row in rows])
    reasons = {each.reason for each in audit_scorer(stays, ASKED) if each.verdict == OFF}
    assert reasons == {"not below 'perfect', 100"}


def test_punctuation_of_both_kinds_is_no_fault_of_a_rule_that_keeps_its_own():
    texts = ("non-bacterial growth", "small- to medium-sized", "左肺,右侧", "黑色")
    asked = [predicted(text, None, n, answer_type=OPEN).sample for n, text in enumerate(texts)]
    for spec in QUICK:
        if "vqa" in spec.tasks:
            assert [each for each in audit_scorer(spec, probe_answers(asked)) if each.verdict != RIGHT] == []
