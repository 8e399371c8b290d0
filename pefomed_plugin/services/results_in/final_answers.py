"""The answer at the end of a response that reasons, as MedEvalKit takes it: in a box, or between tags."""

from __future__ import annotations

import re

from ...text import without_reasoning

_BOX = re.compile(r"\\boxed\s*\{")
_BRACE = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)
"""A brace, or what is none: one behind a backslash."""
_WRAPPED = re.compile(r"\\(?:text(?:bf|it|rm|sf|tt)?|math(?:bf|it|rm|sf|tt)|mbox|operatorname)\s*\{([^{}]*)\}")
"""TeX around words that only says how they are set."""


def final_answer(response: str) -> str | None:
    """What stands in the last box, else in the last ``<answer>``; else the response without what was thought aloud.

    None where it ends within its thoughts.
    """
    said = without_reasoning(response)
    for text in (said or "", response):
        boxed = _last_box(text)
        if boxed is not None:
            return boxed
        tagged = re.findall(r"<answer>(.*?)(?:</answer>|$)", text, re.DOTALL)
        if tagged:
            return tagged[-1].strip()
    return response if said == response.strip() else said


def _last_box(text: str) -> str | None:
    """What the last ``\\boxed{}`` with balanced braces holds, without the TeX that only sets its words."""
    found, opened = None, []
    boxes = {match.end() - 1 for match in _BOX.finditer(text)}
    # One pass; of braces within a box only its own closing one counts, and the box that begins last wins.
    latest = -1
    for mark in _BRACE.finditer(text):
        if mark.group() == "{" or mark.end() - 1 in boxes:
            opened.append(mark.end() - 1)
        elif mark.group() == "}" and opened:
            start = opened.pop()
            if start in boxes and start > latest:
                latest, found = start, text[start + 1 : mark.start()]
    before = None
    while found is not None and found != before:
        before, found = found, _WRAPPED.sub(r"\1", found)
    return found if found is None else found.strip()
