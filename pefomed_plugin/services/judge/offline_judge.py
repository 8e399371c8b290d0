"""A judge without a model: shared words, cut into the judge's scale. For demonstrations and tests, not for results.

Deterministic and free. It measures wording, which is what judging is meant to get away from; its name is in every
result.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...records import Prediction, Score
from ...scoring.pairing import NO_PREDICTION, require_predictions
from ...text import normalise_clean

NAME = "offline-lexical"
"""Stands where a model's name would."""
VERSION = "1"
_REPORT_LEVELS = (0.15, 0.35, 0.55, 0.8)
"""F1 of the words from which a report is at level 1, 2, 3, 4."""


def judge_offline(predictions: Sequence[Prediction], kind: str, runs: int = 1) -> list[list[Score]]:
    """Scores of every run, all runs the same; a missing prediction scores 0.

    VQA: 1 where every word of the shorter text is in the longer one and the longer is at most three times as long, both
    under ``normalise_clean``. Reports: 0 to 4 by the F1 of the sets of words.

    Raises:
        DataError: no predictions.
    """
    require_predictions(predictions)
    scorer = f"judge/{kind}/{NAME}"

    def score(each: Prediction) -> Score:
        if each.prediction is None:
            return Score(each.id, scorer, VERSION, 0.0, NO_PREDICTION)
        rate = _rate_answer if kind == "vqa" else _rate_report
        return Score(each.id, scorer, VERSION, float(rate(each.answer, each.prediction)))

    scores = [score(prediction) for prediction in predictions]
    return [list(scores) for _ in range(runs)]


def _words(text: str) -> list[str]:
    return normalise_clean(text).split()


def _rate_answer(reference: str, prediction: str) -> int:
    shorter, longer = sorted((_words(reference), _words(prediction)), key=len)
    return int(bool(shorter) and set(shorter) <= set(longer) and len(longer) <= 3 * len(shorter))


def _rate_report(reference: str, prediction: str) -> int:
    wanted, said = ({word.strip(".,;:") for word in _words(text)} for text in (reference, prediction))
    f1 = 2 * len(wanted & said) / max(len(wanted) + len(said), 1)
    return sum(f1 >= least for least in _REPORT_LEVELS)
