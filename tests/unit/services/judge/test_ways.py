"""Structured verdicts and soft scores, as replies give them."""

from __future__ import annotations

import math

import pytest

from pefomed_plugin.rubrics import REPORT, VQA
from pefomed_plugin.services.judge.prompts import parse_structured
from pefomed_plugin.services.judge.ways import Way, soft_value


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ('{"reason": "VERDICT: 0", "verdict": 3}', 3),
        (' {"verdict": 4}\n', 4),
        ('<think>hm</think>{"reason": "a", "verdict": 2}', 2),
        ("They compare.\nVERDICT: 1", 1),
        ('{"verdict": 9}', None),
        ('{"verdict": "3"}', None),
        ('{"verdict": true}', None),
        ('{"reason": "a"}', None),
        ('{"verdict": 3', None),
        ('[{"verdict": 3}]', None),
        ("", None),
    ],
)
def test_a_structured_reply_is_read_or_has_no_verdict(said, value):
    found = parse_structured(said, REPORT)
    assert found.value == value and (value is None) == bool(found.reason)


def digits(token, **top):
    return {"digit_logprobs": [{"at": 0, "token": "7", "top": {"7": 0.0}}, {"at": 9, "token": token, "top": top}]}


def test_the_soft_score_is_what_the_alternatives_expect():
    found = soft_value(
        digits("3", **{"3": math.log(0.6), "4": math.log(0.2), " 4": math.log(0.1), "x": 0.0}), 3, range(5)
    )
    assert found == pytest.approx((3 * 0.6 + 4 * 0.3) / 0.9)
    assert soft_value(digits(" 1", **{" 1": 0.0}), 1, (0, 1)) == 1.0
    for entry in ({}, {"digit_logprobs": []}, digits("2", **{"2": 0.0}), digits("3"), {"digit_logprobs": ["x"]}):
        assert soft_value(entry, 3, range(5)) is None


def test_levels_are_those_of_the_rubric():
    asked = Way(is_structured=True).parameters(tuple(VQA.values))
    assert asked["response_format"]["json_schema"]["schema"]["properties"]["verdict"]["enum"] == [0, 1]
    assert Way().parameters((0, 1)) == {} and Way().to_json() == {}
