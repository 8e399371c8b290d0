"""Token recall and F1 between answer and prediction: LLaVA-Med's measure of open questions, and a corrected one.

Pure functions. A closed question is not scored: LLaVA-Med measures it by whether the answer occurs in the prediction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Callable

from ..errors import ConfigError, near_names
from ..records import CLOSED, Prediction, Score
from ..text import normalise_clean, normalise_llava_med
from .known import Known, has_words, holds, holds_plainly, touches
from .pairing import NO_PREDICTION, answer_type, require_predictions
from .probes import EMPTY, MISSING, OPTIONS, PERFECT, QUESTION_PROBES, RETRACTED, SWAPPED
from .spec import ScorerSpec

_VERSIONS = {"llava_med": "1", "corrected": "2"}
MEASURES = ("token_recall", "token_f1")


def llava_med_overlap(answer: str, prediction: str) -> tuple[float, float]:
    """Recall and F1, each 0 to 1, as LLaVA-Med's ``calculate_f1score`` computes them (release of 2023).

    A word that both share counts as often as the *prediction* says it, on either side of the fraction, so repeating a
    right word raises recall. Both texts are normalised twice. Without words on one side both are 0.
    """
    said, wanted = (Counter(normalise_llava_med(normalise_llava_med(text)).split()) for text in (prediction, answer))
    shared = sum(count for word, count in said.items() if word in wanted)
    if not shared:
        return 0.0, 0.0
    precision = shared / sum(said.values())
    recall = shared / (shared + sum(count for word, count in wanted.items() if word not in said))
    return recall, 2 * precision * recall / (precision + recall)


def corrected_overlap(answer: str, prediction: str) -> tuple[float, float]:
    """Recall and F1, each 0 to 1: a word counts at most as often as the *answer* has it; texts normalised ``clean``."""
    said, wanted = Counter(normalise_clean(prediction).split()), Counter(normalise_clean(answer).split())
    shared = sum((said & wanted).values())
    if not shared:
        return 0.0, 0.0
    return shared / sum(wanted.values()), 2 * shared / (sum(said.values()) + sum(wanted.values()))


OVERLAPS: dict[str, Callable[[str, str], tuple[float, float]]] = {
    "llava_med": llava_med_overlap,
    "corrected": corrected_overlap,
}


def score_token_overlap(predictions: Sequence[Prediction], measure: str, variant: str = "llava_med") -> list[Score]:
    """``token_recall`` or ``token_f1`` of every prediction, 0 to 1; None for closed questions.

    Raises:
        ConfigError: no such measure or variant.
        DataError: no predictions, or an unknown ``answer_type``.
    """
    for name, known in ((measure, MEASURES), (variant, tuple(OVERLAPS))):
        if name not in known:
            raise ConfigError(f"unknown token measure {name!r}; {near_names(name, known)}")
    require_predictions(predictions)
    scorer, version = f"{measure}/{variant}", _VERSIONS[variant]

    def score(prediction: Prediction) -> Score:
        if answer_type(prediction) == CLOSED:
            return Score(prediction.id, scorer, version, None, "closed question")
        if prediction.prediction is None:
            return Score(prediction.id, scorer, version, 0.0, NO_PREDICTION)
        overlap = OVERLAPS[variant](prediction.answer, prediction.prediction)
        return Score(prediction.id, scorer, version, overlap[MEASURES.index(measure)])

    return [score(prediction) for prediction in predictions]


def _known(measure: str, variant: str) -> tuple[Known, ...]:
    """Nothing without a word in common. Recall is 1 wherever the reference is said at all, also beside all else.

    With LLaVA-Med's normalisation a mark beside a blank changes what the same mark does within other words
    (``non-bacterial`` is two words alone, and one where ``small- to`` is said too).
    """
    said = holds_plainly if variant == "llava_med" else holds
    fixed = {
        PERFECT: Known(PERFECT, has_words, 1),
        **{probe: Known(probe, 0) for probe in (EMPTY, MISSING, SWAPPED)},
        **({probe: Known(probe, said, 1) for probe in (OPTIONS, RETRACTED)} if measure == "token_recall" else {}),
    }
    return tuple(fixed.get(probe, Known(probe, 0, touches)) for probe in QUESTION_PROBES)


def _spec(measure: str, variant: str) -> ScorerSpec:
    words = {"token_recall": "token recall", "token_f1": "token F1"}[measure]
    return ScorerSpec(
        f"{measure}/{variant}",
        f"{words}, {'as LLaVA-Med computes it' if variant == 'llava_med' else 'each word counted once'}",
        function=partial(score_token_overlap, measure=measure, variant=variant),
        version=_VERSIONS[variant],
        compares_words=True,
        short=measure if variant == "llava_med" else "",
        known=_known(measure, variant),
    )


TOKEN_OVERLAP = tuple(_spec(measure, variant) for measure in MEASURES for variant in OVERLAPS)
"""Recall and F1, of each variant."""
