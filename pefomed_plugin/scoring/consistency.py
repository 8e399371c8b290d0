"""Does a report state what its reference states? Ours, without a model: present or absent, side, count, measurement.

Word metrics hardly move when ``no pneumothorax`` becomes ``pneumothorax``, or left becomes right; these do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..records import Prediction, Score
from .known import Known
from .pairing import NO_PREDICTION, require_predictions
from .probes import EMPTY, MISSING, MOST_COMMON, NOT_NEGATED, OTHER_SIDE, PERFECT, SWAPPED
from .report_facts import Facts, read_facts
from .spec import MetricSpec, ScorerSpec

NAME, VERSION = "clinical/consistency", "1"
KINDS = ("negation", "laterality", "number", "measurement")
ALL = "facts"
_TITLES = {
    "negation": "F1 of findings stated as present or absent",
    "laterality": "F1 of sides",
    "number": "F1 of counts and vertebral levels",
    "measurement": "F1 of measurements",
    ALL: "F1 of all that is stated",
}


def fact_f1(stated: Counter[Any], wanted: Counter[Any]) -> float | None:
    """Twice what both state, of what each states; None where neither states anything of the kind."""
    if not stated and not wanted:
        return None
    return 2 * sum((stated & wanted).values()) / (sum(stated.values()) + sum(wanted.values()))


def score_consistency(predictions: Sequence[Prediction]) -> list[Score]:
    """Five scores a report, 0 to 1. A side that states something the other does not lowers them, so does silence.

    Raises:
        DataError: no predictions.
    """
    require_predictions(predictions)
    pairs = [(read_facts(prediction.prediction or ""), read_facts(prediction.answer)) for prediction in predictions]
    return [
        _score(prediction, kind, _of(stated, kind), _of(wanted, kind))
        for kind in (*KINDS, ALL)
        for prediction, (stated, wanted) in zip(predictions, pairs)
    ]


def _of(facts: Facts, kind: str) -> Counter[Any]:
    return facts.all() if kind == ALL else getattr(facts, kind)


def _score(prediction: Prediction, kind: str, stated: Counter[Any], wanted: Counter[Any]) -> Score:
    value = fact_f1(stated, wanted)
    reason = NO_PREDICTION if prediction.prediction is None else None
    if value is None:
        reason = reason or "neither the report nor its reference states any"
    return Score(prediction.id, f"{NAME}/{kind}", VERSION, value, reason)


CONSISTENCY = ScorerSpec(
    NAME,
    "what reports state beside their references, by rules for English",
    function=score_consistency,
    version=VERSION,
    columns=(*KINDS, ALL),
    metrics=tuple(MetricSpec(kind, title) for kind, title in _TITLES.items()),
    tasks=("report", "caption"),
    short="consistency",
    compares_words=True,
    known=(
        *(Known(PERFECT, 1), Known(EMPTY, 0), Known(MISSING, 0)),
        *(Known(probe, 0, 1, below=PERFECT, figures=(ALL,)) for probe in (SWAPPED, MOST_COMMON)),
        Known(NOT_NEGATED, 0, 1, below=PERFECT, figures=("negation", ALL)),
        Known(OTHER_SIDE, 0, 1, below=PERFECT, figures=("laterality", ALL)),
    ),
)
"""Coarse, and the same on every machine; what it reads of a text, ``report_facts`` says."""
