"""Judges and people as scorers: they give a rubric's levels, several runs or raters of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..rubrics import BUILT_IN, REPORT, Rubric
from .spec import ACCURACY, GROUPS, LEVELS, RATER, RUN, ScorerSpec

GPT4 = "gpt-4"
"""Beginning of the names of models that stand for the paper's judge."""


def judge_spec(rubric: Rubric, model: str, version: str = "1") -> ScorerSpec:
    """A judging model: ``judge/<rubric>/<model>``."""
    paper = "gpt4_judge" if model.startswith(GPT4) else ""
    return _rating(rubric, f"judge/{rubric.name}/{model}", f"judged by {model}", RUN, paper, version)


def is_judge(name: str) -> bool:
    """Whether a name of scores is that of a judging model: no people, and no jury."""
    return name.startswith("judge/")


def model_of(name: str) -> str:
    """The model that a judge's scores are called after."""
    return name.split("/", 2)[2]


def human_spec(rubric: Rubric, version: str = "1") -> ScorerSpec:
    """People: ``human/<rubric>``."""
    return _rating(rubric, f"human/{rubric.name}", "rated by people", RATER, "human", version)


def jury_spec(rubric: Rubric, judges: Sequence[str], version: str = "1") -> ScorerSpec:
    """Several judges as one, by the names of their scores: ``jury/<rubric>/<model>+<model>``."""
    models = list(map(model_of, judges))
    title = f"judged by {', '.join(models)} as a jury"
    return _rating(rubric, f"jury/{rubric.name}/{'+'.join(models)}", title, RUN, "", version)


def _rating(rubric: Rubric, name: str, title: str, repeated: str, paper: str, version: str) -> ScorerSpec:
    values = rubric.values
    by_level = (*(f"level {value}" for value in values), rubric.mean_name.lower())
    return ScorerSpec(
        name,
        title,
        float(rubric.lowest),
        float(rubric.highest),
        unit="%" if rubric.is_accuracy else "",
        version=version,
        kind=ACCURACY if rubric.is_accuracy else LEVELS,
        columns=tuple(GROUPS) if rubric.is_accuracy else by_level,
        levels=() if rubric.is_accuracy else values,
        repeated=repeated,
        tasks=("vqa",) if rubric.task == "vqa" else ("report", "caption"),
        paper=paper if rubric in BUILT_IN.values() else "",
        rubric=rubric.digest,
    )


def wasm_spec(of: ScorerSpec) -> ScorerSpec:
    """WASM of somebody's ratings, as ``pefomed wasm`` writes it: their figures once more, without scores of its own."""
    return replace(of, name="wasm/" + of.name, title=f"WASM, {of.title}", summary_of=of.name)


FORMER_RATINGS = (
    *(
        replace(spec, names_begin=True)
        for rubric in BUILT_IN.values()
        for spec in (judge_spec(rubric, ""), judge_spec(rubric, GPT4), human_spec(rubric))
    ),
    replace(
        judge_spec(REPORT, GPT4),
        name="wasm/",
        title="WASM",
        repeated="",
        summary_of="ratings",
        names_begin=True,
    ),
)
"""Ratings in files that do not record their scorers: there were two rubrics then, and the model's name was last."""
