"""A judge's figures corrected by people's ratings of some of the answers: of one run, by group, and of two runs apart.

What ``scoring.corrected`` estimates from plain numbers, for predictions and their scores, in the unit that is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Callable

from ..records import Prediction
from ..rubrics import Rubric
from ..scoring.breakdown import check_axes, cluster_of, label_of, places_of_groups
from ..scoring.corrected import ESTIMATES, Corrected, correct_difference, correct_mean
from ..scoring.repeated import Runs
from .rated_runs import NOT_RANDOM, RatedRun, rated_runs
from .table import COUNT, FIGURE, HIGHER, Cell, Column, Table, figure_cell

_PPI = "PPI (prediction-powered, PPI++): holds if people rated a random part of the answers."
_GLADEN = "Rogan-Gladen: holds if the judge's sensitivity and specificity among the rated are those among all."
_INTERVALS = "In square brackets: 95 % intervals, drawn over studies or images (docs/statistics.md)."


def correct_scores(run: RatedRun, rubric: Rubric, axes: Sequence[str] = ()) -> dict[str, Any]:
    """Corrected figures of one judge: ``n``, ``rated``, ``judge``, ``people``, ``weight`` and the estimates, each with
    ``value`` and ``interval``; under ``groups`` the same of ``organ CHEST`` and the like.

    Raises:
        ConfigError: the predictions cannot be broken down by an axis.
    """
    check_axes(axes, run.predictions)
    if not run.is_random:
        return {"value": None, "reason": NOT_RANDOM}
    answers, clusters = run.paired, list(map(cluster_of, run.predictions))

    def figures(places: Sequence[int]) -> dict[str, Any]:
        found = correct_mean(answers.only(places), [clusters[k] for k in places], *_ends(rubric))
        return to_json(found, rubric)

    return {**figures(range(len(run.predictions))), **_by_groups(run.predictions, axes, figures)}


def correct_judges(
    predictions: Sequence[Prediction], folder: Path, runs: Mapping[str, Runs], rubric: Rubric, axes: Sequence[str] = ()
) -> dict[str, Any]:
    """Name of each judge -> its corrected figures as ``correct_scores`` has them; empty where nobody rated."""
    found = rated_runs(predictions, folder, runs)
    return {name: correct_scores(run, rubric, axes) for name, run in found.items() if run.rated}


def correct_two(one: RatedRun, other: RatedRun, rubric: Rubric, axes: Sequence[str] = ()) -> dict[str, Any]:
    """What one run's figure is above another's, over the questions that both answered; keys as ``correct_scores``."""
    if not (one.is_random and other.is_random):
        return {"value": None, "reason": NOT_RANDOM}
    by_id = {prediction.id: place for place, prediction in enumerate(other.predictions)}
    places = [(place, by_id[row.id]) for place, row in enumerate(one.predictions) if row.id in by_id]
    first, second = (run.paired.only([pair[number] for pair in places]) for number, run in enumerate((one, other)))
    shared = [one.predictions[place] for place, _ in places]
    clusters = list(map(cluster_of, shared))

    def figures(chosen: Sequence[int]) -> dict[str, Any]:
        parts, of = (first.only(chosen), second.only(chosen)), [clusters[k] for k in chosen]
        return to_json(correct_difference(*parts, of, *_ends(rubric)), rubric)

    return {**figures(range(len(shared))), **_by_groups(shared, axes, figures)}


def _by_groups(
    predictions: Sequence[Prediction], axes: Sequence[str], figures: Callable[[Sequence[int]], dict[str, Any]]
) -> dict[str, Any]:
    groups = {
        f"{axis} {group}": {"axis": axis, "label": label_of(predictions[0].dataset, axis, group), **figures(places)}
        for axis in axes
        for group, places in places_of_groups(predictions, axis).items()
    }
    return {"groups": groups} if groups else {}


def to_json(found: Corrected, rubric: Rubric) -> dict[str, Any]:
    """In percent where the rubric is of right and wrong."""
    factor = 100.0 if rubric.is_accuracy else 1.0
    content = {key: value for key, value in asdict(found).items() if value is not None}
    for key in ("judge", "people"):
        if key in content:
            content[key] *= factor
    for key in ESTIMATES:
        for part in (content[key], content[key]["interval"]) if key in content else ():
            part.update({name: factor * part[name] for name in ("value", "low", "high") if part.get(name) is not None})
    return {**content, "unit": "%" if rubric.is_accuracy else ""}


@dataclass(frozen=True)
class _Row:
    """One judge, or one group of the answers it judged."""

    name: str
    figures: Mapping[str, Any]


def corrected_tables(title: str, found: Mapping[str, Mapping[str, Any]], signed: bool = False) -> list[Table]:
    """Judges' own and corrected figures, a row for each judge or pair and each of its groups; how right the judges are.

    Args:
        found: name -> as ``correct_scores`` or ``correct_two`` make them; nothing: no table.
        signed: whether the figures are differences.
    """
    rows = []
    for name, figures in found.items():
        rows.append(_Row(name, figures))
        rows += [_Row(f"  {part['axis']} {part['label']}", part) for part in figures.get("groups", {}).values()]
    if not rows:
        return []
    has_rates = any(ESTIMATES[1] in row.figures for row in rows)
    notes = [_PPI, *([_GLADEN] if has_rates else []), _INTERVALS, *_left_out(rows)]
    tables = [Table(title, _columns(rows, has_rates, signed), rows, notes)]
    of_judges = [row for row in rows if row.figures.get("sensitivity", {}).get("value") is not None]
    if of_judges:
        tables.append(Table("How often judges say what people say", _rate_columns(), of_judges))
    return tables


def _columns(rows: Sequence[_Row], has_rates: bool, signed: bool) -> list[Column]:
    better = None if signed else HIGHER
    unit, digits = _unit_of(rows)

    def plain(key: str) -> Callable[[_Row], Cell]:
        return lambda row: Cell(row.figures.get(key), digits=digits, signed=signed)

    columns = [
        Column("", lambda row: row.name),
        Column("rated", _rated, COUNT),
        Column("judge's own", plain("judge"), FIGURE, unit=unit, better=better, help="over all answers"),
        Column("people's", plain("people"), FIGURE, unit=unit, better=better, help="over what they rated"),
        Column("PPI", lambda row: corrected_cell(row.figures, signed=signed), FIGURE, unit=unit, better=better),
    ]
    if has_rates:
        columns.append(
            Column(
                "Rogan-Gladen",
                lambda row: _other_cell(row.figures, signed),
                FIGURE,
                unit=unit,
                better=better,
            )
        )
    return columns


def _rate_columns() -> list[Column]:
    def rate(key: str) -> Callable[[_Row], Cell]:
        return lambda row: corrected_cell(row.figures, key)

    return [
        Column("", lambda row: row.name),
        Column("sensitivity", rate(ESTIMATES[2]), FIGURE, unit="%", help="of what people call right"),
        Column("specificity", rate(ESTIMATES[3]), FIGURE, unit="%", help="of what people call wrong"),
        Column("weight in PPI", lambda row: row.figures.get("weight"), FIGURE, digits=2, help="0 to 1"),
    ]


def _other_cell(figures: Mapping[str, Any], signed: bool) -> Cell | None:
    """Rogan-Gladen; a reason that stands beside it already is not said twice."""
    cell = corrected_cell(figures, ESTIMATES[1], signed)
    return None if cell.value is None and cell.reason == corrected_cell(figures).reason else cell


def _rated(row: _Row) -> Cell | None:
    return Cell(row.figures["rated"], of=row.figures["n"]) if "n" in row.figures else None


def _unit_of(rows: Sequence[_Row]) -> tuple[str, int]:
    unit = next((row.figures["unit"] for row in rows if "unit" in row.figures), "")
    return unit, 1 if unit else 2


def _left_out(rows: Sequence[_Row]) -> list[str]:
    """What a judge has no verdict on, said where there is any."""
    return [
        f"{row.name}: {row.figures['unjudged']:,} answers without a verdict of the judge are left out."
        for row in rows
        if row.figures.get("unjudged") and "axis" not in row.figures
    ]


def corrected_cell(figures: Mapping[str, Any], key: str = ESTIMATES[0], signed: bool = False) -> Cell:
    """One estimate with its interval, or why there is none."""
    found = figures.get(key) or {"value": None, "reason": figures.get("reason")}
    return figure_cell(found, digits=1 if figures.get("unit") else 2, signed=signed)


def _ends(rubric: Rubric) -> tuple[float, float]:
    return (0.0, 1.0) if rubric.is_accuracy else (float(rubric.lowest), float(rubric.highest))
