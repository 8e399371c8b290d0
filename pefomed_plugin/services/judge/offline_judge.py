"""A judge without a model: shared words, cut into the rubric's levels. For demonstrations and tests, not for results.

Deterministic and free. It measures wording, which is what judging is meant to get away from; its name is in every
result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...records import Prediction, Score
from ...rubrics import Rubric
from ...scoring.known import Known, has_words, touches
from ...scoring.pairing import NO_PREDICTION, require_predictions
from ...scoring.probes import EMPTY, MISSING, PERFECT, QUESTION_PROBES, RETRACTED, SWAPPED, YES_OR_NO
from ...scoring.ratings import judge_spec
from ...scoring.spec import ScorerSpec
from ...text import normalise_clean

NAME = "offline-lexical"
"""Stands where a model's name would."""
VERSION = "3"
"""3: an answer that says yes and no, or takes itself back, is not right because the reference is in it."""
_POLAR = {"yes", "no", "not"}
_CUTS = {4: (0.15, 0.35, 0.55, 0.8)}
"""Cuts -> F1 of the words from which a text is a level higher; for other scales the F1 is cut into equal parts."""


def spec_of(rubric: Rubric) -> ScorerSpec:
    """This judge as a scorer."""
    return judge_spec(rubric, NAME, VERSION)


def audited(rubric: Rubric) -> ScorerSpec:
    """The same with its function and what it must give, for ``pefomed audit``."""
    if rubric.is_accuracy:
        fixed = {
            PERFECT: Known(PERFECT, has_words, 1),
            RETRACTED: Known(RETRACTED, 0, _says_no),
            **{probe: Known(probe, 0) for probe in (YES_OR_NO, SWAPPED, EMPTY, MISSING)},
        }
        known = tuple(fixed.get(probe, Known(probe, 0, touches)) for probe in QUESTION_PROBES)
    else:
        low, high = rubric.lowest, rubric.highest
        known = (
            *(Known(PERFECT, high), Known(EMPTY, low), Known(MISSING, low)),
            Known(SWAPPED, low, high, below=PERFECT),
        )
    return replace(spec_of(rubric), function=lambda found: judge_offline(found, rubric)[0], known=known)


def _says_no(prediction: Prediction) -> float:
    return float(bool({"no", "not"} & set(_words(prediction.answer))))


def judge_offline(predictions: Sequence[Prediction], rubric: Rubric, runs: int = 1) -> list[list[Score]]:
    """Scores of every run, all runs the same; a missing prediction is at the lowest level.

    Right or wrong: right where every word of the shorter text is in the longer one and the longer is at most three
    times as long, both under ``normalise_clean``, and no ``no``, ``not`` or ``yes and no`` is in one of them only.
    Levels: by the F1 of the sets of words.

    Raises:
        DataError: no predictions.
    """
    require_predictions(predictions)
    scorer = spec_of(rubric).name

    def score(found: Prediction) -> Score:
        if found.prediction is None:
            return Score(found.id, scorer, VERSION, float(rubric.lowest), NO_PREDICTION)
        if rubric.is_accuracy:
            return Score(found.id, scorer, VERSION, float(_is_right(found.answer, found.prediction)))
        level = rubric.levels[_place(found.answer, found.prediction, len(rubric.levels) - 1)]
        return Score(found.id, scorer, VERSION, float(level.value))

    scores = [score(prediction) for prediction in predictions]
    return [list(scores) for _ in range(runs)]


def _words(text: str) -> list[str]:
    return normalise_clean(text).split()


def _is_right(reference: str, prediction: str) -> bool:
    shorter, longer = sorted((_words(reference), _words(prediction)), key=len)
    said = [_POLAR & set(words) for words in (shorter, longer)]
    if said[0] != said[1] and {"no", "not"} & (said[0] | said[1]):
        return False
    return bool(shorter) and set(shorter) <= set(longer) and len(longer) <= 3 * len(shorter)


def _place(reference: str, prediction: str, cuts: int) -> int:
    """Which level, counted from the lowest."""
    wanted, said = ({word.strip(".,;:") for word in _words(text)} for text in (reference, prediction))
    f1 = 2 * len(wanted & said) / max(len(wanted) + len(said), 1)
    return sum(f1 >= least for least in _CUTS.get(cuts, [cut / (cuts + 1) for cut in range(1, cuts + 1)]))
