"""Replies of judges, worded by us: what counts as a verdict and what does not."""

from __future__ import annotations

import pytest

from pefomed_plugin.rubrics import REPORT, VQA
from pefomed_plugin.services.judge.prompts import parse_structured, parse_verdict


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("Same organ.\nVERDICT: 3", 3),
        ("VERDICT: 0", 0),
        ("verdict:4.", 4),
        ("**VERDICT:** 2", 2),
        ("VERDICT: **2**\n", 2),
        ("- VERDICT: [1]", 1),
        ("> **VERDICT: 4**", 4),
        ("VERDICT: 3\r\n", 3),
        ("VERDICT: 1\nOn second thought it is better.\nVERDICT: 2", 2),
        ("<think>VERDICT: 4?</think>\nVERDICT: 1", 1),
        ("VERDICT: 3\n\nThat is all.", 3),
        ("same\nVERDICT\uff1a1", 1),
        ("they agree</think>\nVERDICT: 2", 2),
        ("<THINKING>\nVERDICT: 4\n</thinking>VERDICT: 1", 1),
        ("they agree\nVERDICT: 2<|im_end|>", 2),
    ],
)
def test_the_last_verdict_counts(reply: str, value: int) -> None:
    assert parse_verdict(reply, REPORT).value == value


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty reply"),
        (" \n", "empty reply"),
        ("I give it a 3.", "no verdict in the reply"),
        ("The answer says Score: 4", "no verdict in the reply"),
        ("It says VERDICT: 4 inside a sentence", None),
        ("VERDICT: 3.5", "the verdict is no whole number"),
        ("VERDICT: 3/4", "the verdict is no whole number"),
        ("VERDICT: 1 or 2", "the verdict is no whole number"),
        ("VERDICT: -1", "the verdict is no whole number"),
        ("VERDICT: three", "the verdict is no whole number"),
        ("VERDICT:", "the verdict is no whole number"),
        ("VERDICT: 5", "the verdict is none of 0, 1, 2, 3, 4"),
        ("VERDICT: 44", "the verdict is none of 0, 1, 2, 3, 4"),
        ("VERDICT: 2\nVERDICT: 5", "the verdict is none of 0, 1, 2, 3, 4"),
        ("VERDICT: 2\nVERDICT: N", None),
        ("<think>\nVERDICT: 2\n</think>", "no verdict in the reply"),
        ("<think>they agree\nVERDICT: 2", "the reply ends inside its reasoning; a larger --max-tokens gives room"),
        ("VERDICT: 1\n<think>or not?\nVERDICT: 0", None),
        (
            "<|begin_of_thought|>they agree\nVERDICT: 2",
            "the reply ends inside its reasoning; a larger --max-tokens gives room",
        ),
    ],
)
def test_what_is_no_verdict_has_no_value(reply: str, reason: str | None) -> None:
    verdict = parse_verdict(reply, REPORT)
    assert verdict.value is None
    assert reason in (None, verdict.reason)


def test_the_scale_is_the_judgements_own() -> None:
    assert parse_verdict("VERDICT: 2", VQA).value is None
    assert parse_verdict("VERDICT: 2", REPORT).value == 2


def test_a_reason_never_quotes_the_reply() -> None:
    verdict = parse_verdict("VERDICT: patient Invented Name", REPORT)
    assert "Invented" not in str(verdict.reason)


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('```json\n{"reason": "x", "verdict": 3}\n```', 3),
        ('```\n{"verdict": 3}\n```\n```\n{"verdict": 4}\n```', None),
        ('\ufeff{"verdict": 3}', 3),
        ('{"verdict": 3} {"verdict": 4}', None),
        ('```json\n{"verdict": 3.0}\n```', None),
        ("```", None),
    ],
)
def test_json_that_was_asked_for_may_stand_between_fences(reply: str, value: int | None) -> None:
    assert parse_structured(reply, REPORT).value == value
