"""Reading a judge's reply: the last verdict, strictly, or why there is none. A pure function of the text.

Strict because a guess is a wrong figure: ``3.5``, ``3/4``, ``1 or 2`` and a value outside the scale are no verdicts,
and no earlier line is taken in place of a last one that cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

VERSION = "1"
"""Changes whenever the same reply could be read differently."""
_LINE = re.compile(r"^[\s*_`#>-]*VERDICT[\s*_`]*:(.*)$", re.IGNORECASE | re.MULTILINE)
_VALUE = re.compile(r"[\s*_`\[(]*(\d{1,3})[\s*_`\])]*\.?[\s*_`]*")


@dataclass(frozen=True)
class Verdict:
    """What a reply says."""

    value: int | None
    """A value of the scale, or None where the reply gives none."""
    reason: str | None = None
    """Why there is no value; never words of the reply."""


def parse_verdict(reply: str, scale: Sequence[int]) -> Verdict:
    """The value on the last line ``VERDICT: N`` of a reply; Markdown around it is allowed.

    >>> parse_verdict("They name the same organ.\\nVERDICT: 1", (0, 1)).value
    1
    """
    lines = _LINE.findall(reply)
    if not lines:
        return Verdict(None, "no verdict in the reply" if reply.strip() else "empty reply")
    found = _VALUE.fullmatch(lines[-1])
    if found is None:
        return Verdict(None, "the verdict is no whole number")
    value = int(found.group(1))
    if value not in scale:
        return Verdict(None, f"the verdict is outside {min(scale)} to {max(scale)}")
    return Verdict(value)
