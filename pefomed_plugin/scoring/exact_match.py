"""Exact match: is the prediction the reference answer, once both are normalised (paper section 4.3)?

The rules of normalisation are in ``text.py``; accuracies follow from the scores (``summary.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..errors import ConfigError, near_names
from ..records import Prediction, Score
from ..text import NORMALISATIONS
from .known import Bound, Known, alike, same
from .pairing import NO_PREDICTION, require_predictions
from .probes import MISSING, PERFECT, QUESTION_PROBES
from .spec import ACCURACY, ScorerSpec

_VERSIONS = {"clean": "3"}
"""Where a normalisation has changed since version 1."""


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
    scorer, version = "exact_match/" + normalisation, _VERSIONS.get(normalisation, "1")

    def score(prediction: Prediction) -> Score:
        if prediction.prediction is None:
            return Score(prediction.id, scorer, version, 0.0, NO_PREDICTION)
        same = normalise(prediction.prediction) == normalise(prediction.answer)
        return Score(prediction.id, scorer, version, float(same))

    return [score(prediction) for prediction in predictions]


def _known(most: Bound) -> tuple[Known, ...]:
    """Right is what is the reference; at most what spelling, articles and number words keep from being it."""
    fixed = {PERFECT: Known(PERFECT, 1), MISSING: Known(MISSING, 0)}
    return tuple(fixed.get(probe, Known(probe, same, most)) for probe in QUESTION_PROBES)


def _spec(normalisation: str, words: str) -> ScorerSpec:
    is_default = normalisation == "pefomed"
    return ScorerSpec(
        "exact_match/" + normalisation,
        f"exact match, {words}",
        unit="%",
        function=partial(score_exact_match, normalisation=normalisation),
        version=_VERSIONS.get(normalisation, "1"),
        kind=ACCURACY,
        short="exact_match" if is_default else "",
        paper="exact_match" if is_default else "",
        known=_known(same if normalisation == "strict" else alike),
    )


EXACT_MATCH = tuple(
    _spec(normalisation, words)
    for normalisation, words in (
        ("pefomed", "normalised as by the paper's authors"),
        ("vqav2", "normalised as by the VQA v2 evaluation"),
        ("mumc", "normalised as by MUMC"),
        ("strict", "not normalised"),
        ("clean", "normalised by our rules"),
    )
)
"""One scorer for each of ``text.NORMALISATIONS``."""
PEFOMED = EXACT_MATCH[0]
"""The paper's own measure of answers."""
