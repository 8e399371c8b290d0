"""same_side: does the answer name the side that the reference names?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pefomed_plugin.records import Prediction, Score
from pefomed_plugin.scoring.known import Known
from pefomed_plugin.scoring.spec import ACCURACY, ScorerSpec

VERSION = "1"


def score_same_side(predictions: Sequence[Prediction]) -> list[Score]:
    """1 where both name the same sides, else 0; not scored where the reference names none."""
    return [_score(prediction) for prediction in predictions]


def _score(prediction: Prediction) -> Score:
    wanted, said = _sides(prediction.answer), _sides(prediction.prediction or "")
    if not wanted:
        return Score(prediction.id, "same_side", VERSION, None, "the reference names no side")
    return Score(prediction.id, "same_side", VERSION, float(said == wanted))


def _sides(text: str) -> set[str]:
    return set(re.findall(r"\b(?:left|right)\b", text.lower()))


SAME_SIDE = ScorerSpec(
    "same_side",
    "same side named",
    unit="%",
    kind=ACCURACY,
    function=score_same_side,
    version=VERSION,
    known=(Known("perfect", 1), Known("empty", 0), Known("every option", 0, 1)),
)
