"""What ``metrics.json`` says of one scorer: plain dictionaries of figures with their counts and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..records import CLOSED, OPEN, Prediction, Score
from .breakdown import CLUSTERS
from .exact_match import Accuracy, summarise_exact_match
from .intervals import cluster_interval
from .pairing import answer_type, mean, pair_scores

GROUPS: dict[str, str | None] = {"open": OPEN, "closed": CLOSED, "overall": None}


def summarise(name: str, predictions: Sequence[Prediction], scores: Sequence[Score]) -> dict[str, Any]:
    """Figures of one scorer over one test set; ``value`` and ``interval`` in percent for exact match.

    Raises:
        DataError: predictions and scores do not belong together.
    """
    if name.split("/", maxsplit=1)[0] == "exact_match":
        return _exact_match(predictions, scores)
    return _means(predictions, scores)


def _exact_match(predictions: Sequence[Prediction], scores: Sequence[Score]) -> dict[str, Any]:
    summary = asdict(summarise_exact_match(predictions, scores))
    figures: dict[str, Any] = {}
    for group, kind in GROUPS.items():
        if summary[group] is not None:
            pairs = [(p, s) for p, s in pair_scores(predictions, scores) if kind in (None, answer_type(p))]
            interval = cluster_interval(
                [100 * (s.value or 0.0) for _, s in pairs], [CLUSTERS["study"](p) for p, _ in pairs]
            )
            figures[group] = {
                **summary[group],
                "value": Accuracy(**summary[group]).percent,
                "unit": "%",
                "interval": asdict(interval),
            }
    return figures


def _means(predictions: Sequence[Prediction], scores: Sequence[Score]) -> dict[str, Any]:
    pairs = [(p, s) for p, s in pair_scores(predictions, scores) if s.value is not None]
    unscored = len(scores) - len(pairs)
    if not pairs:
        return {"overall": {"n": 0, "unscored": unscored, "value": None, "reason": "nothing was scored"}}
    values = [float(s.value) for _, s in pairs if s.value is not None]
    interval = cluster_interval(values, [CLUSTERS["study"](p) for p, _ in pairs])
    return {"overall": {"n": len(values), "unscored": unscored, "value": mean(values), "interval": asdict(interval)}}
