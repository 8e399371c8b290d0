"""LLaVA-Med's rule of closed questions: the answer must say yes or no, and the reference must occur in it.

Pure functions. Kept with what is wrong in it, to compare with papers that report it: ``no`` occurs in ``normal``, "yes
or no" is always right, and a closed question whose reference is neither is wrong even when it is answered perfectly.
An open question is not scored: LLaVA-Med measures it by token recall.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..records import OPEN, Prediction, Score
from ..text import normalise_llava_med
from .known import Known, lies_within, says_yes_or_no
from .pairing import NO_PREDICTION, answer_type, require_predictions
from .probes import EMPTY, MISSING, QUESTION_PROBES
from .spec import ACCURACY, ScorerSpec

_NAME, _VERSION = "closed_accuracy/llava_med", "1"


def is_right_by_llava_med(answer: str, prediction: str) -> bool:
    """Whether a closed question is answered right, as ``llava/eval/run_eval.py`` counts it (tag v1.0.0, b9a98a7).

    Both texts are normalised as there; then ``yes`` or ``no`` must occur in the prediction, in whatever word, and so
    must the answer.
    """
    wanted, said = normalise_llava_med(answer), normalise_llava_med(prediction)
    return ("yes" in said or "no" in said) and wanted in said


def score_closed_questions(predictions: Sequence[Prediction]) -> list[Score]:
    """1.0 where a closed question is answered right by LLaVA-Med's rule, else 0.0; None for open questions.

    Raises:
        DataError: no predictions, or an unknown ``answer_type``.
    """
    require_predictions(predictions)

    def score(prediction: Prediction) -> Score:
        if answer_type(prediction) == OPEN:
            return Score(prediction.id, _NAME, _VERSION, None, "open question")
        if prediction.prediction is None:
            return Score(prediction.id, _NAME, _VERSION, 0.0, NO_PREDICTION)
        return Score(
            prediction.id, _NAME, _VERSION, float(is_right_by_llava_med(prediction.answer, prediction.prediction))
        )

    return [score(prediction) for prediction in predictions]


CLOSED_QUESTIONS = (
    ScorerSpec(
        _NAME,
        "closed questions, as LLaVA-Med counts them",
        unit="%",
        function=score_closed_questions,
        version=_VERSION,
        kind=ACCURACY,
        columns=("closed",),
        short="llava_med_closed",
        known=tuple(
            Known(probe, 0) if probe in (EMPTY, MISSING) else Known(probe, says_yes_or_no, lies_within)
            for probe in QUESTION_PROBES
        ),
    ),
)
"""Scored where it is named only."""
