"""Figures of one scorer over several runs or raters: mean and SD over the runs, interval over the samples. Pure.

A run's figure is the mean over what it scored; a sample's, its mean over the runs that scored it. Intervals draw whole
studies (images where a data set has no studies), as those of every other scorer.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import DataError
from ..records import Prediction, Score
from ..rubrics import CANNOT_JUDGE
from .breakdown import GroupMean, check_axes, cluster_of, label_of, places_of_groups
from .intervals import Interval, cluster_interval
from .pairing import answer_type, mean, mean_of_given, pair_scores
from .spec import GROUPS
from .wasm import summarise_wasm, wasm_from_counts

Runs = Sequence[Sequence[Score]]
"""One sequence of scores a run or rater, of the same predictions."""


def summarise_answers(predictions: Sequence[Prediction], runs: Runs) -> dict[str, Any]:
    """Verdicts (0 or 1) as the paper's tables print them: percent right of open, closed and all questions.

    Raises:
        DataError: predictions and scores do not belong together.
    """
    for scores in runs:
        pair_scores(predictions, scores)
    figures: dict[str, Any] = {}
    for group, kind in GROUPS.items():
        chosen = [prediction for prediction in predictions if kind is None or answer_type(prediction) == kind]
        if chosen:
            figures[group] = {**_over_runs(chosen, _only(runs, chosen), 100.0), "unit": "%"}
    return figures


def summarise_levels(predictions: Sequence[Prediction], runs: Runs, levels: Sequence[int]) -> dict[str, Any]:
    """Ratings as their weighted mean (``overall``; WASM for reports) and the mean number at each level with its SD.

    Raises:
        DataError: predictions and scores do not belong together, or a value is none of ``levels``.
    """
    overall = _over_runs(predictions, runs, 1.0)
    if overall["value"] is None:
        return {"overall": overall}
    of_runs = [summarise_wasm(scores, levels) for scores in runs if any(score.value is not None for score in scores)]
    counts = [summarise_runs([run.counts[place] for run in of_runs]) for place in range(len(levels))]
    shares = wasm_from_counts([count.mean for count in counts], levels).percentages
    return {
        "overall": overall,
        **{
            f"level {value}": {
                "n": overall["n"],
                "value": count.mean,
                "sd": count.sd,
                "percent": share,
                "runs": overall["runs"],
            }
            for value, count, share in zip(levels, counts, shares)
        },
    }


def summarise_groups(
    predictions: Sequence[Prediction], runs: Runs, in_percent: bool, axes: Sequence[str]
) -> dict[str, Any]:
    """The groups of some axes, by ``organ CHEST`` and the like: percent right, or the mean of the levels.

    Raises:
        ConfigError: the predictions cannot be broken down by an axis.
        DataError: predictions and scores do not belong together.
    """
    check_axes(axes, predictions)
    factor, unit = (100.0, {"unit": "%"}) if in_percent else (1.0, {})
    figures: dict[str, Any] = {}
    for axis in axes:
        for group, places in places_of_groups(predictions, axis).items():
            chosen = [predictions[place] for place in places]
            figures[f"{axis} {group}"] = {**_over_runs(chosen, _only(runs, chosen), factor), **unit}
    return figures


def break_down_runs(predictions: Sequence[Prediction], runs: Runs, axis: str, factor: float = 1.0) -> list[GroupMean]:
    """As ``breakdown.break_down``, of several runs or raters: each group's mean over them, and its SD.

    Raises:
        ConfigError: no such axis.
        DataError: predictions and scores do not belong together, or there is no run.
    """
    check_axes([axis], predictions)
    cells = []
    for group, places in places_of_groups(predictions, axis).items():
        chosen = [predictions[place] for place in places]
        kept = _only(runs, chosen)
        found = _over_runs(chosen, kept, factor)
        scored = len({score.sample_id for scores in kept for score in scores if score.value is not None})
        ends = found.get("interval") or {"low": None, "high": None, "reason": found["reason"]}
        label, unscored = label_of(chosen[0].dataset, axis, group), len(chosen) - scored
        cells.append(
            GroupMean(group, label, scored, unscored, found["value"], Interval(**ends), found.get("sd"), found["runs"])
        )
    return cells


@dataclass(frozen=True)
class OverRuns:
    """One figure, measured several times."""

    mean: float
    """In the unit of what was measured."""
    sd: float | None
    """Sample standard deviation (ddof=1), as in the paper's brackets; None for a single run."""
    runs: int
    """How many runs or raters."""


def summarise_runs(values: Sequence[float]) -> OverRuns:
    """Mean and sample standard deviation of one figure over runs.

    Raises:
        DataError: no run, or one whose figure is not a finite number.
    """
    broken = [number for number, value in enumerate(values, 1) if not math.isfinite(value)]
    if broken:
        raise DataError(f"no finite figure in run(s) {', '.join(map(str, broken))}: score them again")
    return OverRuns(mean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))


def sample_means(runs: Runs) -> list[float | None]:
    """Each sample's mean over the runs that scored it; None where none did. Runs must be in one order."""
    return [mean_of_given(score.value for score in scores) for scores in zip(*runs)]


def _over_runs(predictions: Sequence[Prediction], runs: Runs, factor: float) -> dict[str, Any]:
    if not runs:
        raise DataError("no run to summarise")
    paired = [[score for _, score in pair_scores(predictions, scores)] for scores in runs]
    unscored = sum(score.value is None for scores in paired for score in scores)
    per_run = [[factor * score.value for score in scores if score.value is not None] for scores in paired]
    figures: dict[str, Any] = {"n": len(predictions), "unscored": unscored}
    beyond = sum(score.value is None and score.reason == CANNOT_JUDGE for scores in paired for score in scores)
    if beyond:
        figures["cannot_judge"] = beyond
    scored_runs = [mean(values) for values in per_run if values]
    if not scored_runs:
        return {**figures, "value": None, "runs": 0, "reason": "nothing was scored"}
    over = summarise_runs(scored_runs)
    rows = [
        (prediction, factor * value)
        for prediction, value in zip(predictions, sample_means(paired))
        if value is not None
    ]
    interval = cluster_interval([value for _, value in rows], [cluster_of(prediction) for prediction, _ in rows])
    return {**figures, "value": over.mean, "sd": over.sd, "runs": over.runs, "interval": asdict(interval)}


def _only(runs: Runs, chosen: Sequence[Prediction]) -> list[list[Score]]:
    wanted = {prediction.id for prediction in chosen}
    return [[score for score in scores if score.sample_id in wanted] for scores in runs]
