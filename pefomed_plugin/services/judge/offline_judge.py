"""A judge without a model: shared words, cut into the rubric's levels. For demonstrations and tests, not for results.

Deterministic and free. It measures wording, which is what judging is meant to get away from; its name is in every
result.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...records import Prediction, Score
from ...rubrics import Rubric
from ...scoring.pairing import NO_PREDICTION, require_predictions
from ...scoring.ratings import judge_spec
from ...scoring.spec import ScorerSpec
from ...text import normalise_clean

NAME = "offline-lexical"
"""Stands where a model's name would."""
VERSION = "2"
_CUTS = {4: (0.15, 0.35, 0.55, 0.8)}
"""Cuts -> F1 of the words from which a text is a level higher; for other scales the F1 is cut into equal parts."""


def spec_of(rubric: Rubric) -> ScorerSpec:
    """This judge as a scorer."""
    return judge_spec(rubric, NAME, VERSION)


def judge_offline(predictions: Sequence[Prediction], rubric: Rubric, runs: int = 1) -> list[list[Score]]:
    """Scores of every run, all runs the same; a missing prediction is at the lowest level.

    Right or wrong: right where every word of the shorter text is in the longer one and the longer is at most three
    times as long, both under ``normalise_clean``. Levels: by the F1 of the sets of words.

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
    return bool(shorter) and set(shorter) <= set(longer) and len(longer) <= 3 * len(shorter)


def _place(reference: str, prediction: str, cuts: int) -> int:
    """Which level, counted from the lowest."""
    wanted, said = ({word.strip(".,;:") for word in _words(text)} for text in (reference, prediction))
    f1 = 2 * len(wanted & said) / max(len(wanted) + len(said), 1)
    return sum(f1 >= least for least in _CUTS.get(cuts, [cut / (cuts + 1) for cut in range(1, cuts + 1)]))
