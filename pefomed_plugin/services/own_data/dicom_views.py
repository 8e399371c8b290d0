"""What a DICOM film shows, by its header: frontal, lateral, or the name that the header has. Never guessed from
pixels."""

from __future__ import annotations

import re
from typing import Any

from ...readers.views import FRONTAL, LATERAL

POSITIONS = {
    "PA": FRONTAL,
    "AP": FRONTAL,
    "FRONTAL": FRONTAL,
    "LL": LATERAL,
    "RL": LATERAL,
    "LAT": LATERAL,
    "LATERAL": LATERAL,
}
"""``ViewPosition`` (PS3.3, C.8.1.1, C.8.11.1) -> view; another one is the view's name, in lower case."""
_WORDS = (
    (
        FRONTAL,
        re.compile(
            r"\b(?:p\.?a\.?|a\.?p\.?|d\.?v\.?|v\.?d\.?|frontale?|(?:postero-?anterior|antero-?posterior))(?!\w)"
        ),
    ),
    (LATERAL, re.compile(r"\b(?:lat\.?|lateral|seitl\.?|seitlich|ll|rl)(?!\w)")),
)
"""In descriptions, English and German."""
_SIDES = {"L": "left ", "R": "right "}
_NAMED_WITH_SIDE = frozenset(("MLO", "CC", "ML", "LM", "XCCL", "XCCM"))
"""Positions of mammography, where left and right are different films."""
UNTOLD = "not told"


def view_of(header: Any) -> tuple[str, str]:
    """The view, and which element of the header says it (``UNTOLD`` where none does)."""
    position = _text(header, "ViewPosition").upper()
    if position:
        side = _text(header, "ImageLaterality") or _text(header, "Laterality")
        if position in _NAMED_WITH_SIDE:
            return _SIDES.get(side.upper(), "") + position.lower(), "ViewPosition"
        return POSITIONS.get(position, position.lower()), "ViewPosition"
    for sequence in header.get("ViewCodeSequence") or ():
        view = _in_words(_text(sequence, "CodeMeaning"))
        if view:
            return view, "ViewCodeSequence"
    for name in ("SeriesDescription", "ProtocolName"):
        view = _in_words(_text(header, name))
        if view:
            return view, name
    return "", UNTOLD


def _in_words(text: str) -> str:
    """The one view that a description names; empty where it names none or both."""
    found = [view for view, words in _WORDS if words.search(text.casefold().replace("_", " "))]
    return found[0] if len(found) == 1 else ""


def _text(header: Any, name: str) -> str:
    value = header.get(name)
    return "" if value is None else str(value).strip()
