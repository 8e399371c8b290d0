"""One model's answers as a judge and people rated them, as arrays that ``corrected`` and ``rating_plan`` estimate from.

Pure; numpy inside.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import DataError
from .agreement import Values
from .intervals import number_clusters
from .prediction_powered import predict_mean
from .reweighting import sum_clusters

FEWEST, FEWEST_CLUSTERS = 20, 15
"""Ratings, and studies or images that they are of, below which nothing is estimated: no coverage was shown there."""


@dataclass(frozen=True)
class JudgedAndRated:
    """One model's answers: the judge's verdicts, people's ratings, None where there is none; one each an answer."""

    judge: Values
    """A mean over runs need not be a level."""
    people: Values
    """A mean over raters neither."""
    missing: Sequence[bool] = ()
    """Whether there is no answer, so that its worst rating is certain; empty: all were given."""

    def only(self, places: Sequence[int]) -> JudgedAndRated:
        """A part of the answers."""
        missing = [self.missing[place] for place in places] if self.missing else ()
        return JudgedAndRated([self.judge[k] for k in places], [self.people[k] for k in places], missing)


@dataclass(frozen=True)
class Paired:
    """Verdicts and ratings as shares of the scale, of the answers that the judge has a verdict on.

    Answers that are missing are not among them: what is estimated of the others holds for a ``share`` of all.
    """

    judge: Any
    """(n,)"""
    people: Any
    """(n,), NaN where nobody rated."""
    numbers: Any
    """(n,) number of each one's patient, study or image."""
    unjudged: int
    missing: int

    @property
    def rated(self) -> Any:
        """(n,) whether people rated it."""
        import numpy as np  # late: heavy

        return ~np.isnan(self.people)

    @property
    def clusters(self) -> int:
        """Studies or images that the rated ones are of."""
        return len(set(self.numbers[self.rated].tolist()))

    @property
    def share(self) -> float:
        """Of the answers that are not missing."""
        return len(self.judge) / max(1, len(self.judge) + self.missing)

    @property
    def counts(self) -> dict[str, Any]:
        """The counts of ``Corrected``."""
        n, rated = len(self.judge) + self.missing, int(self.rated.sum())
        return {
            "n": n,
            "rated": rated,
            "clusters": self.clusters,
            "unjudged": self.unjudged,
            "missing": self.missing,
        }

    @property
    def own(self) -> tuple[float | None, float | None]:
        """Mean of the judge over all, missing ones included, and of people over what they rated."""
        people = self.people[self.rated]
        by_judge = float(self.judge.mean()) * self.share if len(self.judge) else None
        return by_judge, float(people.mean()) if len(people) else None

    @property
    def too_few(self) -> str | None:
        """Why nothing can be estimated; None where it can."""
        rated = int(self.rated.sum())
        if rated < FEWEST:
            return f"too few ratings: {rated}, needs {FEWEST}"
        if self.clusters < FEWEST_CLUSTERS:
            return f"too few ratings: of {self.clusters} studies or images, needs {FEWEST_CLUSTERS}"
        return None

    def predict(self) -> tuple[float, float]:
        """The prediction-powered mean and the judge's weight."""
        rated = self.rated
        found = predict_mean(self.people[rated], self.judge[rated], self.judge[~rated])
        return found.value, found.weight

    def sums(self) -> Any:
        """As ``reweighting.sum_clusters``."""
        return sum_clusters(self.judge, self.people, self.numbers)


def pair_up(answers: JudgedAndRated, clusters: Sequence[Hashable], lowest: float, highest: float) -> Paired:
    """Verdicts and ratings as arrays, 0 at ``lowest`` and 1 at ``highest``.

    Raises:
        DataError: lists of different length, or values outside the scale.
    """
    import numpy as np  # late: heavy

    if not len(answers.judge) == len(answers.people) == len(clusters):
        raise DataError("judge, people and clusters must be of the same answers")
    values = [value for of in (answers.judge, answers.people) for value in of if value is not None]
    if any(not lowest <= value <= highest for value in values):
        raise DataError(f"ratings outside {lowest:g} to {highest:g} cannot be corrected")
    missing = answers.missing or [False] * len(clusters)
    rows: list[Any] = [row for row in zip(answers.judge, answers.people, clusters, missing) if row[0] is not None]
    given = [row for row in rows if not row[3]]
    judge, people = (
        (np.array([np.nan if row[k] is None else row[k] for row in given], dtype=float) - lowest) / (highest - lowest)
        for k in (0, 1)
    )
    numbers = np.array(number_clusters([row[2] for row in given]), dtype=int)
    return Paired(judge, people, numbers, len(clusters) - len(rows), len(rows) - len(given))


def pair_difference(
    one: JudgedAndRated, other: JudgedAndRated, clusters: Sequence[Hashable], lowest: float, highest: float
) -> tuple[Paired, tuple[Paired, Paired]]:
    """The differences of two models over the questions that both have a verdict on, -1 to 1; and the two themselves.

    Raises:
        DataError: as ``pair_up``.
    """
    both = [place for place, pair in enumerate(zip(one.judge, other.judge)) if None not in pair]
    missing = [bool(one.missing and other.missing and one.missing[k] and other.missing[k]) for k in both]
    kept = [clusters[place] for place in both]
    first, second = (pair_up(replace(of.only(both), missing=missing), kept, lowest, highest) for of in (one, other))
    unjudged = len(clusters) - len(both)
    apart = replace(first, judge=first.judge - second.judge, people=first.people - second.people, unjudged=unjudged)
    return apart, (first, second)
