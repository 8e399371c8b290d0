"""Predictions beside their scores, and the mean of what was scored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import DataError
from ..records import CLOSED, OPEN, Prediction, Score

NO_PREDICTION = "no prediction"
"""The reason of every score whose prediction is missing; summaries count them by it."""


def require_predictions(predictions: Sequence[Prediction]) -> None:
    """Stop before anything is averaged over nothing.

    Raises:
        DataError: there is no prediction.
    """
    if not predictions:
        raise DataError("no predictions to score; is the predictions file empty, or filtered to nothing?")


def pair_scores(predictions: Sequence[Prediction], scores: Sequence[Score]) -> list[tuple[Prediction, Score]]:
    """Each prediction with its score, in the order of the predictions.

    Raises:
        DataError: nothing to pair, scores of several scorers or versions, or ids that are doubled, unknown or without
            a score; all of them in one message.
    """
    require_predictions(predictions)
    kinds = sorted({f"{score.scorer} (version {score.version})" for score in scores})
    if len(kinds) > 1:
        raise DataError(f"scores of {len(kinds)} scorers are mixed; summarise one at a time", kinds)
    by_id: dict[str, Score] = {}
    problems = []
    for score in scores:
        if score.sample_id in by_id:
            problems.append(f"id {score.sample_id!r} was scored twice: delete one of the two scores")
        by_id[score.sample_id] = score
    seen = set()
    for prediction in predictions:
        if prediction.id in seen:
            problems.append(f"id {prediction.id!r} was predicted twice: delete one of the two predictions")
        elif prediction.id not in by_id:
            problems.append(f"id {prediction.id!r} has no score: score these predictions again")
        seen.add(prediction.id)
    problems += [
        f"id {sample_id!r} has a score but no prediction: these are another run's scores"
        for sample_id in by_id
        if sample_id not in seen
    ]
    if problems:
        raise DataError("scores and predictions do not belong together", problems)
    return [(prediction, by_id[prediction.id]) for prediction in predictions]


def answer_type(prediction: Prediction) -> str | None:
    """``OPEN``, ``CLOSED`` or None, blanks and case ignored (a release holds ``"CLOSED "``).

    Raises:
        DataError: anything else; calling it closed, as the published scripts do, would hide a damaged file.
    """
    kind = (prediction.answer_type or "").strip().upper()
    if kind and kind not in (OPEN, CLOSED):
        raise DataError(
            f"{prediction.id}: answer_type {prediction.answer_type!r} is neither {OPEN} nor {CLOSED}; correct the "
            "predictions file"
        )
    return kind or None


def mean_of_given(values: Iterable[float | None]) -> float | None:
    """Mean of the values that there are; None where there are none."""
    given = [float(value) for value in values if value is not None]
    return mean(given) if given else None


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean.

    Raises:
        DataError: there is nothing to average.
    """
    if not values:
        raise DataError("a mean over nothing: none of the predictions was scored")
    return sum(values) / len(values)
