"""A judge's figures corrected by people's ratings of some of the answers: of one run, by group, and of two runs apart.

What ``scoring.corrected`` estimates from plain numbers, for predictions and their scores, in the unit that is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..records import Prediction, Score
from ..rubrics import Rubric
from ..scoring.breakdown import check_axes, cluster_of, label_of, places_of_groups
from ..scoring.corrected import Corrected, JudgedAndRated, correct_difference, correct_mean
from ..scoring.intervals import Interval
from ..scoring.pairing import mean_of_given
from ..scoring.repeated import Runs, sample_means
from ..services.rating.plan import SCOPES
from ..services.rating.sheet_import import MATCHED
from .table import COUNT, FIGURE, HIGHER, Cell, Column, Table

NOTES = (
    "Prediction-powered (PPI++): holds if people rated a random part of the answers. Rogan-Gladen: holds if the "
    + "judge's sensitivity and specificity among the rated are those among all.",
    "In square brackets: 95 % intervals, drawn over studies or images; none below 20 ratings.",
)
NOT_RANDOM = "people rated only what failed exact match; a corrected figure needs a random part (rate export --random)"
_ESTIMATES = ("prediction_powered", "rogan_gladen", "sensitivity", "specificity")


def people_means(runs: Runs) -> list[float | None]:
    """People's mean rating of each answer; what counts as right because it matched, unrated, is no opinion."""
    opinions = [[None if score.reason == MATCHED else score.value for score in scores] for scores in runs]
    return list(map(mean_of_given, zip(*opinions)))


def correct_scores(
    predictions: Sequence[Prediction],
    judged: Runs,
    rated: Runs,
    rubric: Rubric,
    scope: str | None = None,
    axes: Sequence[str] = (),
) -> dict[str, Any]:
    """Corrected figures of one judge: ``n``, ``rated``, ``judge``, ``people``, ``weight`` and the estimates, each with
    ``value`` and ``interval``; under ``groups`` the same of ``organ CHEST`` and the like.

    Args:
        judged: scores of every run of the judge, in the order of the predictions.
        rated: scores of every rater.
        scope: which answers people rated, as the metrics have it.
        axes: what is broken down by.

    Raises:
        ConfigError: the predictions cannot be broken down by an axis.
    """
    check_axes(axes, predictions)
    if scope == SCOPES["failures"]:
        return {"value": None, "reason": NOT_RANDOM}
    answers = JudgedAndRated(sample_means(judged), people_means(rated))
    clusters = list(map(cluster_of, predictions))

    def figures(places: Sequence[int]) -> dict[str, Any]:
        part = JudgedAndRated([answers.judge[k] for k in places], [answers.people[k] for k in places])
        found = correct_mean(part, [clusters[k] for k in places], *_ends(rubric))
        return to_json(found, rubric)

    groups = {
        f"{axis} {group}": {"axis": axis, "label": label_of(predictions[0].dataset, axis, group), **figures(places)}
        for axis in axes
        for group, places in places_of_groups(predictions, axis).items()
    }
    return {**figures(range(len(predictions))), **({"groups": groups} if groups else {})}


def correct_two(
    predictions: Sequence[Prediction],
    others: Sequence[Prediction],
    judged: tuple[Sequence[Sequence[Score]], Sequence[Sequence[Score]]],
    rated: tuple[Sequence[Sequence[Score]], Sequence[Sequence[Score]]],
    rubric: Rubric,
) -> dict[str, Any]:
    """What one run's figure is above another's, over the questions that both answered; keys as ``correct_scores``."""
    by_id = {prediction.id: place for place, prediction in enumerate(others)}
    places = [(place, by_id[row.id]) for place, row in enumerate(predictions) if row.id in by_id]
    of_runs = []
    for number in (0, 1):
        judge, people = sample_means(judged[number]), people_means(rated[number])
        of_runs.append(
            JudgedAndRated([judge[pair[number]] for pair in places], [people[pair[number]] for pair in places])
        )
    clusters = [cluster_of(predictions[place]) for place, _ in places]
    return to_json(correct_difference(of_runs[0], of_runs[1], clusters, *_ends(rubric)), rubric)


def to_json(found: Corrected, rubric: Rubric) -> dict[str, Any]:
    """In percent where the rubric is of right and wrong."""
    factor = 100.0 if rubric.is_accuracy else 1.0
    content = {key: value for key, value in asdict(found).items() if value is not None}
    for key in ("judge", "people"):
        if key in content:
            content[key] *= factor
    for key in _ESTIMATES:
        for part in (content[key], content[key]["interval"]) if key in content else ():
            part.update({name: factor * part[name] for name in ("value", "low", "high") if part.get(name) is not None})
    return {**content, "unit": "%" if rubric.is_accuracy else ""}


def corrected_table(title: str, found: Mapping[str, Mapping[str, Any]]) -> Table:
    """One row for each judge, and one for each group of its answers."""
    rows = []
    for name, figures in found.items():
        rows.append((name, figures))
        rows += [(f"{name}, {part['axis']} {part['label']}", part) for part in figures.get("groups", {}).values()]
    return estimates_table(title, "", rows)


def estimates_table(
    title: str, first: str, rows: Sequence[tuple[str, Mapping[str, Any]]], signed: bool = False
) -> Table:
    """Names with their figures as ``correct_scores`` or ``correct_two`` make them."""
    rated = next((figures for _, figures in rows if "unit" in figures), {})
    unit, digits = rated.get("unit", ""), 1 if rated.get("unit") else 2

    def estimate(key: str) -> Any:
        return lambda row: estimate_cell(row[1], key, digits, signed and key in _ESTIMATES[:2])

    def plain(key: str) -> Any:
        return lambda row: Cell(row[1].get(key), digits=digits, signed=signed, reason=row[1].get("reason") or "")

    better = None if signed else HIGHER
    columns = [
        Column(first, lambda row: row[0]),
        Column("answers", lambda row: row[1].get("n"), COUNT),
        Column("rated", lambda row: row[1].get("rated"), COUNT),
        Column("judge's own", plain("judge"), FIGURE, unit=unit, better=better, help="over all answers"),
        Column("people's", plain("people"), FIGURE, unit=unit, better=better, help="over what they rated"),
        Column("prediction-powered", estimate("prediction_powered"), FIGURE, unit=unit, better=better, help=NOTES[0]),
        Column("weight", lambda row: Cell(row[1].get("weight"), digits=2), FIGURE, help="of the judge, 0 to 1"),
    ]
    columns += [
        Column("Rogan-Gladen" if key == "rogan_gladen" else key, estimate(key), FIGURE, unit=unit, better=better)
        for key in _ESTIMATES[1:]
        if any(key in figures for _, figures in rows)
    ]
    return Table(title, columns, rows, NOTES)


def estimate_cell(figures: Mapping[str, Any], key: str, digits: int, signed: bool = False) -> Cell | None:
    """One estimate with its interval, or why there is none."""
    found = figures.get(key)
    if found is None:
        return Cell(None, reason=figures.get("reason") or "")
    if found["value"] is None:
        return Cell(None, reason=found.get("reason") or "")
    return Cell(found["value"], interval=Interval(**found["interval"]), digits=digits, signed=signed)


def _ends(rubric: Rubric) -> tuple[float, float]:
    return (0.0, 1.0) if rubric.is_accuracy else (float(rubric.lowest), float(rubric.highest))
