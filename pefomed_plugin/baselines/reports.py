"""Predictors of reports and captions: one that training wrote, chosen without looking at the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from ..records import Sample
from .counting import Neighbours, most_frequent
from .predictor import Answers, Predictor

_TASKS = ("report", "caption")
_SAYS_NOTHING = ("source_id", "split_from", "answer_type_from")
"""Metadata about the row, not about the study."""


def _most_frequent(train: Sequence[Sample], asked: Sequence[Sample]) -> Answers:
    report = most_frequent(sample.answer for sample in train)
    return [report] * len(asked)


def _nearest_study(train: Sequence[Sample], asked: Sequence[Sample]) -> Answers:
    neighbours = Neighbours([_facts(sample) for sample in train])
    nearest = (neighbours.nearest(_facts(sample)) for sample in asked)
    return [most_frequent(train[place].answer for place in places) for places in nearest]


def _facts(sample: Sample) -> frozenset[str]:
    """What is known of the study besides its images: organ and metadata, ``view=Frontal``."""
    told: Mapping[str, Any] = {**sample.metadata, "organ": sample.organ}
    return frozenset(
        f"{key}={value}"
        for key, value in told.items()
        if key not in _SAYS_NOTHING and isinstance(value, (str, int, float)) and value != ""
    )


def _random(train: Sequence[Sample], asked: Sequence[Sample]) -> Answers:
    """Each study draws by its own name, so that its report does not hang on which others are asked."""
    drawn = (Random(f"report of {sample.metadata.get('study', sample.id)}") for sample in asked)
    return [train[random.randrange(len(train))].answer for random in drawn]


REPORTS = (
    Predictor("most_frequent_report", "most frequent training report", _most_frequent, _TASKS),
    Predictor(
        "nearest_study",
        "report of the training study with the nearest metadata",
        _nearest_study,
        _TASKS,
        falls_back_on="most_frequent_report",
    ),
    Predictor("random_report", "a training report drawn at random", _random, _TASKS),
)
