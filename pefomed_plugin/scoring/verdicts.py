"""Reading a judge's reply: the last verdict, strictly, or why there is none. A pure function of the text.

Strict because a guess is a wrong figure: ``3.5``, ``3/4``, ``1 or 2`` and a value outside the scale are no verdicts,
no earlier line is taken in place of a last one that cannot be read, and what a model thinks aloud decides nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..rubrics import Rubric
from ..text import without_reasoning

VERSION = "2"
"""Changes whenever the same reply could be read differently. 2: not inside ``<think>``; a full-width colon is one."""
_LINE = re.compile(r"^[\s*_`#>-]*VERDICT[\s*_`]*[:\uff1a](.*)$", re.IGNORECASE | re.MULTILINE)
_VALUE = re.compile(r"[\s*_`\[(]*(\d{1,3})[\s*_`\])]*[.\u3002]?[\s*_`]*")


@dataclass(frozen=True)
class Verdict:
    """What a reply says."""

    value: int | None
    """A value of the scale, or None where the reply gives none."""
    reason: str | None = None
    """Why there is no value; never words of the reply."""


def parse_verdict(reply: str, rubric: Rubric) -> Verdict:
    """The value on the last line ``VERDICT: N`` of a reply; Markdown around it is allowed.

    >>> from pefomed_plugin.rubrics import VQA
    >>> parse_verdict("They name the same organ.\\nVERDICT: 1", VQA).value
    1
    """
    if not reply.strip():
        return Verdict(None, "empty reply")
    said = without_reasoning(reply)
    if said is None:
        return Verdict(None, "the reply ends inside its reasoning; a larger --max-tokens gives room")
    lines = _LINE.findall(said)
    if not lines:
        return Verdict(None, "no verdict in the reply")
    found = _VALUE.fullmatch(lines[-1])
    if found is None:
        return Verdict(None, "the verdict is no whole number")
    value = int(found.group(1))
    if value not in rubric.values:
        return Verdict(None, f"the verdict is none of {rubric.scale}")
    return Verdict(value)
