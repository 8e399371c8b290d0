"""same_side: does the answer name the side that the reference names? Knows no data set."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pefomed_plugin.records import Prediction, Score

VERSION = "1"


def score_same_side(predictions: Sequence[Prediction]) -> list[Score]:
    """1 where both name the same sides, else 0; not scored where the reference names none."""
    return [_score(each) for each in predictions]


def _score(prediction: Prediction) -> Score:
    wanted, said = _sides(prediction.answer), _sides(prediction.prediction or "")
    if not wanted:
        return Score(prediction.id, "same_side", VERSION, None, "the reference names no side")
    return Score(prediction.id, "same_side", VERSION, float(said == wanted))


def _sides(text: str) -> set:
    return set(re.findall(r"\b(?:left|right)\b", text.lower()))
