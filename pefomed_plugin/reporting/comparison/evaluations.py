"""One run's answers under every evaluation they had, side by side: exact match, judges, people (paper, tables 6 and 9).

Works on runs that were read; ``compare_tables`` shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...scoring.repeated import summarise_answers, summarise_levels
from ...scoring.spec import ACCURACY, LEVELS, RATER, ScoredColumn, ScorerSpec
from ..agreement import without_items
from ..floors import floor_label
from ..results import Answered, Floor, Run
from .compare import ComparedFigure, columns_of, make_figure, scope_of, stages_in_paper

RATED = "rated"
"""Group of the paper's figures that are about the answers that people rated too."""


@dataclass(frozen=True)
class EvaluationRow:
    """One evaluation."""

    scorer: str
    """Name that the scores carry."""
    figures: Mapping[str, ComparedFigure]
    """By the column's name."""
    scope: str | None = None
    """Which answers people rated."""
    among: int | None = None
    """How many answers it is restricted to, because people rated no others; None: not restricted."""
    floor: str = ""
    """The predictor that does not look whose answers were evaluated; empty: the run's own were."""

    @property
    def label(self) -> str:
        """What the row is called."""
        if self.floor:
            return f"{floor_label(self.floor)}, {self.scorer}"
        return self.scorer if self.among is None else f"{self.scorer}, the {self.among:,} that people rated"

    @property
    def is_floor(self) -> bool:
        """Whether it is about a predictor that does not look."""
        return bool(self.floor)


@dataclass(frozen=True)
class Evaluations:
    """All evaluations of one run on one test set."""

    run: str
    """Label."""
    dataset: str
    """``<data set>-<split>``."""
    unit: str
    """``%`` or nothing."""
    columns: Sequence[ScoredColumn]
    """``open``, ``closed``, ``overall``; or levels and ``wasm``."""
    rows: Sequence[EvaluationRow]
    """At least two."""
    agreement: Mapping[str, Any]
    """What ``pefomed agree`` found; empty where it was not asked."""


def evaluate_runs(runs: Sequence[Run]) -> list[Evaluations]:
    """A table for each run and test set that a judge or people looked at, and something else as well.

    Where people rated a part of the answers only, every other evaluation gets a second row, about that part.
    """
    found = [
        evaluations for run in runs for answered in run.answered.values() for evaluations in _evaluations(run, answered)
    ]
    return [evaluations for evaluations in found if len(evaluations.rows) > 1 or evaluations.agreement]


def evaluations_to_json(evaluations: Sequence[Evaluations]) -> list[dict[str, Any]]:
    """The tables as ``compare.json`` holds them."""
    return [
        {
            "run": found.run,
            "dataset": found.dataset,
            "unit": found.unit,
            "columns": [column.name for column in found.columns],
            "rows": [asdict(row) for row in found.rows],
            "agreement": without_items(found.agreement),
        }
        for found in evaluations
    ]


def _evaluations(run: Run, answered: Answered) -> list[Evaluations]:
    """One table for each rubric and layout of columns with a row of a judge or people; the first has the agreement."""
    layouts: dict[tuple[tuple[str, ...], str], list[ScorerSpec]] = {}
    for spec in answered.scored:
        if spec.is_rating or spec.kind == ACCURACY:
            layouts.setdefault((spec.columns, spec.rubric if spec.levels else ""), []).append(spec)
    rated = [specs for specs in layouts.values() if any(spec.is_rating for spec in specs)]
    found = [_evaluated(run, answered, specs) for specs in rated]
    first = found[0] if found else Evaluations(run.name, answered.key, "", (), (), {})
    return [replace(first, agreement=answered.agreement), *found[1:]]


def _evaluated(run: Run, answered: Answered, specs: Sequence[ScorerSpec]) -> Evaluations:
    columns, stages = columns_of(answered, specs[0]), stages_in_paper(run, answered)

    def row(of: Answered, spec: ScorerSpec, among: str = "") -> Mapping[str, ComparedFigure]:
        return {column.name: make_figure(of, spec, spec.column(column.name), stages, among) for column in columns}

    rows = [EvaluationRow(spec.name, row(answered, spec), scope_of(answered, spec.name)) for spec in specs]
    rated = _rated_by_people(answered, specs)
    if 0 < len(rated) < len(answered.predictions):
        others = [spec for spec in specs if spec.repeated != RATER]
        part = _restrict(answered, others, rated)
        rows += [EvaluationRow(spec.name, row(part, spec, RATED), among=len(rated)) for spec in others]
    floors = [(spec, answered.floors[spec.name]) for spec in specs if spec.name in answered.floors]
    rows += [EvaluationRow(spec.name, _of_floor(floor, spec, columns), floor=floor.predictor) for spec, floor in floors]
    return Evaluations(run.name, answered.key, specs[0].unit, columns, rows, {})


def _of_floor(floor: Floor, spec: ScorerSpec, columns: Sequence[ScoredColumn]) -> Mapping[str, ComparedFigure]:
    return {column.name: make_figure(floor.answered, spec, spec.column(column.name), None) for column in columns}


def _rated_by_people(answered: Answered, specs: Sequence[ScorerSpec]) -> set[str]:
    return {
        score.sample_id
        for spec in specs
        if spec.repeated == RATER
        for score in answered.scores[spec.name]
        if score.value is not None
    }


def _restrict(answered: Answered, specs: Sequence[ScorerSpec], ids: set[str]) -> Answered:
    """The same answers, only those of ``ids``, with the figures that the scorers have on them."""
    kept = [prediction for prediction in answered.predictions if prediction.id in ids]
    scores = {spec.name: [score for score in answered.scores[spec.name] if score.sample_id in ids] for spec in specs}
    runs = {
        spec.name: [[score for score in scores if score.sample_id in ids] for scores in answered.runs[spec.name]]
        for spec in specs
        if spec.name in answered.runs
    }
    figures = {
        spec.name: summarise_levels(kept, runs[spec.name], spec.levels)
        if spec.kind == LEVELS
        else summarise_answers(kept, runs[spec.name])
        for spec in specs
        if spec.name in runs
    }
    return replace(answered, predictions=kept, scores=scores, figures=figures, runs=runs)
