"""Patterns on texts from outside take steps in proportion to their length; counted, not timed."""

from __future__ import annotations

import re
import sys

import pytest

from pefomed_plugin import text
from pefomed_plugin.rubrics import REPORT
from pefomed_plugin.services import spreadsheets
from pefomed_plugin.services.judge import prompts, refusals
from pefomed_plugin.services.judge.prompts import parse_verdict
from pefomed_plugin.services.privacy import patterns
from tests.unit.steps import count_steps

PRIVACY_UNITS = ("Aa-", "Aa ", "Aa, ", "1-", "1.", "00 ", "a@", "1.1.", "_", "Dr. ", "a")
"""What the patterns of ``pefomed privacy`` take apart."""
UNITS = ("\n", " ", "a", "1", "1,111", "a.", "<", "<think>", "</", "VERDICT ", "verdict:", "the ", "system ", "* ")
STARTS = ("", "<", "1", "the ")
SEARCHED = [
    pytest.param(pattern, id=f"{module.__name__.rpartition('.')[2]}.{name}")
    for module in (text, prompts, refusals)
    for name, pattern in vars(module).items()
    if isinstance(pattern, re.Pattern) and pattern is not prompts._VALUE  # it is matched with the whole line only
]


def grows(count):
    """Texts of a kind on which four times the length takes much more than four times the steps."""
    return [
        (start, unit)
        for start in STARTS
        for unit in UNITS
        if count(start + unit * (160 // len(unit)) + "!") > 6 * count(start + unit * (40 // len(unit)) + "!") + 100
    ]


@pytest.mark.parametrize("pattern", SEARCHED)
def test_a_pattern_is_linear(pattern):
    assert grows(lambda content: count_steps(pattern, content)) == []


@pytest.mark.parametrize("number", range(len(patterns._COMPILED)))
def test_a_pattern_of_what_identifies_is_linear(number):
    """Its words have a greatest length, so that what a hostile text costs grows with its length at most."""
    _, pattern = patterns._COMPILED[number]
    steps = {
        unit: [count_steps(pattern, unit * (size // len(unit)) + "!") for size in (120, 360)] for unit in PRIVACY_UNITS
    }
    assert [unit for unit, (once, thrice) in steps.items() if thrice > 4.5 * once + 500] == []


@pytest.mark.parametrize(
    ("pattern", "flags"),
    [
        (r"^[\s*_`#>-]*VERDICT[\s*_`]*[:\uff1a](.*)$", re.IGNORECASE | re.MULTILINE),
        (r"<(\s*/?\s*(?:question|reference|given)\s*)>", re.IGNORECASE),
        (r"<(think|thought)\s*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL),
    ],
)
def test_the_count_finds_what_is_not(pattern, flags):
    assert grows(lambda content: count_steps(re.compile(pattern, flags), content))


@pytest.mark.parametrize("pattern", [prompts._VALUE, spreadsheets.NUMBERLIKE])
def test_a_pattern_of_whole_texts_is_linear(pattern):
    whole = re.compile(r"\A(?:" + pattern.pattern + r")\Z", pattern.flags)
    assert grows(lambda content: count_steps(whole, content)) == []


@pytest.mark.parametrize("read", [lambda reply: parse_verdict(reply, REPORT), text.without_reasoning])
def test_what_is_done_beside_patterns_is_linear(read):
    def lines_run(content):
        count = 0

        def trace(frame, event, argument):
            nonlocal count
            count += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            read(content)
        finally:
            sys.settrace(before)
        return count

    assert grows(lines_run) == []


def test_64_000_blank_lines_are_read():
    assert parse_verdict("\n" * 64_000 + "VERDICT: 3", REPORT).value == 3
    assert parse_verdict("VERDICT: 3" + " " * 64_000 + "x", REPORT).value is None
    assert prompts.neutralise_votes("<" + "\n" * 64_000) == "<" + "\n" * 64_000
    assert text.without_reasoning("<think>" * 30_000) is None
