"""Sections of MIMIC-CXR reports by the official rules (github MIT-LCP/mimic-cxr, ``txt/``).

A header is a line that begins with a blank and capitals up to a colon. Names are unified; when one occurs twice the
last counts, so that a report counts before the addenda and wet reads that stand above it. 54 reports that these rules
cannot read were sectioned by hand; the official table of findings and impressions leaves them out.
"""

from __future__ import annotations

import re
from functools import lru_cache

_HEADER = re.compile(r"\n ([A-Z ()/,-]+):\s")
_PARAGRAPH = "\n \n"

_SAME_NAMES = {
    "impression": "conclusion|ndication|impresson|imprression|imoression|impressoin|imprssion|impresion|imperssion"
    "|mpression|impession",
    "findings": "finding|findins|findindgs|findgings|findngs|findnings|finidngs",
    "comparison": "reference exam|comparision|comparsion|comparrison|comparisions",
    "indication": "reason for examination|reason for exam|clinical indication|idication",
    "history": "clinical information|pfi",
    "examination": "exam|type of examination",
    "recommendations": "recommendation(s)|recommendation",
    "wet read": "wetread",
}
"""Spellings of the release (``ndication`` stands above one impression)."""
_SECTION_OF = {spelling: name for name, spellings in _SAME_NAMES.items() for spelling in spellings.split("|")}
_KEPT = frozenset(
    (
        "preamble",
        "indication",
        "examination",
        "technique",
        "notification",
        "date",
        "comment",
        "recommendations",
        "wet read",
    )
)
_CONTAINED = ("impression", "findings", "history", "comparison", "addendum")
_VIEWS = re.compile(
    "chest|portable|ribs|bone window|frontal (?:and|view|upright|semi-upright)"
    "|two views|(?:one|pa|ap|lateral) view|(?:pa|ap) and lat|lateral and (?:pa|ap)"
)
"""A header that only names the views stands above the findings."""

_HAND_NAMED = {
    "recommendations": "50913680 59768032 59067458 59087630 58157373 56482935 58375018",
    "examination": "59363654 53356173 50743547 59215320 55157853",
    "technique": "59279892 53202765 50808053",
    "indication": "57936451 50058765 51966317 55124749 54365831 54654948",
    "note": "56451190",
    "history": "51491012",
}
"""Studies whose text stands under an unusual header."""
_SECTION_OF_STUDY = {study: name for name, studies in _HAND_NAMED.items() for study in studies.split()}
_SPAN_OF_STUDY = {
    "50525523": (201, 349),
    "57564132": (233, 554),
    "59982525": (313, 717),
    "53488209": (149, 475),
    "54875119": (234, 988),
    "50196495": (59, 399),
    "56579911": (59, 218),
    "52648681": (292, 631),
    "59889364": (172, 453),
    "53514462": (73, 377),
    "59505494": (59, 450),
    "53182247": (59, 412),
    "51410602": (47, 320),
    "56412866": (522, 822),
    "54986978": (59, 306),
    "59003148": (262, 505),
    "57150433": (61, 394),
    "56760320": (219, 457),
    "59562049": (158, 348),
    "52674888": (145, 296),
    "55258338": (192, 568),
    "59330497": (140, 655),
    "52119491": (179, 454),
    "58235663": (0, 0),
    "50798377": (0, 0),
    "54168089": (0, 0),
    "53071062": (0, 0),
    "56724958": (0, 0),
    "54231141": (0, 0),
    "53607029": (0, 0),
    "52035334": (0, 0),
}
"""Studies whose text is given by character positions; (0, 0) has none."""

HAND_SECTIONED = frozenset(_SECTION_OF_STUDY) | frozenset(_SPAN_OF_STUDY)
"""Study ids (eight digits) that ``mimic_cxr_sectioned.csv`` leaves out."""


def sections_of(report: str) -> dict[str, str]:
    """Text by section name, without blanks at its ends; ``preamble`` is what stands before the first header.

    When a report has neither impression nor findings, what follows the first empty line of its last section is
    ``last_paragraph``. A report without headers is one section, ``full report``.
    """
    sections = [(name, text) for name, text in _split(report) if text.strip() or name not in ("impression", "findings")]
    names = {name for name, _ in sections}
    if "impression" not in names and "findings" not in names:
        name, text = sections[-1]
        first, empty_line, rest = text.partition(_PARAGRAPH)
        if empty_line:
            sections[-1:] = [(name, first), ("last_paragraph", rest)]
    return {name: text.strip() for name, text in sections}


def official_text(study: str, report: str) -> str:
    """The one text the official extraction takes from a report; empty when it finds none.

    Impression before findings before last paragraph before comparison, and the hand-made exceptions.

    Args:
        study: ``study_id``, eight digits.
        report: the file's text, lines ended by LF.
    """
    if study in _SPAN_OF_STUDY:
        start, end = _SPAN_OF_STUDY[study]
        return report[start:end]
    sections = sections_of(report)
    if study in _SECTION_OF_STUDY:
        return sections.get(_SECTION_OF_STUDY[study], "")
    return next(
        (sections[name] for name in ("impression", "findings", "last_paragraph", "comparison") if name in sections), ""
    )


@lru_cache(maxsize=4096)
def section_name(header: str) -> str:
    """Unified name of a header: ``CHEST, TWO VIEWS`` -> ``findings``; an unknown one in lower case."""
    name = header.strip().lower()
    if name in _KEPT:
        return name
    if name in _SECTION_OF:
        return _SECTION_OF[name]
    known = next((part for part in _CONTAINED if part in name), None)
    return known or ("findings" if _VIEWS.search(name) else name)


def _split(report: str) -> list[tuple[str, str]]:
    """Unified name and text of each section, in order."""
    header: re.Match | None = _HEADER.search(report)
    if header is None:
        return [("full report", report)]
    sections = [("preamble", report[: header.start(1)])]
    while header is not None:
        start = header.end()
        # The rest of a header's own line, or the line after it, is never taken for the next header.
        following = _HEADER.search(report, max(start, report.find("\n", start)))
        sections.append((section_name(header[1]), report[start : following.start() if following else len(report)]))
        header = following
    return sections
