"""What ``metrics.json`` says of one scorer: plain dictionaries of figures with their counts and intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..records import Prediction, Score
from .breakdown import check_axes, cluster_of, places_of_groups
from .intervals import cluster_interval
from .pairing import NO_PREDICTION, answer_type, mean, pair_scores
from .repeated import summarise_levels
from .spec import ACCURACY, GROUPS, LEVELS, MetricSpec, ScorerSpec

_POOLED = {"note": "mean over samples; the metric itself is pooled over the whole set"}
_Pairs = Sequence[tuple[Prediction, Score]]


def summarise(spec: ScorerSpec, predictions: Sequence[Prediction], scores: Sequence[Score]) -> dict[str, Any]:
    """Figures of one scorer's scores over one test set; ``value`` and ``interval`` in the unit that is shown.

    Right or wrong: by kind of question, with the count of right ones; a kind that it does not score, and has no column
    of, is left out. Levels: WASM and a count for each level. Others: their mean. A scorer of several metrics has one
    entry for each.

    Raises:
        DataError: predictions and scores do not belong together.
    """
    if spec.metrics:
        by_name = {name: [score for score in scores if score.scorer == name] for name in spec.measured}
        return {
            metric.name: _means(metric, pair_scores(predictions, by_name[name]))
            for name, metric in spec.measured.items()
        }
    if spec.kind == LEVELS:
        return summarise_levels(predictions, [scores], spec.levels)
    pairs = pair_scores(predictions, scores)
    if spec.kind != ACCURACY:
        return {"overall": _means(spec, pairs)}
    groups = {
        group: [(prediction, score) for prediction, score in pairs if kind in (None, answer_type(prediction))]
        for group, kind in GROUPS.items()
    }
    return {
        group: _accuracy(spec, chosen)
        for group, chosen in groups.items()
        if chosen and (group in spec.columns or any(score.value is not None for _, score in chosen))
    }


def summarise_by(
    spec: ScorerSpec, predictions: Sequence[Prediction], scores: Mapping[str, Sequence[Score]], axes: Sequence[str]
) -> dict[str, Any]:
    """Figures of the groups of some axes, ``organ CHEST``; of a scorer of several metrics ``cider organ CHEST``.

    Args:
        scores: by the name they carry, one per prediction; a metric without any has no groups.

    Raises:
        ConfigError: the predictions cannot be broken down by an axis.
        DataError: predictions and scores do not belong together.
    """
    check_axes(axes, predictions)
    figures: dict[str, Any] = {}
    for name, metric in spec.measured.items() if axes else ():
        if name not in scores:
            continue
        pairs = pair_scores(predictions, scores[name])
        prefix = f"{metric.name} " if spec.metrics else ""
        for axis in axes:
            for group, places in places_of_groups(predictions, axis).items():
                chosen = [pairs[place] for place in places]
                figure = _accuracy(spec, chosen) if spec.kind == ACCURACY else _means(metric, chosen)
                figures[f"{prefix}{axis} {group}"] = {**figure, **(_POOLED if metric.pooled else {})}
    return figures


def _accuracy(spec: ScorerSpec, pairs: _Pairs) -> dict[str, Any]:
    scored = [score for _, score in pairs if score.value is not None]
    missing = sum(score.reason == NO_PREDICTION for _, score in pairs)
    figure = {
        "n": len(scored),
        "correct": sum(score.value == 1.0 for score in scored),
        "missing": missing,
        **_means(spec, pairs),
    }
    if not figure["unscored"]:
        del figure["unscored"]
    return figure


def _means(metric: MetricSpec, pairs: _Pairs) -> dict[str, Any]:
    scored = [(prediction, metric.factor * score.value) for prediction, score in pairs if score.value is not None]
    counts = {"n": len(scored), "unscored": len(pairs) - len(scored)}
    if not scored:
        return {**counts, "value": None, "reason": "nothing was scored"}
    values = [value for _, value in scored]
    interval = cluster_interval(values, [cluster_of(prediction) for prediction, _ in scored])
    unit = {"unit": metric.unit} if metric.unit else {}
    return {**counts, "value": mean(values), **unit, "interval": asdict(interval)}
