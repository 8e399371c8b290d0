"""Several judges' verdicts as one: the value that most of them give. Pure functions.

Each judge has one vote, whatever the number of its runs; where two values have as many votes there is no verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import DataError
from ..records import Score
from ..rubrics import Rubric
from .ratings import jury_spec
from .repeated import Runs
from .spec import ScorerSpec


@dataclass(frozen=True)
class JuryVerdicts:
    """What a jury says of every prediction."""

    spec: ScorerSpec
    """The jury as a scorer."""
    scores: list[Score]
    """One a prediction, in their order; a tie has no value."""
    votes: dict[str, list[float | None]]
    """Judge -> its vote on each prediction; None where it gave none, or as many runs say one thing as another."""
    ties: int
    """Predictions on which two values have as many votes."""
    incomplete: int
    """Predictions with a verdict that not all judges voted on."""


def jury_verdicts(rubric: Rubric, judges: Mapping[str, Runs]) -> JuryVerdicts:
    """The verdicts of a jury.

    Args:
        rubric: what all of them rated by.
        judges: name of a judge's scores -> its runs, each of the same predictions in the same order.

    Raises:
        DataError: fewer than two judges, or they judged different predictions.
    """
    if len(judges) < 2:
        raise DataError(f"a jury has two judges or more, not {len(judges)} ({', '.join(judges) or 'none'})")
    spec = jury_spec(rubric, list(judges))
    ids = {name: [[score.sample_id for score in run] for run in runs] for name, runs in judges.items()}
    wanted = next(iter(ids.values()))[0]
    strange = [name for name, found in ids.items() if any(run != wanted for run in found)]
    if strange:
        raise DataError(f"{', '.join(strange)} judged other predictions than {next(iter(ids))}; judge them again")
    votes = {
        name: [_most(Counter(_given(item))) for item in zip(*([score.value for score in run] for run in runs))]
        for name, runs in judges.items()
    }
    scores, ties, incomplete = [], 0, 0
    for sample_id, item in zip(wanted, zip(*votes.values())):
        counts = Counter(_given(item))
        value = _most(counts)
        if value is None:
            reason = _tie(counts) if counts else "no judge gave a verdict"
            ties += bool(counts)
        else:
            reason = None
            incomplete += sum(counts.values()) < len(judges)
        scores.append(Score(sample_id, spec.name, spec.version, value, reason))
    return JuryVerdicts(spec, scores, votes, ties, incomplete)


def _given(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _most(counts: Counter[float]) -> float | None:
    """The most frequent value; None where there is none, or two of them."""
    ranked = counts.most_common(2)
    if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]


def _tie(counts: Counter[float]) -> str:
    return "a tie: " + ", ".join(f"{count} for {value:g}" for value, count in sorted(counts.items()))
