"""Runs side by side in the layouts of the paper's tables 8 to 11: figures, the paper's own, paired tests, deviations.

Works on runs that were read; how the comparison is shown is ``compare_tables``' affair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ...errors import ConfigError, DataError
from ...records import CLOSED, OPEN, Prediction, Score
from ...scoring.breakdown import CLUSTERS
from ...scoring.intervals import Interval, cluster_interval
from ...scoring.paired import METHOD, Difference, paired_difference
from ...scoring.pairing import answer_type, mean
from ...scoring.wasm import LEVELS, summarise_wasm
from ..checks import check_references
from ..results import Answered, Run
from ..scored import POOLED
from ..scorer_kinds import REPORT_METRICS, family_of, is_levels, is_percent, is_repeated, paper_measure
from .lineage import deviations, stages_of
from .paper_figures import PaperFigure, Stages, paper_figure

GROUPS: dict[str, str | None] = {"open": OPEN, "closed": CLOSED, "overall": None}


@dataclass(frozen=True)
class Figure:
    """One cell."""

    value: float | None
    """In the table's unit; None where nothing was scored."""
    n: int
    """Scored samples."""
    interval: Interval
    """95 %, clustered."""
    paper: PaperFigure | None = None
    """The paper's cell, where it prints one for this row."""
    sd: float | None = None
    """Standard deviation over the runs of a judge or over raters (ddof=1); None for what was measured once."""


@dataclass(frozen=True)
class Row:
    """One run in one table."""

    run: str
    """Label."""
    stages: Stages | None
    """Marks of the paper's tables; None where they are not known."""
    figures: Mapping[str, Figure]
    """By column."""
    difference: Difference | None
    """Against the reference run, in the table's last column's unit; None in the reference's own row."""
    deviations: Sequence[str]
    """From the paper."""
    scope: str | None = None
    """Which answers people rated; None for what is no rating by people."""


@dataclass(frozen=True)
class Table:
    """One data set under one scorer, all runs."""

    dataset: str
    """``<data set>-<split>``."""
    scorer: str
    """Name that the scores carry; for report metrics without the metric."""
    unit: str
    """``%`` or nothing."""
    columns: Sequence[str]
    """``open``, ``closed``, ``overall``; metrics; or levels and ``wasm``."""
    reference: str
    """Label of the run that the others are tested against."""
    rows: Sequence[Row] = field(default_factory=tuple)
    """In the order the runs were given."""

    @property
    def tested(self) -> str:
        """The column that intervals and paired tests are about: the last."""
        return self.columns[-1]


def compare_runs(runs: Sequence[Run]) -> list[Table]:
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
    tables: list[Table] = []
    for key in dict.fromkeys(key for run in runs for key in run.answered):
        having = [run for run in runs if key in run.answered]
        _same_samples(key, having)
        scorers = dict.fromkeys(_table_name(name) for run in having for name in run.answered[key].scores)
        tables += [_table(key, name, having) for name in scorers]
    if not tables:
        raise DataError("nothing was scored in these runs; score their predictions first, with pefomed score")
    return tables


def to_json(tables: Sequence[Table]) -> dict[str, Any]:
    """The comparison as ``compare.json`` holds it."""
    return {"method": METHOD, "tables": [asdict(table) for table in tables]}


def _table_name(scorer: str) -> str:
    return scorer.rsplit("/", 1)[0] if family_of(scorer) == "lexical" else scorer


def _same_samples(key: str, runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        check_references(run.answered[key].predictions, first.answered[key].predictions, f"{key} of run {first.name!r}")


def _table(key: str, scorer: str, runs: Sequence[Run]) -> Table:
    columns = columns_of(runs[0].answered[key], scorer)
    runs = [run for run in runs if _values(run.answered[key], scorer, columns[-1])]
    rows = [_row(run, runs[0], key, scorer, columns) for run in runs]
    return Table(key, scorer, "%" if is_percent(scorer) else "", columns, runs[0].name if runs else "", rows)


def _row(run: Run, reference: Run, key: str, scorer: str, columns: Sequence[str]) -> Row:
    answered, stages = run.answered[key], stages_of(run)
    of_paper = stages_in_paper(run, answered)
    figures = {column: make_figure(answered, scorer, column, of_paper) for column in columns}
    difference = None if run is reference else _difference(answered, reference.answered[key], scorer, columns[-1])
    return Row(run.name, stages, figures, difference, deviations(run, answered), scope_of(answered, scorer))


def stages_in_paper(run: Run, answered: Answered) -> Stages | None:
    """The paper's row that a run can stand beside; it has none in which the model does not see the right image."""
    return stages_of(run) if answered.predictions[0].producer.get("images", "own") == "own" else None


def columns_of(answered: Answered, scorer: str) -> tuple[str, ...]:
    """Columns of the paper's tables for this kind of scorer."""
    if family_of(scorer) == "lexical":
        return REPORT_METRICS
    if is_levels(scorer):
        return (*(f"level {level}" for level in LEVELS), "wasm")
    return tuple(GROUPS) if any(answer_type(prediction) for prediction in answered.predictions) else ("overall",)


def scope_of(answered: Answered, scorer: str) -> str | None:
    """Which answers people rated, in a few words; None for what is no rating by people."""
    scope = answered.figures.get(scorer, {}).get("scope")
    return str(scope) if scope else None


def make_figure(
    answered: Answered, scorer: str, column: str, stages: Stages | None, among: str | None = None
) -> Figure:
    """One cell. What several runs or raters gave is taken as the metrics hold it: mean and SD over them.

    ``among`` names the group of the paper's figures, where these are about a part of the test set.
    """
    measure = paper_measure(scorer, column)
    group = among or (column if column in GROUPS else "overall")
    paper = paper_figure(answered.predictions[0].dataset, measure, group, stages) if measure else None
    rows = _values(answered, scorer, column)
    measured = answered.figures.get(scorer, {}).get("overall" if column == "wasm" else column) or {}
    if column.startswith("level "):
        return Figure(
            _level_count(answered, scorer, column),
            len(rows),
            Interval(None, None, "a count"),
            paper,
            measured.get("sd"),
        )
    if is_repeated(scorer) and measured.get("value") is not None:
        return Figure(measured["value"], len(rows), Interval(**measured["interval"]), paper, measured.get("sd"))
    if column in POOLED:
        return Figure(
            _figure_of(answered, scorer, column),
            len(answered.predictions),
            Interval(None, None, "a figure of the whole test set, no mean"),
            paper,
        )
    if not rows:
        return Figure(None, 0, Interval(None, None, "nothing was scored"), paper)
    interval = cluster_interval([value for _, value in rows], [CLUSTERS["study"](each) for each, _ in rows])
    return Figure(mean([value for _, value in rows]), len(rows), interval, paper)


_Rows = list[tuple[Prediction, float]]


def _values(answered: Answered, scorer: str, column: str) -> _Rows:
    """Scored predictions of a column with their values, in the table's unit."""
    name = f"{scorer}/{column}" if family_of(scorer) == "lexical" else scorer
    scores: Sequence[Score] = answered.scores.get(name, ())
    kind, factor = GROUPS.get(column), 100.0 if is_percent(scorer) else 1.0
    return [
        (prediction, factor * score.value)
        for prediction, score in zip(answered.predictions, scores)
        if score.value is not None and kind in (None, answer_type(prediction))
    ]


def _level_count(answered: Answered, scorer: str, column: str) -> float | None:
    """Reports at a level; where several runs judged them, their mean over the runs, which the metrics hold."""
    counted = _figure_of(answered, scorer, column)
    if counted is not None:
        return counted
    return summarise_wasm(answered.scores[scorer]).counts[int(column[-1])]


def _figure_of(answered: Answered, scorer: str, name: str) -> float | None:
    return (answered.figures.get(scorer, {}).get(name) or {}).get("value")


def _difference(answered: Answered, reference: Answered, scorer: str, column: str) -> Difference | None:
    of_reference = {prediction.id: value for prediction, value in _values(reference, scorer, column)}
    both = [
        (prediction, value) for prediction, value in _values(answered, scorer, column) if prediction.id in of_reference
    ]
    if not both:
        return None
    return paired_difference(
        [value for _, value in both],
        [of_reference[each.id] for each, _ in both],
        [CLUSTERS["study"](each) for each, _ in both],
    )
