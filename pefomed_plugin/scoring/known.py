"""What a scorer must give to answers whose worth is known; declared beside each scorer, tried by ``pefomed audit``.

A bound is a number, or what a plain rule over reference and answer gives, averaged over the questions. The rules here
know nothing of the scorers' own normalisations, so that they can find a mistake in them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Callable, Union

from ..records import Prediction

Bound = Union[float, Callable[[Prediction], float]]
"""In the unit of the scorer's range, whatever unit is shown."""


@dataclass(frozen=True)
class Known:
    """Between what a figure must lie, for the answers of one probe."""

    probe: str
    """Name of the probe (``probes.py``)."""
    low: Bound
    """At least."""
    high: Bound | None = None
    """At most; None: exactly ``low``."""
    below: str = ""
    """Name of another probe, than which it must be lower where the two differ in any answer."""
    figures: tuple[str, ...] = ()
    """Keys of ``metrics.json`` that it is about; none: every figure of the scorer."""

    def bounds(self, predictions: list[Prediction]) -> tuple[float, float]:
        """Both bounds over these predictions, in the unit of the range."""
        high = self.low if self.high is None else self.high
        return _mean(self.low, predictions), _mean(high, predictions)


def _mean(bound: Bound, predictions: list[Prediction]) -> float:
    if not callable(bound):
        return bound
    return sum(map(bound, predictions)) / len(predictions)


def same(prediction: Prediction) -> float:
    """1 where the answer is the reference letter by letter, white space at the ends aside."""
    return float((prediction.prediction or "").strip() == prediction.answer.strip())


def alike(prediction: Prediction) -> float:
    """1 where letters and digits are the same, once case, articles, number words and blanks are out of the way."""
    return float("".join(_words(prediction.prediction or "")) == "".join(_words(prediction.answer)))


def touches(prediction: Prediction) -> float:
    """1 where answer and reference share a word, or one is written within the other."""
    said, wanted = _words(prediction.prediction or ""), _words(prediction.answer)
    joined = sorted(("".join(said), "".join(wanted)), key=len)
    return float(bool(set(said) & set(wanted)) or (bool(joined[0]) and joined[0] in joined[1]))


def holds(prediction: Prediction) -> float:
    """1 where every word of the reference is in the answer, as often."""
    wanted = Counter(_words(prediction.answer))
    return float(bool(wanted) and not wanted - Counter(_words(prediction.prediction or "")))


def holds_plainly(prediction: Prediction) -> float:
    """The same, where the reference has no punctuation; 0 where it has: rules differ in what they make of that."""
    is_plain = all(letter.isalnum() or letter.isspace() for letter in prediction.answer)
    return holds(prediction) if is_plain else 0.0


def has_words(prediction: Prediction) -> float:
    """1 where the reference has a word that is no article."""
    return float(bool(_words(prediction.answer)))


def says_yes_or_no(prediction: Prediction) -> float:
    """1 where the reference is yes or no, and a word of the answer."""
    wanted = prediction.answer.strip().lower()
    return float(wanted in ("yes", "no") and wanted in _words(prediction.prediction or ""))


def lies_within(prediction: Prediction) -> float:
    """1 where the answer has the letters yes or no somewhere, and those of the reference, blanks and marks aside."""
    said = "".join(_words(prediction.prediction or ""))
    has_yes_or_no = any(word in (prediction.prediction or "").casefold() for word in ("yes", "no"))
    return float(has_yes_or_no and "".join(_words(prediction.answer)) in said)


_ARTICLES = ("a", "an", "the")
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = {"none": "0", **{word: str(number) for number, word in enumerate(_NUMBERS)}}
_BETWEEN = re.compile(r"(?<=\d)(?=[^\W\d])|(?<=[^\W\d])(?=\d)")
"""Between a number and its unit."""


@lru_cache(maxsize=1 << 15)
def _words(text: str) -> tuple[str, ...]:
    """Runs of letters or of digits, without articles; number words up to ten as digits."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    spaced = "".join(letter if letter.isalnum() else " " for letter in plain)
    runs = _BETWEEN.sub(" ", spaced).split()
    return tuple(_DIGITS.get(run, run) for run in runs if run not in _ARTICLES)


def share_no_word(one: str, other: str) -> bool:
    """Whether two texts have no word in common, also not written as one."""
    return not set(_words(one)) & set(_words(other)) and "".join(_words(one)) != "".join(_words(other))
