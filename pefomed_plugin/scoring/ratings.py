"""Judges and people as scorers: they give a rubric's levels, several runs or raters of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .spec import ACCURACY, GROUPS, LEVELS, MEAN_LEVEL, RATER, RUN, ScorerSpec

GPT4 = "gpt-4"
"""Beginning of the names of models that stand for the paper's judge."""


def judge_spec(kind: str, levels: Sequence[int], model: str, rubric: str = "", version: str = "1") -> ScorerSpec:
    """A judging model: ``judge/<kind>/<model>``.

    Args:
        kind: name of the rubric, ``vqa`` or ``report`` or one of the user's own.
        levels: the rubric's values.
        rubric: its digest.
    """
    paper = "gpt4_judge" if model.startswith(GPT4) and kind in ("vqa", "report") else ""
    return _rating(f"judge/{kind}/{model}", f"judged by {model}", levels, RUN, kind, paper, rubric, version)


def human_spec(kind: str, levels: Sequence[int], rubric: str = "", version: str = "1") -> ScorerSpec:
    """People: ``human/<kind>``. Arguments as ``judge_spec``."""
    paper = "human" if kind in ("vqa", "report") else ""
    return _rating(f"human/{kind}", "rated by people", levels, RATER, kind, paper, rubric, version)


def _rating(
    name: str, title: str, levels: Sequence[int], repeated: str, kind: str, paper: str, rubric: str, version: str
) -> ScorerSpec:
    right_or_wrong = tuple(levels) == (0, 1)
    return ScorerSpec(
        name,
        title,
        float(min(levels)),
        float(max(levels)),
        unit="%" if right_or_wrong else "",
        version=version,
        kind=ACCURACY if right_or_wrong else LEVELS,
        columns=tuple(GROUPS) if right_or_wrong else (*(f"level {level}" for level in levels), MEAN_LEVEL),
        levels=() if right_or_wrong else tuple(levels),
        repeated=repeated,
        tasks=("vqa",) if kind == "vqa" else ("report", "caption"),
        paper=paper,
        rubric=rubric,
    )


def wasm_spec(of: ScorerSpec) -> ScorerSpec:
    """WASM of somebody's ratings, as ``pefomed wasm`` writes it: their figures once more, without scores of its own."""
    return replace(of, name="wasm/" + of.name, title=f"WASM, {of.title}", summary_of=of.name)


_FORMER_RUBRICS = (("vqa", (0, 1)), ("report", (0, 1, 2, 3, 4)))
FORMER_RATINGS = (
    *(
        replace(spec, names_begin=True)
        for kind, levels in _FORMER_RUBRICS
        for spec in (judge_spec(kind, levels, ""), judge_spec(kind, levels, GPT4), human_spec(kind, levels))
    ),
    replace(
        judge_spec("report", (0, 1, 2, 3, 4), GPT4),
        name="wasm/",
        title="WASM",
        repeated="",
        summary_of="ratings",
        names_begin=True,
    ),
)
"""Ratings in files that do not record their scorers: of two rubrics, and a judge's with its model behind it."""
