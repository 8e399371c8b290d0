"""How R2Gen (Chen et al. 2020, ``modules/tokenizers.py``) prepares IU-Xray reports before it scores them.

Many published IU-Xray figures were computed on these cut and cleaned references, and are higher for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

UNKNOWN = "<unk>"
_TOKENS = 59
"""``max_seq_length`` 60 holds the start symbol too."""
_LISTS = (
    [("..", ".")] * 3
    + [("1. ", "")]
    + [(f". {number}. ", ". ") for number in range(2, 6)]
    + [(f" {number}. ", ". ") for number in range(2, 6)]
)
_DELETED = re.compile(r"[.,?;*!%^&_+():<=>@\[\]{}\"/\\']")
"""The hyphen stays: in the published pattern it stands for the range from colon to bracket."""


def clean_report(text: str) -> str:
    """Lower-case words with a full stop as a token of its own behind each sentence.

    Its mistakes are kept: ``1. `` is deleted wherever it stands (``T8-T11. There`` becomes ``t8-t1there``), decimal
    points and slashes vanish (``1.6`` is ``16``), and an empty text is a full stop.
    """
    for old, new in _LISTS:
        text = text.replace(old, new)
    sentences = [_DELETED.sub("", sentence).strip() for sentence in text.strip().lower().split(". ")]
    return " . ".join(sentences) + " ."


def cut_report(text: str, vocabulary: frozenset[str] | None = None) -> str:
    """The first 59 tokens of the cleaned text; with a vocabulary, words outside it become ``<unk>``."""
    words = clean_report(text).split()[:_TOKENS]
    return " ".join(word if vocabulary is None or word in vocabulary else UNKNOWN for word in words)


def training_vocabulary(reports: Iterable[str], threshold: int = 3) -> frozenset[str]:
    """Words that occur at least ``threshold`` times in the cleaned training reports (3 in R2Gen's IU-Xray runs)."""
    counts = Counter(word for report in reports for word in clean_report(report).split())
    return frozenset(word for word, count in counts.items() if count >= threshold)
