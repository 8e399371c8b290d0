from __future__ import annotations

import json
from pathlib import Path

import pytest

from pefomed_plugin.records import CLOSED, OPEN
from pefomed_plugin.scoring import find_scorer
from pefomed_plugin.scoring.closed_questions import CLOSED_QUESTIONS, is_right_by_llava_med, score_closed_questions
from pefomed_plugin.scoring.files import measure
from pefomed_plugin.scoring.known import Known, lies_within, says_yes_or_no
from pefomed_plugin.services.audit.scorers import probe_answers

from .rows import predicted

FACTS = Path(__file__).resolve().parents[2] / "assets" / "facts" / "llava_med_closed.json"
PAIRS = json.loads(FACTS.read_text(encoding="utf-8"))["pairs"]


def test_every_verdict_of_their_own_code() -> None:
    wrong = [row for row in PAIRS if is_right_by_llava_med(row["answer"], row["prediction"]) is not row["right"]]
    assert wrong == [] and {row["right"] for row in PAIRS} == {True, False}


@pytest.mark.parametrize(
    ("answer", "prediction", "right"),
    [("no", "normal", 1.0), ("left", "left", 0.0), ("no", "yes or no", 1.0), ("yes", None, 0.0), ("yes", "no", 0.0)],
)
def test_what_is_wrong_in_the_rule_is_kept(answer: str, prediction: str | None, right: float) -> None:
    (score,) = score_closed_questions([predicted(answer, prediction, answer_type=CLOSED)])
    assert (score.value, score.scorer, score.version) == (right, "closed_accuracy/llava_med", "1")


def test_open_questions_are_not_scored() -> None:
    rows = [predicted("left", "left", id="a", answer_type=OPEN), predicted("yes", "yes", id="b", answer_type=CLOSED)]
    spec = find_scorer("llava_med_closed")
    measured = measure(spec, rows)
    assert [score.value for score in measured.scores[spec.name]] == [None, 1.0]
    assert measured.figures["closed"]["value"] == 100.0 and measured.figures["closed"]["n"] == 1


@pytest.mark.parametrize("row", PAIRS, ids=lambda row: row["answer"][:12])
def test_what_the_audit_expects_holds_for_every_pair(row: dict) -> None:
    pair = predicted(row["answer"], row["prediction"], answer_type=CLOSED)
    low, high = Known("perfect", says_yes_or_no, lies_within).bounds([pair])
    assert low <= row["right"] <= high


def test_the_audit_covers_it() -> None:
    (spec,) = CLOSED_QUESTIONS
    samples = [predicted(answer, "", id=answer, answer_type=CLOSED).sample for answer in ("yes", "no", "left")]
    assert {known.probe for known in spec.known} == set(probe_answers(samples))
