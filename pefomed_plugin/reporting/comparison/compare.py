"""Runs side by side in the layouts of the paper's tables 8 to 11: figures, the paper's own, paired tests, deviations.

Works on runs that were read; ``compare_tables`` shows the comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ...errors import ConfigError, DataError
from ...origins import GENERATED
from ...records import Prediction
from ...scoring.breakdown import cluster_of
from ...scoring.checks import check_references
from ...scoring.intervals import Interval, cluster_interval
from ...scoring.paired import METHOD, Difference, adjust_holm, paired_difference
from ...scoring.pairing import answer_type, mean
from ...scoring.spec import ScoredColumn, ScorerSpec
from ..floors import floor_label, floor_words
from ..results import Answered, Run
from .lineage import deviations, stages_of
from .paper_figures import PaperFigure, Stages, paper_figure


@dataclass(frozen=True)
class ComparedFigure:
    """One cell."""

    value: float | None
    """In the column's unit; None where nothing was scored."""
    n: int
    """Scored samples."""
    interval: Interval
    """95 %, clustered."""
    paper: PaperFigure | None = None
    """The paper's cell, where it prints one for this row."""
    sd: float | None = None
    """Standard deviation over the runs of a judge or over raters (ddof=1); None for what was measured once."""


@dataclass(frozen=True)
class ComparedRun:
    """One run in one table."""

    run: str
    """Label."""
    stages: Stages | None
    """Marks of the paper's tables; None where they are not known."""
    figures: Mapping[str, ComparedFigure]
    """By the column's name."""
    difference: Difference | None
    """Against the reference run, in the unit of the tested column. None in the reference's own row, and where the two
    were scored by different versions."""
    deviations: Sequence[str]
    """From the paper, and from how the reference run was scored."""
    scope: str | None = None
    """Which answers people rated; None for what is no rating by people."""
    adjusted_p: float | None = None
    """p of ``difference``, adjusted by Holm for all tests of the call."""


@dataclass(frozen=True)
class Comparison:
    """One data set under one scorer, all runs."""

    dataset: str
    """``<data set>-<split>``."""
    scorer: str
    """Its name, without the metric where it has several."""
    columns: Sequence[ScoredColumn]
    """Those that the scorer declares and the data set has."""
    reference: str
    """Label of the run that the others are tested against."""
    kind: str = ""
    """Of the scorer: right or wrong, a mean, or levels."""
    rows: Sequence[ComparedRun] = field(default_factory=tuple)
    """In the order the runs were given."""
    tests: int = 0
    """How many tests of the call their p are adjusted for."""
    floor: ComparedRun | None = None
    """The strongest predictor that does not look, no run and not tested; None where there is none."""

    @property
    def tested(self) -> ScoredColumn:
        """The column that intervals and paired tests are about: the last."""
        return self.columns[-1]


def compare_runs(runs: Sequence[Run]) -> list[Comparison]:
    """One table for each test set and scorer that at least one run has; the first run is the tests' reference.

    Raises:
        ConfigError: two runs of one label, or no run.
        DataError: runs answered different samples or references, or nothing was scored.
    """
    twice = [label for label, count in Counter(run.name for run in runs).items() if count > 1]
    if twice or not runs:
        raise ConfigError(
            "each run needs a label of its own; give one --label for each run",
            [f"{label!r} is the label of several runs" for label in twice],
        )
    tables: list[Comparison] = []
    for key in dict.fromkeys(key for run in runs for key in run.answered):
        having = [run for run in runs if key in run.answered]
        _same_samples(key, having)
        scorers = dict.fromkeys(spec.name for run in having for spec in run.answered[key].scored)
        tables += [_table(key, name, [run for run in having if _find(run, key, name)]) for name in scorers]
    if not tables:
        raise DataError("nothing was scored in these runs; score their predictions first, with pefomed score")
    return _adjusted(tables)


def _adjusted(tables: Sequence[Comparison]) -> list[Comparison]:
    """With every p adjusted for the number of all of them."""
    p_values = [row.difference.p_value for table in tables for row in table.rows if row.difference]
    adjusted = iter(adjust_holm(p_values))
    return [
        replace(
            table,
            rows=[replace(row, adjusted_p=next(adjusted) if row.difference else None) for row in table.rows],
            tests=len(p_values),
        )
        for table in tables
    ]


def to_json(tables: Sequence[Comparison]) -> dict[str, Any]:
    """The comparison as ``compare.json`` holds it."""
    return {"method": METHOD, "tables": [_table_to_json(table) for table in tables]}


def _table_to_json(table: Comparison) -> dict[str, Any]:
    return {
        "dataset": table.dataset,
        "scorer": table.scorer,
        "unit": table.tested.unit,
        "range": table.tested.metric.shown_range,
        "higher_is_better": table.tested.metric.higher_is_better,
        "columns": [column.name for column in table.columns],
        "reference": table.reference,
        "rows": [asdict(row) for row in table.rows],
        "floor": asdict(table.floor) if table.floor else None,
    }


def _same_samples(key: str, runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        check_references(run.answered[key].predictions, first.answered[key].predictions, f"{key} of run {first.name!r}")


def _find(run: Run, key: str, scorer: str) -> ScorerSpec | None:
    return next((spec for spec in run.answered[key].scored if spec.name == scorer), None)


def _table(key: str, scorer: str, runs: Sequence[Run]) -> Comparison:
    columns = columns_of(runs[0].answered[key], runs[0].answered[key].scorers[scorer])
    runs = [run for run in runs if values_of(run.answered[key], columns[-1])]
    rows = [_row(run, runs[0], key, scorer, columns) for run in runs]
    kind = runs[0].answered[key].scorers[scorer].kind if runs else ""
    floor = _floor_of(runs, key, scorer, columns)
    return Comparison(key, scorer, columns, runs[0].name if runs else "", kind, rows, floor=floor)


def _row(run: Run, reference: Run, key: str, scorer: str, columns: Sequence[ScoredColumn]) -> ComparedRun:
    answered, other, tested = run.answered[key], reference.answered[key], columns[-1]
    spec, of_paper = answered.scorers[scorer], stages_in_paper(run, answered)
    figures = {column.name: make_figure(answered, spec, column, of_paper) for column in columns}
    own, others = (found.scores[tested.scores][0].version for found in (answered, other))
    departs = deviations(run, answered)
    if own != others:
        departs += [f"scored by version {own}, {reference.name} by {others}: not tested against it"]
    is_tested = run is not reference and own == others
    difference = difference_of(answered, other, tested) if is_tested else None
    return ComparedRun(run.name, stages_of(run), figures, difference, departs, scope_of(answered, scorer))


def _floor_of(runs: Sequence[Run], key: str, scorer: str, columns: Sequence[ScoredColumn]) -> ComparedRun | None:
    """The floor of the first run that has one; where those of others know other training data, that is said."""
    floors = [(run, floor) for run in runs if (floor := run.answered[key].floors.get(scorer))]
    if not floors:
        return None
    first, floor = floors[0]
    row = _row(replace(runs[0], answered={key: floor.answered}), runs[0], key, scorer, columns)
    others = [run.name for run, other in floors if other.train_sha256 != floor.train_sha256]
    said = [floor_words(floor)]
    said += [f"from {first.name}; of other training data beside {', '.join(others)}"] if others else []
    figures = {name: replace(figure, paper=None) for name, figure in row.figures.items()}
    return replace(row, run=floor_label(floor.predictor), stages=None, figures=figures, deviations=said, scope=None)


def stages_in_paper(run: Run, answered: Answered) -> Stages | None:
    """The paper's row that a run can stand beside: none for generated data, nor where the model sees other images."""
    is_generated = run.origins.data.get(answered.predictions[0].dataset) == GENERATED
    return None if is_generated or not sees_own_images(answered) else stages_of(run)


def sees_own_images(answered: Answered) -> bool:
    """Whether the model saw each question's own image, not another one or none."""
    return bool(answered.predictions[0].producer.get("images", "own") == "own")


def columns_of(answered: Answered, spec: ScorerSpec) -> tuple[ScoredColumn, ...]:
    """The scorer's columns, without kinds of question where the data set tells none apart."""
    has_kinds = any(answer_type(prediction) for prediction in answered.predictions)
    columns = tuple(map(spec.column, spec.columns))
    return tuple(column for column in columns if has_kinds or column.answer_type is None)


def scope_of(answered: Answered, scorer: str) -> str | None:
    """Which answers people rated, in a few words; None for what is no rating by people."""
    scope = answered.figures.get(scorer, {}).get("scope")
    return str(scope) if scope else None


def make_figure(
    answered: Answered, spec: ScorerSpec, column: ScoredColumn, stages: Stages | None, among: str = ""
) -> ComparedFigure:
    """One cell. What several runs or raters gave is taken as the metrics hold it: mean and SD over them.

    ``among`` names the part of the test set that the figures are about, as the paper's figures do.
    """
    dataset = answered.predictions[0].dataset
    paper = paper_figure(dataset, spec.paper, column.name, stages, among) if spec.paper else None
    rows = values_of(answered, column)
    measured = answered.figures.get(spec.name, {}).get(column.figure) or {}
    if column.level is not None:
        count = measured["value"] if measured else _count(answered, column)
        return ComparedFigure(count, len(rows), Interval(None, None, "a count"), paper, measured.get("sd"))
    if spec.is_rating and measured.get("value") is not None:
        interval = Interval(**measured["interval"])
        return ComparedFigure(measured["value"], len(rows), interval, paper, measured.get("sd"))
    if column.metric.pooled:
        none = Interval(None, None, "a figure of the whole test set, no mean")
        return ComparedFigure(measured.get("value"), len(answered.predictions), none, paper)
    if not rows:
        return ComparedFigure(None, 0, Interval(None, None, "nothing was scored"), paper)
    values = [value for _, value in rows]
    interval = cluster_interval(values, [cluster_of(prediction) for prediction, _ in rows])
    return ComparedFigure(mean(values), len(rows), interval, paper)


def values_of(answered: Answered, column: ScoredColumn) -> list[tuple[Prediction, float]]:
    """Scored predictions of a column with their values, in the unit that is shown."""
    return [
        (prediction, column.metric.factor * score.value)
        for prediction, score in zip(answered.predictions, answered.scores.get(column.scores, ()))
        if score.value is not None and column.answer_type in (None, answer_type(prediction))
    ]


def _count(answered: Answered, column: ScoredColumn) -> float:
    """Samples at a level, where the metrics do not hold it; of several runs the mean."""
    runs = answered.runs.get(column.scores) or [answered.scores[column.scores]]
    return mean([float(sum(score.value == column.level for score in scores)) for scores in runs])


def difference_of(
    answered: Answered, reference: Answered, column: ScoredColumn, among: Container[str] | None = None
) -> Difference | None:
    """What a run's figure is above the reference's, over the samples that both have a score of; None without any.

    ``among``: only samples of these ids.
    """
    of_reference = {prediction.id: value for prediction, value in values_of(reference, column)}
    both = [
        (row, value)
        for row, value in values_of(answered, column)
        if row.id in of_reference and (among is None or row.id in among)
    ]
    if not both:
        return None
    return paired_difference(
        [value for _, value in both],
        [of_reference[prediction.id] for prediction, _ in both],
        [cluster_of(prediction) for prediction, _ in both],
    )
