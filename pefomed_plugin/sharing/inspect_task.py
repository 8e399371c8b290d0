"""What a folder written by ``pefomed share --to inspect_ai`` runs: a task of our samples, scored by our scorers.

Its figures are computed over the whole test set as ``pefomed score`` computes them, in the same unit. With several
epochs a figure is the mean of those of each epoch. Imports inspect_ai: nobody but the written task imports this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset
from inspect_ai.dataset import Sample as Question
from inspect_ai.model import ChatMessageUser, Content, ContentImage, ContentText, GenerateConfig
from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, metric, scorer
from inspect_ai.solver import TaskState, generate

from .. import __version__
from ..errors import ConfigError, DataError
from ..prompts import plain_parts
from ..records import Prediction, Sample
from ..requirements import installed_version, release, require
from ..scoring import find_scorer
from ..storage import read_samples
from .figures import MAX_TOKENS, answered, figures_of, plain_name

_WHOLE_SET = "whole set"
"""In place of a value, of scorers that measure the whole test set at once."""
OLDEST = "0.3.245"
"""Of inspect_ai, whose metrics may see the scores of every epoch since then."""
if release(installed_version("inspect_ai") or "0") < release(OLDEST):
    raise ConfigError(
        f"inspect_ai {installed_version('inspect_ai')} is too old for this task; pip install 'inspect_ai>={OLDEST}'"
    )


def make_task(folder: Path, split: str, scorers: Sequence[str]) -> Task:
    """The task of one split.

    Args:
        folder: that of the task's file, with ``<split>.jsonl`` and ``images/``.
        scorers: names of ours.

    Raises:
        ConfigError: there is no such scorer, or a package that it needs is missing.
        DataError: a file or image is missing; names all of them.
    """
    specs = [find_scorer(name) for name in scorers]
    require([need for spec in specs for need in spec.needs])
    samples = read_samples(folder / f"{split}.jsonl")
    missing = [
        f"{folder / image}: not there"
        for sample in samples
        for image in sample.images
        if not (folder / image).is_file()
    ]
    if missing:
        raise DataError(f"{folder} lacks images; share the data again", list(dict.fromkeys(missing)))
    return Task(
        dataset=MemoryDataset([_question(folder, sample) for sample in samples], name=samples[0].dataset),
        solver=generate(),
        scorer=[make_scorer(spec.name) for spec in specs],
        config=GenerateConfig(temperature=0.0, max_tokens=MAX_TOKENS),
        metadata={"pefomed": __version__, "split": split, "scorers": {spec.name: spec.version for spec in specs}},
    )


def _question(folder: Path, sample: Sample) -> Question:
    content: list[Content] = [
        ContentText(text=part) if isinstance(part, str) else ContentImage(image=str(folder / sample.images[part]))
        for part in plain_parts(sample.task, sample.question, sample.image_names)
    ]
    return Question(
        id=sample.id, input=[ChatMessageUser(content=content)], target=sample.answer, metadata=sample.to_json()
    )


@cache
def make_scorer(name: str) -> Scorer:
    """One of our scorers as one of inspect_ai's; it is called ``exact_match_pefomed`` there."""
    spec = find_scorer(name)

    @scorer(metrics=[pefomed_figures()], name=plain_name(spec))
    def make() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            prediction = answered(Sample.from_json(state.metadata), state.output.completion)
            noted = {"scorer": spec.name, "version": spec.version, "epoch": state.epoch}
            if spec.function is None or spec.metrics:
                return Score(
                    value=_WHOLE_SET, answer=prediction.prediction, metadata=noted, explanation="see the figures"
                )
            (found,) = spec.function([prediction])
            value = float("nan") if found.value is None else found.value
            return Score(value=value, answer=prediction.prediction, explanation=found.reason, metadata=noted)

        return score

    return make()


@metric(scores="unreduced")
def pefomed_figures() -> Metric:
    """The figures of the whole set, by group or metric."""

    def compute(scores: list[SampleScore]) -> dict[str, float]:
        by_epoch: dict[int, list[Prediction]] = {}
        name = ""
        for found in scores:
            noted: Mapping[str, Any] = found.score.metadata or {}
            name = noted["scorer"]
            sample = Sample.from_json(found.sample_metadata or {})
            by_epoch.setdefault(noted["epoch"], []).append(Prediction.of(sample, found.score.answer, {}))
        by_group: dict[str, list[float]] = {}
        for predictions in by_epoch.values():
            for group, value in figures_of(find_scorer(name), predictions).items():
                by_group.setdefault(group, []).extend([] if value is None else [value])
        return {group: sum(values) / len(values) for group, values in by_group.items() if values}

    return compute
