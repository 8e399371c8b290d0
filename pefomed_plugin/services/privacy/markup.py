"""A text as its reader sees it, without tags, entities and escapes, and where each of its characters stands."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from dataclasses import dataclass

TAG = re.compile(r"</?[A-Za-z][^<>]{0,2000}>|<!--[^<>]{0,2000}-->")
_CELLS = r"</(?:td|th|dt|label)\s*>\s{0,80}<(?:td|dd|span|input)\b[^<>]{0,2000}>"
_TAGS = rf"\s{{0,80}}(?:{TAG.pattern})(?:\s{{0,80}}(?:{TAG.pattern})){{0,50}}\s{{0,80}}"
_INLINE = r"(?<=\w)</?(?i:b|i|u|s|em|strong|small|big|font|mark|sub|sup|span|wbr)\b[^<>]{0,200}>(?=\w)"
"""Letters of one word in other type; a reader sees no gap."""
_PIECES = re.compile(
    rf"(?P<cells>{_CELLS})|(?P<inline>{_INLINE})|(?P<tag>{_TAGS})|&#?\w{{2,24}};|\\u[0-9a-fA-F]{{4}}"
    r"|\\'(?P<rtf>[0-9a-fA-F]{2})"
)


@dataclass(frozen=True)
class Shown:
    """What a text shows, and where that stands."""

    text: str
    _shown_at: list[int]
    """Where in ``text`` each stretch begins that stands as it is in the original, or in place of markup."""
    _written_at: list[int]
    """Where that stands in the original."""
    _is_kept: list[bool]

    def within(self, written: str, start: int, end: int) -> tuple[int, int]:
        """Where a part of the text stands in the original, ``written``."""
        first, last = (bisect_right(self._shown_at, place) - 1 for place in (start, end - 1))
        begin = self._written_at[first] + (start - self._shown_at[first] if self._is_kept[first] else 0)
        if self._is_kept[last]:
            return begin, self._written_at[last] + end - self._shown_at[last]
        return begin, self._written_at[last + 1] if last + 1 < len(self._written_at) else len(written)


def without_markup(text: str) -> Shown | None:
    """What a text shows; None where it has no markup.

    A tag is a blank; a cell behind another one stands behind a colon, as what a form says stands behind its label.
    """
    if not ("<" in text or "&" in text or "\\u" in text or "\\'" in text):
        return None
    parts: list[str] = []
    shown_at: list[int] = []
    written_at: list[int] = []
    is_kept: list[bool] = []
    length = done = 0

    def add(part: str, place: int, kept: bool) -> None:
        nonlocal length
        if part:
            parts.append(part)
            shown_at.append(length)
            written_at.append(place)
            is_kept.append(kept)
            length += len(part)

    for piece in _PIECES.finditer(text):
        add(text[done : piece.start()], done, True)
        add(_instead(piece), piece.start(), False)
        done = piece.end()
    if not done:
        return None
    add(text[done:], done, True)
    return Shown("".join(parts), shown_at, written_at, is_kept)


def _instead(piece: re.Match[str]) -> str:
    if piece["cells"]:
        return ": "
    if piece["inline"]:
        return ""
    if piece["rtf"]:
        return bytes([int(piece["rtf"], 16)]).decode("cp1252", "replace")
    if piece["tag"]:
        return " "
    if piece.group().startswith("\\u"):
        return chr(int(piece.group()[2:], 16))
    return html.unescape(piece.group()).replace("\xa0", " ")
