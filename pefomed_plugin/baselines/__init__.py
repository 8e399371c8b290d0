"""Predictors that do not look: what a score is worth is what it is above theirs (docs/where-figures-come-from.md).

Pure functions of training texts and of the samples asked, each declared beside its function as a ``Predictor``. Other
packages declare theirs in the entry point group ``pefomed_plugin.predictors`` (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import DataError
from ..origins import Origins
from ..plugins import Registry
from ..provenance import samples_sha256
from ..records import Prediction, Sample
from .predictor import Answers, Predictor
from .questions import QUESTIONS
from .reports import REPORTS

PREDICTORS: Registry[Predictor] = Registry("predictor", Predictor, (*QUESTIONS, *REPORTS))
"""Name -> what is declared, of this package and of others."""


@dataclass(frozen=True)
class Baseline:
    """What one predictor said about a test set."""

    predictor: Predictor
    predictions: Sequence[Prediction]
    """Empty where it had nothing to go by for any sample."""
    own: int
    """How many answers are its own; the others are of the predictor that it falls back on."""


def predict_all(
    train: Sequence[Sample], asked: Sequence[Sample], origins: Origins | None = None, names: Sequence[str] = ()
) -> list[Baseline]:
    """What each predictor of the samples' task says about them, in the order in which they are declared.

    Args:
        train: what the predictors may know.
        asked: of one task; their answers are kept from the predictors.
        origins: where the data come from, for the predictions' record.
        names: of predictors; empty: all of the task.

    Raises:
        ConfigError: no such predictor.
        DataError: nothing to learn from, nothing to ask, samples of several tasks, or a predictor that answers for
            another task or another number of samples.
    """
    tasks = sorted({sample.task for sample in asked})
    if not train or len(tasks) != 1:
        missing = "no training sample to learn from" if not train else f"samples of {len(tasks)} tasks"
        raise DataError(f"no baseline: {missing}")
    wanted = [PREDICTORS.find(name) for name in names or PREDICTORS]
    if names and any(tasks[0] not in predictor.tasks for predictor in wanted):
        raise DataError(
            f"these samples are {tasks[0]}",
            [
                f"{predictor.name} answers {' and '.join(predictor.tasks)}"
                for predictor in wanted
                if tasks[0] not in predictor.tasks
            ],
        )
    blank = [replace(sample, answer="") for sample in asked]
    facts = {
        "train_samples": len(train),
        "train_sha256": samples_sha256(train),
        **({"origin": origins.to_json()} if origins else {}),
    }
    said: dict[str, Answers] = {}
    return [
        _baseline(predictor, train, blank, asked, facts, said) for predictor in wanted if tasks[0] in predictor.tasks
    ]


def _baseline(
    predictor: Predictor,
    train: Sequence[Sample],
    blank: Sequence[Sample],
    asked: Sequence[Sample],
    facts: dict[str, Any],
    said: dict[str, Answers],
) -> Baseline:
    own = _said(predictor, train, blank, said)
    answered = sum(text is not None for text in own)
    if not answered:
        return Baseline(predictor, [], 0)
    texts, behind = list(own), predictor
    while behind.falls_back_on and None in texts:
        behind = PREDICTORS[behind.falls_back_on]
        texts = [other if text is None else text for text, other in zip(texts, _said(behind, train, blank, said))]
    producer = {
        "predictor": predictor.name,
        "title": predictor.title,
        "version": predictor.version,
        "own_answers": answered,
        **({"falls_back_on": predictor.falls_back_on} if predictor.falls_back_on else {}),
        **facts,
    }
    return Baseline(predictor, [Prediction.of(sample, text, producer) for sample, text in zip(asked, texts)], answered)


def _said(predictor: Predictor, train: Sequence[Sample], blank: Sequence[Sample], said: dict[str, Answers]) -> Answers:
    if predictor.name not in said:
        answers = predictor.function(train, blank)
        if len(answers) != len(blank):
            raise DataError(f"predictor {predictor.name} gave {len(answers)} answers to {len(blank)} samples")
        said[predictor.name] = answers
    return said[predictor.name]


__all__ = ["PREDICTORS", "Baseline", "Predictor", "predict_all"]
