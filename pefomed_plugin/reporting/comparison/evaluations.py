"""One run's answers under every evaluation they had, side by side: exact match, judges, people (paper, tables 6 and 9).

Works on runs that were read; how it is shown is ``compare_tables``' affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...scoring.repeated import summarise_answers, summarise_levels
from ..agreement import without_items
from ..results import Answered, Run
from ..scorer_kinds import family_of, is_levels, is_percent, is_repeated
from .compare import Figure, columns_of, make_figure, scope_of, stages_in_paper

RATED = "rated"
"""Group of the paper's figures that are about the answers that people rated too."""


@dataclass(frozen=True)
class EvaluationRow:
    """One evaluation."""

    scorer: str
    """Name that the scores carry."""
    figures: Mapping[str, Figure]
    """By column."""
    scope: str | None = None
    """Which answers people rated."""
    among: int | None = None
    """How many answers it is restricted to, because people rated no others; None: not restricted."""

    @property
    def label(self) -> str:
        """What the row is called."""
        return self.scorer if self.among is None else f"{self.scorer}, the {self.among:,} that people rated"


@dataclass(frozen=True)
class Evaluations:
    """All evaluations of one run on one test set."""

    run: str
    """Label."""
    dataset: str
    """``<data set>-<split>``."""
    unit: str
    """``%`` or nothing."""
    columns: Sequence[str]
    """``open``, ``closed``, ``overall``; or levels and ``wasm``."""
    rows: Sequence[EvaluationRow]
    """At least two."""
    agreement: Mapping[str, Any]
    """What ``pefomed agree`` found; empty where it was not asked."""


def evaluate_runs(runs: Sequence[Run]) -> list[Evaluations]:
    """A table for each run and test set that a judge or people looked at, and something else as well.

    Where people rated a part of the answers only, every other evaluation gets a second row, about that part.
    """
    found = [_evaluations(run, answered) for run in runs for answered in run.answered.values()]
    return [each for each in found if len(each.rows) > 1 or each.agreement]


def evaluations_to_json(evaluations: Sequence[Evaluations]) -> list[dict[str, Any]]:
    """The tables as ``compare.json`` holds them."""
    return [{**asdict(evaluation), "agreement": without_items(evaluation.agreement)} for evaluation in evaluations]


def _evaluations(run: Run, answered: Answered) -> Evaluations:
    names = [name for name in answered.scores if is_repeated(name) or family_of(name) == "exact_match"]
    if not any(map(is_repeated, names)):
        return Evaluations(run.name, answered.key, "", (), (), answered.agreement)
    levels = [name for name in names if is_levels(name)]
    names = levels or [name for name in names if is_percent(name)]
    columns, stages = columns_of(answered, names[0]), stages_in_paper(run, answered)
    rows = [
        EvaluationRow(
            name, {column: make_figure(answered, name, column, stages) for column in columns}, scope_of(answered, name)
        )
        for name in names
    ]
    rated = _rated_by_people(answered, names)
    if 0 < len(rated) < len(answered.predictions):
        others = [name for name in names if family_of(name) != "human"]
        part = _restrict(answered, others, rated)
        rows += [
            EvaluationRow(
                name, {column: make_figure(part, name, column, stages, RATED) for column in columns}, among=len(rated)
            )
            for name in others
        ]
    return Evaluations(run.name, answered.key, "" if levels else "%", columns, rows, answered.agreement)


def _rated_by_people(answered: Answered, names: Sequence[str]) -> set[str]:
    return {
        score.sample_id
        for name in names
        if family_of(name) == "human"
        for score in answered.scores[name]
        if score.value is not None
    }


def _restrict(answered: Answered, names: Sequence[str], ids: set[str]) -> Answered:
    """The same answers, only those of ``ids``, with the figures that the scorers have on them."""
    kept = [prediction for prediction in answered.predictions if prediction.id in ids]
    scores = {name: [score for score in answered.scores[name] if score.sample_id in ids] for name in names}
    runs = {
        name: [[score for score in scores if score.sample_id in ids] for scores in answered.runs[name]]
        for name in names
        if name in answered.runs
    }
    figures = {
        name: (summarise_levels if is_levels(name) else summarise_answers)(kept, run) for name, run in runs.items()
    }
    return replace(answered, predictions=kept, scores=scores, figures=figures, runs=runs)
