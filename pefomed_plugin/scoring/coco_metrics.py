"""BLEU, ROUGE-L and CIDEr with pycocoevalcap's values; its ROUGE-L is computed here, some thirty times as fast.

Texts are strings of tokens with single blanks between them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Optional

from ..errors import ConfigError
from ..requirements import Need
from .pairing import mean

PYCOCOEVALCAP = Need("pycocoevalcap", "report metrics", "pycocoevalcap")
Values = tuple[Optional[float], list[Optional[float]]]
"""Of the data set, and of each text."""

_BETA = 1.2
"""Weight of recall against precision in the COCO tools; rouge-score's F1 has 1."""


def bleu(references: Sequence[str], hypotheses: Sequence[str]) -> list[Values]:
    """BLEU-1 to BLEU-4. Raises ConfigError without pycocoevalcap."""
    try:
        from pycocoevalcap.bleu.bleu import Bleu  # late: optional
    except ImportError as error:
        raise ConfigError(PYCOCOEVALCAP.message) from error
    corpus, per_sample = Bleu(4).compute_score(_items(references), _items(hypotheses), verbose=0)
    return [(float(value), [float(value) for value in values]) for value, values in zip(corpus, per_sample)]


def cider(references: Sequence[str], hypotheses: Sequence[str], reasons: dict[str, str]) -> Values:
    """pycocoevalcap's CIDEr, except where it says 0 or fails because there is nothing to weigh words by."""
    from pycocoevalcap.cider.cider import Cider  # late: optional

    if len(references) < 2 or not any(references):
        reasons["cider"] = "CIDEr weighs words by their rarity and needs at least two items with words"
        return None, [None] * len(references)
    corpus, per_sample = Cider().compute_score(_items(references), _items(hypotheses))
    return float(corpus), [float(value) for value in per_sample]


def _items(texts: Sequence[str]) -> dict[int, list[str]]:
    """The shape pycocoevalcap takes: item -> list of token strings."""
    return {number: [text] for number, text in enumerate(texts)}


def rouge(references: Sequence[str], hypotheses: Sequence[str]) -> Values:
    """ROUGE-L of each pair, and their mean."""
    values = [rouge_l(reference, hypothesis) for reference, hypothesis in zip(references, hypotheses)]
    return mean(values), list(values)


def rouge_l(reference: str, hypothesis: str) -> float:
    """F measure of the longest common subsequence, 0 to 1. Tokens are separated by single blanks.

    An empty text is one empty token, as in pycocoevalcap: two empty texts score 1.
    """
    wanted, said = reference.split(" "), hypothesis.split(" ")
    common = longest_common_subsequence(wanted, said)
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(wanted)
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def longest_common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence, a whole row of the table at a time in the bits of one integer.

    Hyyro, "Bit-parallel LCS-length computation revisited" (2004): a zero bit of ``row`` is a step of the table.
    """
    places: dict[str, int] = defaultdict(int)
    for place, word in enumerate(first):
        places[word] |= 1 << place
    full = (1 << len(first)) - 1
    row = full
    for word in second:
        matches = row & places.get(word, 0)
        row = (row + matches) | (row - matches)
    return bin(~row & full).count("1")
