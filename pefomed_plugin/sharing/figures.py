"""What the tasks of other harnesses share when they run: records back to samples, and our scorers' figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..records import Prediction, Sample
from ..scoring.files import measure
from ..scoring.spec import ACCURACY, GROUPS, ScorerSpec
from ..text import without_reasoning

DEFAULT_SCORERS = {"vqa": ("exact_match/pefomed",), "report": ("lexical/coco",), "caption": ("lexical/coco",)}
"""``Sample.task`` -> what our own runs score such answers with."""
MAX_TOKENS = 1024
"""Limit of an answer of any model, as for models behind an API."""


def answered(sample: Sample, text: str | None) -> Prediction:
    """What a model said about a sample, without what it thought aloud; None where it ends within that.

    As ``pefomed import-predictions`` takes the harness's log.
    """
    said = None if text is None else without_reasoning(text)
    return Prediction.of(sample, said, {})


def figures_of(spec: ScorerSpec, predictions: Sequence[Prediction]) -> dict[str, float | None]:
    """Group or metric -> its value, as ``pefomed score`` gives it and in its unit.

    Raises:
        ConfigError: a package that the scorer needs is missing.
        DataError: the predictions cannot be scored.
    """
    found: Mapping[str, Any] = measure(spec, predictions).figures
    return {
        name: figure["value"] for name, figure in found.items() if isinstance(figure, Mapping) and "value" in figure
    }


def names_of_figures(spec: ScorerSpec, samples: Sequence[Sample]) -> list[str]:
    """Figures that ``figures_of`` will give of answers to these samples."""
    if spec.metrics:
        return [metric.name for metric in spec.metrics]
    if spec.kind != ACCURACY:
        return ["overall"]
    kinds = {None, *((sample.answer_type or "").strip().upper() for sample in samples)}
    return [group for group, kind in GROUPS.items() if kind in kinds]


def plain_name(spec: ScorerSpec) -> str:
    """A scorer's name as an identifier: ``exact_match_pefomed``."""
    return "".join(sign if sign.isalnum() else "_" for sign in spec.name)
