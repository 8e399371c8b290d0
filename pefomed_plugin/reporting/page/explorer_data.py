"""What the page of a run shows, as one JSON-able dictionary. Opens no image and writes no HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ... import __version__
from ...records import CONFIDENCE, Prediction
from ...scoring.breakdown import axes_of, groups_of, label_of, places_of_groups, says_nothing, spelt_out
from ...scoring.leaks import FINDINGS, LEAK
from ...scoring.metrics_file import groups_in
from ...scoring.reliance import VARIANTS
from ...scoring.spec import ACCURACY, RATER, RUN, MetricSpec, ScorerSpec
from ...services.spreadsheets import FORMULA_STARTS, NUMBERLIKE
from ..breakdowns import break_down_answers, names_together, title_of_axis
from ..comparison.compare import stages_in_paper
from ..figures import Figure
from ..floors import floor_words
from ..results import Answered, Run
from ..table import text_of
from .explorer_ratings import ratings_data
from .explorer_reliance import KINDS, reliance_data
from .explorer_rows import COLUMNS, SampleRows
from .explorer_runs import beside, comparison_data


def page_data(runs: Sequence[Run], texts: bool = True, axes: Sequence[str] = ()) -> dict[str, Any]:
    """Everything the page shows but the images.

    Args:
        runs: the test sets of the first are shown, with the answers of all; all of them are compared.
        texts: whether questions, answers and predictions are put into the page; False leaves them out.
        axes: what the comparison's tests are told by as well.

    Raises:
        ConfigError: no such axis.
        DataError: the runs cannot be compared.
    """
    run = runs[0]
    comparison = comparison_data(runs, axes)
    measured: dict[str, tuple[ScorerSpec, MetricSpec]] = {}
    for key in run.answered:
        for other in runs:
            for name, found in other.answered[key].measured.items() if key in other.answered else ():
                measured.setdefault(name, found)
    scorers = list(measured)
    images, fields = image_keys(run), _fields(run)
    return {
        "title": run.name,
        "version": __version__,
        "notice": run.origins.notice,
        "texts": texts,
        "runs": [run.name for run in runs],
        "sets": [_set(runs, answered) for answered in run.answered.values()],
        "scorers": [
            {
                "name": name,
                "title": metric.title,
                "min": metric.low,
                "max": metric.high,
                "unit": metric.unit,
                "higherIsBetter": metric.higher_is_better,
                "binary": spec.kind == ACCURACY,
                "verdict": not spec.metrics,
                "family": _family(spec),
            }
            for name, (spec, metric) in measured.items()
        ],
        "fields": list(fields.values()),
        "columns": COLUMNS,
        "samples": SampleRows(runs, scorers, images, list(fields), texts),
        "imageCount": len(images),
        "producer": _producer(run),
        "variants": VARIANTS,
        "lookedKinds": KINDS,
        "comparison": comparison,
        "hasPaperFigures": any(stages_in_paper(run, answered) is not None for answered in run.answered.values()),
        "guard": {"starts": FORMULA_STARTS, "numberlike": NUMBERLIKE.pattern},
    }


def image_keys(run: Run) -> dict[tuple[str, str], int]:
    """(data set, image) -> number, for every image of the run, each once."""
    keys: dict[tuple[str, str], int] = {}
    for answered in run.answered.values():
        for prediction in answered.predictions:
            for image in prediction.images:
                keys.setdefault((prediction.dataset, image), len(keys))
    return keys


def _family(spec: ScorerSpec) -> str:
    """What disagreements are looked for between: right or wrong by rule, judges, people."""
    return {RUN: "judge", RATER: "human"}.get(spec.repeated, "exact_match" if spec.kind == ACCURACY else "computed")


def _fields(run: Run) -> dict[str, dict[str, Any]]:
    """Name of a field -> what it is called, and the labels of its groups, of all fields that a sample has."""
    found: dict[str, dict[str, Any]] = {}
    for answered in run.answered.values():
        dataset = answered.predictions[0].dataset
        for name in _axes_shown(answered.predictions):
            groups = {group for prediction in answered.predictions for group in groups_of(prediction, name)}
            if says_nothing(groups) and name not in found:
                continue
            field = found.setdefault(
                name,
                {
                    "name": name,
                    "title": title_of_axis(name, dataset),
                    "labels": {},
                    "isTag": name not in FINDINGS,  # "yes" beside an answer says nothing; the worst of them does
                },
            )
            labels = spelt_labels(dataset, name, sorted(groups))
            field["labels"].update({group: label for group, label in labels.items() if label != group})
    return found


def spelt_labels(dataset: str, axis: str, groups: Sequence[str]) -> dict[str, str]:
    """Groups by their long names; where two would be called the same, with their codes."""
    names = {group: spelt_out(dataset, axis, group) for group in groups}
    said = Counter(names.values())
    return {group: name if said[name] == 1 else label_of(dataset, axis, group) for group, name in names.items()}


def _set(runs: Sequence[Run], answered: Answered) -> dict[str, Any]:
    """One test set: its headline figures, its breakdowns, its judges and raters."""
    run, first = runs[0], answered.predictions[0]
    missing = sum(prediction.prediction is None for prediction in answered.predictions)
    axes = _axes_shown(answered.predictions)
    figures = [
        _figure(answered.scorers[scorer], group, figure, _floor_figure(answered, scorer, group))
        for scorer, groups in answered.figures.items()
        for group, figure in groups.items()
        if isinstance(figure, Mapping)
        and answered.scorers[scorer].summary_of not in answered.figures
        and not groups_in([group], answered.scorers[scorer], axes)  # drawn as breakdowns
    ]
    headline = _headline(figures)
    shown = (answered.scorers[headline["scorer"]], headline["group"]) if headline else None
    return {
        "key": answered.key,
        "headline": headline,
        "runs": beside(runs, answered.key, shown),
        "dataset": first.dataset,
        "split": first.split,
        "task": first.task,
        "n": len(answered.predictions),
        "references": any(prediction.answer.strip() for prediction in answered.predictions),
        "images": len({image for prediction in answered.predictions for image in prediction.images}),
        "missing": missing,
        "figures": figures,
        "breakdowns": _breakdowns(answered),
        "together": names_together(answered),
        "ratings": ratings_data(run, answered),
        "reliance": reliance_data(run, answered),
        "floors": {scorer: f"{floor.predictor} ({floor_words(floor)})" for scorer, floor in answered.floors.items()},
        "beside": [_leaks_in_words(answered), *_floors_lacking(run, answered)],
    }


def _headline(figures: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The figure that is shown large: how much is right; else CIDEr; else the first."""
    right = [figure for figure in figures if figure["group"] == "overall" and figure["unit"] == "%"]
    cider = [figure for figure in figures if figure["group"] == "cider"]
    return next(iter([*right, *cider, *figures]), None)


def _leaks_in_words(answered: Answered) -> str:
    """What training has of the samples, or that nobody looked."""
    groups = places_of_groups(answered.predictions, LEAK)
    if says_nothing(groups):
        return "What training has of these samples: not examined (pefomed leaks)."
    named = ", ".join(f"{group} {len(places):,}" for group, places in groups.items())
    return f"What training has of these samples, the worst of each: {named}."


def _floors_lacking(run: Run, answered: Answered) -> list[str]:
    """Scorers without a floor, unless none is wanted."""
    lacking = [spec.name for spec in answered.scored if spec.name not in answered.floors]
    return [f"No floor of {', '.join(lacking)} (pefomed floors)."] if lacking and run.has_floors_read else []


def _floor_figure(answered: Answered, scorer: str, group: str) -> float | None:
    """The same figure of the strongest predictor that does not look."""
    if scorer not in answered.floors:
        return None
    figure = answered.floors[scorer].answered.figures.get(scorer, {}).get(group)
    return figure.get("value") if isinstance(figure, Mapping) else None


def _figure(spec: ScorerSpec, group: str, figure: Mapping[str, Any], floor: float | None) -> dict[str, Any]:
    """One figure of ``metrics.json``, with the range it is drawn in."""
    metric, is_count = spec.measured_by(group), group in {f"level {level}" for level in spec.levels}
    low, high = (0.0, float(figure.get("n") or 1)) if is_count else metric.shown_range
    entry, interval = Figure(spec.name, group, figure), figure.get("interval") or {}
    return {
        "scorer": spec.name,
        "group": group,
        "n": text_of(entry.count()),
        "value": figure.get("value"),
        "shown": text_of(replace(entry.value(), sd=None)),
        "unit": "" if is_count else metric.unit,
        "min": low,
        "max": high,
        "interval": figure.get("interval"),
        "floor": floor,
        "shownInterval": "" if interval.get("low") is None else text_of(entry.interval()),
        "noInterval": interval.get("reason") or "",
    }


def _axes_shown(predictions: Sequence[Prediction]) -> list[str]:
    return [axis for axis in axes_of(predictions) if axis not in ("overall", "dataset")]


def _breakdowns(answered: Answered) -> list[dict[str, Any]]:
    found = []
    for scorer, (_, metric) in answered.measured.items():
        for axis in _axes_shown(answered.predictions):
            breakdown = break_down_answers(answered, scorer, axis)
            dataset, groups = answered.predictions[0].dataset, [cell.group for cell in breakdown.cells]
            labels = spelt_labels(dataset, axis, groups)
            if not says_nothing(cell.group for cell in breakdown.cells):
                found.append(
                    {
                        "scorer": scorer,
                        "axis": axis,
                        "title": breakdown.axis_title,
                        "unit": metric.unit,
                        "min": metric.shown_range[0],
                        "max": metric.shown_range[1],
                        "cells": [
                            {
                                "group": cell.group,
                                "label": labels[cell.group],
                                "n": cell.n,
                                "value": cell.value,
                                "low": cell.interval.low,
                                "high": cell.interval.high,
                                "sd": cell.sd,
                                "floor": breakdown.floor.get(cell.group),
                            }
                            for cell in breakdown.cells
                        ],
                    }
                )
    return found


def _producer(run: Run) -> dict[str, str]:
    """What made the answers, as all of a test set say it; the prompt is text of the data set and stays out."""
    predictions = next(iter(run.answered.values())).predictions
    return {
        key: str(value)
        for key, value in predictions[0].producer.items()
        if key not in ("prompt", CONFIDENCE)
        and value is not None
        and all(prediction.producer.get(key) == value for prediction in predictions)
    }
