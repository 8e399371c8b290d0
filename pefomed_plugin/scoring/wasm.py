"""The weighted mean of ratings by levels; of the paper's five it is WASM (section 3.3, figure 2). Pure functions.

What was not rated is counted and kept out of the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import DataError
from ..records import Score

VERSION = "1"


@dataclass(frozen=True)
class Wasm:
    """Ratings of one run, or their mean over runs (then the counts are fractions)."""

    levels: tuple[int, ...]
    """Values of the scale, the lowest first."""
    counts: tuple[float, ...]
    """Rated texts at each level."""
    unscored: int = 0
    """Texts without a usable rating; in no percentage and not in the mean."""

    @property
    def scored(self) -> float:
        """Rated texts."""
        return sum(self.counts)

    @property
    def percentages(self) -> tuple[float, ...]:
        """Share of each level among the rated texts, 0 to 100."""
        return tuple(100 * count / self.scored for count in self.counts)

    @property
    def value(self) -> float:
        """The paper's formula, sum(level * count) / sum(count); higher is better."""
        return sum(value * count for value, count in zip(self.levels, self.counts)) / self.scored


def wasm_from_counts(counts: Sequence[float], levels: Sequence[int], unscored: int = 0) -> Wasm:
    """WASM from the number of texts at each level, the lowest first.

    Raises:
        DataError: not one count per level, a negative one, or nothing rated.
    """
    if len(counts) != len(levels) or any(not count >= 0 for count in counts):
        raise DataError(
            f"WASM needs {len(levels)} counts, one for each of {', '.join(map(str, levels))}, none negative; got "
            f"{list(counts)}"
        )
    if not sum(counts):
        raise DataError("WASM over nothing: no text was rated")
    return Wasm(tuple(levels), tuple(counts), unscored)


def summarise_wasm(scores: Sequence[Score], levels: Sequence[int]) -> Wasm:
    """WASM from one score per text, whose value is its level or None where it was not rated.

    Raises:
        DataError: nothing was rated, or a value is not a level; all such records in one message.
    """
    rated = [score for score in scores if score.value is not None]
    problems = [
        f"{score.sample_id}: {score.value} is not a level; rate this text again"
        for score in rated
        if score.value not in levels
    ]
    if problems:
        raise DataError(f"ratings must be one of {', '.join(map(str, levels))}", problems)
    counts = [sum(score.value == value for score in rated) for value in levels]
    return wasm_from_counts(counts, levels, unscored=len(scores) - len(rated))
