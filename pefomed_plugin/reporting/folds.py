"""Figures over the folds of a data set: each fold's, their mean and spread, and that of all answers together.

The interval is that of the answers put together, drawn by patient, study or image: folds share training data, so that
their spread says how much a figure depends on the split, and is no standard error of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, stdev

from ..scoring.spec import ScoredColumn, ScorerSpec
from .comparison.compare import columns_of, make_figure
from .figures import FLOOR, INTERVAL
from .results import Answered
from .table import COUNT, FIGURE, HIGHER, LOWER, Cell, Column, Table


def fold_tables(folds: Mapping[str, Answered], pooled: Answered) -> list[Table]:
    """A table for each scorer that needs nothing but the answers."""
    return [
        _table(spec, folds, pooled)
        for spec in pooled.scored
        if all(spec.name in answered.scorers for answered in folds.values())
    ]


def figures_to_json(folds: Mapping[str, Answered], pooled: Answered) -> dict[str, dict[str, dict]]:
    """Scorer -> column -> the figures of the folds, mean, SD, and the figure of all answers with its interval."""
    found: dict[str, dict[str, dict]] = {}
    for spec in pooled.scored:
        for column in columns_of(pooled, spec):
            values = _values(spec, column, folds)
            figure = make_figure(pooled, spec, column, None)
            given = [value for value in values.values() if value is not None]
            found.setdefault(spec.name, {})[column.name] = {
                "unit": column.unit,
                "folds": values,
                "mean": fmean(given) if given else None,
                "sd": stdev(given) if len(given) > 1 else None,
                "value": figure.value,
                "n": figure.n,
                "interval": {"low": figure.interval.low, "high": figure.interval.high},
            }
    return found


def _values(spec: ScorerSpec, column: ScoredColumn, folds: Mapping[str, Answered]) -> dict[str, float | None]:
    return {
        label: make_figure(answered, spec, column, None).value if spec.name in answered.scorers else None
        for label, answered in folds.items()
    }


def _table(spec: ScorerSpec, folds: Mapping[str, Answered], pooled: Answered) -> Table:
    columns = columns_of(pooled, spec)
    floor = pooled.floors.get(spec.name)

    def mean_of(column: ScoredColumn) -> Cell:
        given = [value for value in _values(spec, column, folds).values() if value is not None]
        sd = stdev(given) if len(given) > 1 else None
        return Cell(fmean(given) if given else None, sd=sd, unit=column.unit, digits=column.digits)

    def each(column: ScoredColumn) -> str:
        values = _values(spec, column, folds).values()
        return ", ".join("-" if value is None else f"{value:.{column.digits}f}" for value in values)

    def of_floor(column: ScoredColumn) -> Cell:
        assert floor is not None
        value = make_figure(floor.answered, spec, column, None).value
        return Cell(value, unit=column.unit, digits=column.digits)

    def better(kind: Sequence[ScoredColumn]) -> str:
        return HIGHER if kind[-1].metric.higher_is_better else LOWER

    return Table(
        f"{pooled.key}, {spec.name}: {len(folds)} folds",
        [
            Column("", lambda column: column.name),
            Column("n", lambda column: make_figure(pooled, spec, column, None).n, COUNT),
            Column("mean \u00b1 SD", mean_of, FIGURE, better=better(columns)),
            Column("each", each),
            Column("all answers", lambda column: _pooled(pooled, spec, column), FIGURE),
            Column(INTERVAL, lambda column: _interval(pooled, spec, column), FIGURE),
            *([Column(FLOOR, of_floor, FIGURE)] if floor else []),
        ],
        columns,
        [f"Floor, without looking: {floor.predictor}."] if floor else [],
    )


def _pooled(pooled: Answered, spec: ScorerSpec, column: ScoredColumn) -> Cell:
    return Cell(make_figure(pooled, spec, column, None).value, unit=column.unit, digits=column.digits)


def _interval(pooled: Answered, spec: ScorerSpec, column: ScoredColumn) -> Cell:
    interval = make_figure(pooled, spec, column, None).interval
    return Cell(interval=interval, unit=column.unit, digits=column.digits)
