"""Ratings of several models' answers to the same samples as data to train on: pairs for DPO, single answers for KTO.

The columns are TRL's: ``prompt``, ``chosen``, ``rejected``; ``prompt``, ``completion``, ``label``; each conversational.
What makes no pair is counted by reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from ..errors import DataError, near_names
from ..records import Prediction
from ..scoring import SCORERS
from ..scoring.files import read_scores, read_specs, score_file
from ..scoring.pairing import mean_of_given, pair_scores
from ..scoring.spec import ScorerSpec
from ..services.judgements import find_repeated, read_runs, rubrics_of
from ..services.rating.study import MATCHED
from .rows import asked

TIED, RATED_ONCE, SAME_TEXT, NO_TEXT = "rated alike", "rated of one model only", "the same text", "no text"
ANSWERED_ONCE = "answered by one model only"
NOT_RATED, MIDDLE = "not rated", "in the middle of the range"


@dataclass(frozen=True)
class RatedAnswers:
    """One model's answers, with what each was rated."""

    label: str
    """Of the model, for the data and for messages."""
    predictions: Sequence[Prediction]
    values: Mapping[str, float]
    """Id of a sample -> mean over raters or runs, higher is better; none where nobody rated."""
    spec: ScorerSpec


@dataclass
class Exported:
    """Rows, and what became none."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    samples: list[Prediction] = field(default_factory=list)
    """Of each row, whose images belong to it."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> pairs or answers."""


def rated_answers(predictions: Sequence[Prediction], folder: Path, label: str, scorer: str = "") -> RatedAnswers:
    """Predictions with the scores that lie beside them.

    Args:
        folder: of the predictions.
        scorer: name of the scores; empty: people's.

    Raises:
        DataError: there are no such scores, or they are about other answers.
    """
    repeated = find_repeated(folder)
    scorer = SCORERS[scorer].name if scorer in SCORERS else scorer  # a short one
    name = scorer or next((found for found in repeated if found.startswith("human/")), "")
    if name in repeated:
        runs = [[score for _, score in pair_scores(predictions, found)] for found in read_runs(folder, name)]
    elif name and score_file(folder, name).exists():
        runs = [[score for _, score in pair_scores(predictions, read_scores(score_file(folder, name)))]]
    else:
        files = [path for path in sorted((folder / "scores").glob("*.jsonl")) if ".run" not in path.stem]
        there = [*repeated, *(scores[0].scorer for scores in map(read_scores, files) if scores)]
        known = ", ".join(there) or "none"
        what = f"scores of {scorer!r}" if scorer else "people's ratings"
        near = f"; {near_names(scorer, there)}" if scorer and there else ""
        raise DataError(
            f"{folder}/scores holds no {what} (there: {known}){near}; import ratings first (pefomed rate import), or "
            "name scores with --scorer"
        )
    spec = read_specs(folder, [name])[name]
    sign = 1.0 if spec.higher_is_better else -1.0
    opinions = zip(*([None if score.reason == MATCHED else score.value for score in run] for run in runs))
    means = dict(zip((found.id for found in predictions), map(mean_of_given, opinions)))
    rubric = rubrics_of(folder, [name], predictions)[name].digest if name in repeated else ""
    values = {key: sign * value for key, value in means.items() if value is not None}
    if not values:
        raise DataError(f"{folder}: {name} has rated nothing; fill in ratings first")
    return RatedAnswers(label, predictions, values, replace(spec, rubric=rubric or spec.rubric))


def require_same_rating(rated: Sequence[RatedAnswers]) -> None:
    """Refuse answers that were not rated by the same rule, or not to the same samples.

    Raises:
        DataError: another scorer, version, range or rubric; no sample in common; a sample with another question,
            reference or image under the same id.
    """
    first, *others = rated
    problems = []
    for other in others:
        for what in ("name", "version", "rubric", "low", "high"):
            one, two = getattr(first.spec, what), getattr(other.spec, what)
            if one != two:
                problems.append(f"{other.label}: {what} {str(two)[:40]!r}, of {first.label} {str(one)[:40]!r}")
    asked_of = {found.id: found for found in first.predictions}
    for other in others:
        shared = [found for found in other.predictions if found.id in asked_of]
        if not shared:
            problems.append(f"{other.label}: none of its samples is among those of {first.label}")
        problems += [
            f"{other.label}, {found.id}: another question, reference or image than {first.label} has"
            for found in shared
            if _asked(found) != _asked(asked_of[found.id])
        ]
    if problems:
        raise DataError("these answers cannot be compared", problems)


def _asked(found: Prediction) -> tuple[Any, ...]:
    return found.task, found.question, found.answer, found.images


def make_pairs(rated: Sequence[RatedAnswers], margin: float = 0.0) -> Exported:
    """A row for every two models' answers to a sample of which one was rated higher by more than ``margin``."""
    exported = Exported()
    for one, other in combinations(rated, 2):
        theirs = {found.id: found for found in other.predictions}
        for mine in one.predictions:
            if mine.id not in theirs:
                exported.left_out[ANSWERED_ONCE] += 1
                continue
            reason, pair = _pair(one, mine, other, theirs[mine.id], margin)
            if reason:
                exported.left_out[reason] += 1
            else:
                _add_pair(exported, *pair)
        mine_too = {found.id for found in one.predictions}
        exported.left_out[ANSWERED_ONCE] += sum(key not in mine_too for key in theirs)
    exported.left_out = +exported.left_out
    return exported


_Side = tuple[str, Prediction, float]


def _pair(
    one: RatedAnswers, mine: Prediction, other: RatedAnswers, theirs: Prediction, margin: float
) -> tuple[str, Any]:
    """Why it is no pair, or the better and the worse side."""
    values = one.values.get(mine.id), other.values.get(mine.id)
    if not mine.prediction or not theirs.prediction:
        return NO_TEXT, None
    if mine.prediction.split() == theirs.prediction.split():
        return SAME_TEXT, None
    if values == (None, None):
        return NOT_RATED, None
    if values[0] is None or values[1] is None:
        return RATED_ONCE, None
    if abs(values[0] - values[1]) <= margin:
        return TIED, None
    sides: list[_Side] = [(one.label, mine, values[0]), (other.label, theirs, values[1])]
    return "", tuple(sorted(sides, key=lambda side: -side[2]))


def _add_pair(exported: Exported, better: _Side, worse: _Side) -> None:
    exported.samples.append(better[1])
    exported.rows.append(
        {
            "prompt": asked(better[1]),
            "chosen": _said(better[1]),
            "rejected": _said(worse[1]),
            "id": better[1].id,
            "chosen_model": better[0],
            "rejected_model": worse[0],
            "chosen_rating": better[2],
            "rejected_rating": worse[2],
        }
    )


def make_labels(rated: Sequence[RatedAnswers], good: float | None = None) -> Exported:
    """A row for every rated answer: ``label`` says whether it is wanted.

    Args:
        good: from this rating on it is; None: above the middle of the scorer's range, and the middle is left out.
    """
    exported = Exported()
    for one in rated:
        ends = (one.spec.low, one.spec.high) if one.spec.higher_is_better else (-one.spec.high, -one.spec.low)
        middle = sum(ends) / 2
        for found in one.predictions:
            value = one.values.get(found.id)
            if value is None or not found.prediction or (good is None and value == middle):
                reason = NOT_RATED if value is None else MIDDLE if found.prediction else NO_TEXT
                exported.left_out[reason] += 1
                continue
            label = value > middle if good is None else value >= good
            row = {"prompt": asked(found), "completion": _said(found), "label": label}
            exported.rows.append({**row, "id": found.id, "model": one.label, "rating": value})
            exported.samples.append(found)
    return exported


def _said(found: Prediction) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": found.prediction or ""}]
