"""The most frequent answer, and the nearest of many sets of words: what the predictors are made of. Numbers only."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_WORD = re.compile(r"\w+")
_SAME = 1e-9
"""Similarities that differ by less are equal: sums in another order do."""


def words_of(text: str | None) -> frozenset[str]:
    """The different words of a text, case ignored."""
    return frozenset(_WORD.findall((text or "").casefold()))


def most_frequent(answers: Iterable[str]) -> str | None:
    """The most frequent answer, case and blanks ignored, as it was first written.

    Of equally frequent ones the first in the alphabet, so that it does not hang on the order of the training file. None
    where there is no answer.
    """
    spellings: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for answer in answers:
        key = plain(answer)
        spellings.setdefault(key, answer)
        counts[key] += 1
    return spellings[min(counts, key=lambda key: (-counts[key], key))] if counts else None


def plain(text: str | None) -> str:
    """A text with case and blanks evened out."""
    return " ".join((text or "").casefold().split())


def group_places(keys: Iterable[Hashable]) -> dict[Hashable, list[int]]:
    """Key -> where it stands."""
    places: dict[Hashable, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        places[key].append(place)
    return dict(places)


class Neighbours:
    """Sets of words, of which those nearest to another set are found.

    Nearness is Jaccard's: words in both over words in either. ``by_rarity``: each word counts by how rare it is among
    the sets, ``ln((1 + n) / (1 + n with the word)) + 1``; else all words count alike. An inverted index: only sets that
    share a word are looked at.
    """

    def __init__(self, sets: Sequence[frozenset[str]], by_rarity: bool = True) -> None:
        import numpy as np  # late: the command line names predictors without it

        self.places = group_places(sets)
        self._distinct: list[frozenset[str]] = list(self.places)  # type: ignore[arg-type]
        holding: Counter[str] = Counter(word for words in sets for word in words)
        self._unseen = float(np.log(1 + len(sets)) + 1) if by_rarity else 1.0
        self._weights = {
            word: float(np.log((1 + len(sets)) / (1 + n)) + 1) if by_rarity else 1.0 for word, n in holding.items()
        }
        at: dict[str, list[int]] = defaultdict(list)
        for number, words in enumerate(self._distinct):
            for word in words:
                at[word].append(number)
        self._at: Mapping[str, np.ndarray] = {word: np.array(numbers) for word, numbers in at.items()}
        self._sums = np.array([self._sum(words) for words in self._distinct])
        self._known: dict[frozenset[str], list[int]] = {}

    def nearest(self, words: frozenset[str]) -> list[int]:
        """Where the nearest sets stand, in their order: several where they are equally near, none where none shares a
        word."""
        if words not in self._known:
            self._known[words] = self._find(words)
        return self._known[words]

    def _find(self, words: frozenset[str]) -> list[int]:
        import numpy as np  # late: the command line names predictors without it

        shared = np.zeros(len(self._distinct))
        for word in sorted(words):  # a sum in one order, whatever the order of the set
            if word in self._at:
                shared[self._at[word]] += self._weights[word]
        if not shared.any():
            return []
        nearness = shared / (self._sums + self._sum(words) - shared)
        best = np.flatnonzero(nearness >= nearness.max() - _SAME)
        return sorted(place for number in best for place in self.places[self._distinct[number]])

    def _sum(self, words: frozenset[str]) -> float:
        return sum(self._weights.get(word, self._unseen) for word in sorted(words))
