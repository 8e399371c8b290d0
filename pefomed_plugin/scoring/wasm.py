"""WASM, the weighted average of report ratings from 0 to 4 (paper section 3.3, figure 2). Pure functions.

Who rates (GPT-4 or people) is another module's affair; what was not rated is counted and kept out of the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import DataError
from ..records import Score

LEVELS = (0, 1, 2, 3, 4)
"""0 is completely dissimilar, 4 very similar to the reference report."""
VERSION = "1"


@dataclass(frozen=True)
class Wasm:
    """Ratings of one run, or their mean over runs (then the counts are fractions)."""

    counts: tuple[float, ...]
    """Rated reports at each of the five levels."""
    unscored: int = 0
    """Reports without a usable rating; in no percentage and not in the mean."""

    @property
    def scored(self) -> float:
        """Rated reports."""
        return sum(self.counts)

    @property
    def percentages(self) -> tuple[float, ...]:
        """Share of each level among the rated reports, 0 to 100."""
        return tuple(100 * count / self.scored for count in self.counts)

    @property
    def value(self) -> float:
        """The paper's formula, sum(level * count) / sum(count): 0 to 4, higher is better."""
        return sum(level * count for level, count in zip(LEVELS, self.counts)) / self.scored


def wasm_from_counts(counts: Sequence[float], unscored: int = 0) -> Wasm:
    """WASM from the number of reports at levels 0 to 4.

    Raises:
        DataError: not five counts, a negative one, or nothing rated.
    """
    if len(counts) != len(LEVELS) or any(not count >= 0 for count in counts):
        raise DataError(f"WASM needs five counts, of level 0 to 4, none negative; got {list(counts)}")
    if not sum(counts):
        raise DataError("WASM over nothing: no report was rated")
    return Wasm(tuple(counts), unscored)


def summarise_wasm(scores: Sequence[Score]) -> Wasm:
    """WASM from one score a report, whose value is its level or None where it was not rated.

    Raises:
        DataError: nothing was rated, or a value is no level; all such records in one message.
    """
    rated = [score for score in scores if score.value is not None]
    problems: list[str] = [
        f"{score.sample_id}: {score.value} is no level; rate this report again"
        for score in rated
        if score.value not in LEVELS
    ]
    if problems:
        raise DataError("WASM ratings must be 0, 1, 2, 3 or 4", problems)
    counts = [sum(score.value == level for score in rated) for level in LEVELS]
    return wasm_from_counts(counts, unscored=len(scores) - len(rated))
