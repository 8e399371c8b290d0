"""Exact match: is the prediction the reference answer, once both are normalised (paper section 4.3)?

Pure functions from predictions to scores and from scores to accuracies; the rules themselves are in ``text.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ConfigError, DataError, near_names
from ..records import CLOSED, OPEN, Prediction, Score
from ..text import NORMALISATIONS
from .pairing import NO_PREDICTION, answer_type, pair_scores, require_predictions

VERSION = "1"


@dataclass(frozen=True)
class Accuracy:
    """Right answers among those asked for."""

    n: int
    """Questions."""
    correct: int
    """Of them answered with the reference, under the scorer's normalisation."""
    missing: int = 0
    """Of them without any prediction; they count as wrong."""

    @property
    def percent(self) -> float:
        """Share of right answers, 0 to 100.

        Raises:
            DataError: there is no question.
        """
        if not self.n:
            raise DataError("an accuracy over nothing: there is no such question")
        return 100 * self.correct / self.n


@dataclass(frozen=True)
class ExactMatchSummary:
    """The three figures a VQA table prints; open and closed are None where the data set has no such questions."""

    overall: Accuracy
    open: Accuracy | None
    closed: Accuracy | None


def score_exact_match(predictions: Sequence[Prediction], normalisation: str = "pefomed") -> list[Score]:
    """1.0 where prediction and answer are the same text under ``normalisation``, else 0.0.

    A missing prediction is wrong, and never the text "None" (which the authors' script reads as the answer "none").

    Raises:
        ConfigError: no such normalisation.
        DataError: no predictions.
    """
    if normalisation not in NORMALISATIONS:
        raise ConfigError(f"unknown normalisation {normalisation!r}; {near_names(normalisation, NORMALISATIONS)}")
    require_predictions(predictions)
    normalise = NORMALISATIONS[normalisation]
    scorer = "exact_match/" + normalisation

    def score(prediction: Prediction) -> Score:
        if prediction.prediction is None:
            return Score(prediction.id, scorer, VERSION, 0.0, NO_PREDICTION)
        same = normalise(prediction.prediction) == normalise(prediction.answer)
        return Score(prediction.id, scorer, VERSION, float(same))

    return [score(prediction) for prediction in predictions]


def summarise_exact_match(predictions: Sequence[Prediction], scores: Sequence[Score]) -> ExactMatchSummary:
    """Accuracy over all, the open and the closed questions. Questions of neither type count in ``overall`` only.

    Raises:
        DataError: predictions and scores do not belong together, or an ``answer_type`` is unknown.
    """
    pairs = [(answer_type(prediction), score) for prediction, score in pair_scores(predictions, scores)]

    def accuracy(kind: str | None) -> Accuracy | None:
        chosen = [score for each, score in pairs if kind in (None, each)]
        if not chosen:
            return None
        return Accuracy(
            n=len(chosen),
            correct=sum(score.value == 1.0 for score in chosen),
            missing=sum(score.reason == NO_PREDICTION for score in chosen),
        )

    overall = accuracy(None)
    assert overall is not None
    return ExactMatchSummary(overall, accuracy(OPEN), accuracy(CLOSED))
