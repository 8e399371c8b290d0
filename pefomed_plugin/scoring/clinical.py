"""Clinical metrics of radiology reports through RadEval: RadGraph-F1, CheXbert-F1, RaTEScore, GREEN. Optional.

RadEval (its package is ``radeval`` since 2.2, ``RadEval`` before) fetches models of its own, gigabytes of them, and
needs Python 3.11. What is not there is null with the reason; nothing takes its place.
"""

from __future__ import annotations

import importlib
import numbers
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import DataError, one_line
from ..records import Prediction, Score
from .breakdown import cluster_of
from .intervals import cluster_interval
from .known import Known
from .pairing import NO_PREDICTION, mean, require_predictions
from .probes import EMPTY, PERFECT, SWAPPED
from .spec import Measured, MetricSpec, ScorerSpec

NAME, VERSION = "clinical/radeval", "3"
"""2: the interface of RadEval 1.0 and later, ``RadEval(metrics=[...])``. 3: a value for each report."""
_PACKAGES = ("radeval", "RadEval")


@dataclass(frozen=True)
class Asked:
    """One metric of RadEval, as ``RadEval(metrics=[name])`` knows it, and what it gives (release 2.2)."""

    name: str
    reports: Mapping[str, str]
    """Values of single reports -> in words; the figure of the set is their mean, as RadEval's own."""
    pooled: Mapping[str, str] | None = None
    """Values of the whole set that are no means; RadEval computes them in a pass of their own."""


ASKED = (
    Asked(
        "radgraph",
        {
            "radgraph_simple": "RadGraph F1, entities",
            "radgraph_partial": "RadGraph F1, entities and whether related",
            "radgraph_complete": "RadGraph F1, entities and relations",
        },
    ),
    Asked(
        "f1chexbert",
        {
            "f1chexbert_sample_acc_5": "CheXbert, share of 5 labels right",
            "f1chexbert_sample_acc_all": "CheXbert, share of 14 labels right",
        },
        {
            f"f1chexbert_{labels}_{kind}_f1": f"CheXbert {kind} F1, {'5' if labels == '5' else '14'} labels"
            for kind in ("micro", "macro", "weighted")
            for labels in ("5", "all")
        },
    ),
    Asked("ratescore", {"ratescore": "RaTEScore"}),
    Asked("green", {"green": "GREEN"}),
)


def measure_clinical(predictions: Sequence[Prediction]) -> Measured:
    """A score for each report and the figures of the set, means with a clustered interval; each metric stands alone.

    Raises:
        DataError: no predictions.
    """
    require_predictions(predictions)
    scores: dict[str, list[Score]] = {}
    figures: dict[str, Any] = {"version": VERSION}
    missing = sum(prediction.prediction is None for prediction in predictions)
    for asked in ASKED:
        try:
            values, pooled = _ask_radeval(asked, predictions)
        except Exception as error:  # models that cannot be fetched fail in ways of their own
            reason = {"n": 0, "value": None, "reason": "RadEval: " + one_line(error)}
            figures.update({key: reason for key in (*asked.reports, *(asked.pooled or {}))})
            continue
        for key in asked.reports:
            scores[f"{NAME}/{key}"] = _scores(f"{NAME}/{key}", predictions, values[key])
            figures[key] = {
                "n": len(predictions),
                "missing": missing,
                "value": mean(values[key]),
                "interval": asdict(cluster_interval(values[key], list(map(cluster_of, predictions)))),
            }
        figures.update({key: {"n": len(predictions), "missing": missing, "value": pooled[key]} for key in pooled})
    return Measured(scores, figures)


def _scores(name: str, predictions: Sequence[Prediction], values: Sequence[float]) -> list[Score]:
    return [
        Score(prediction.id, name, VERSION, value, NO_PREDICTION if prediction.prediction is None else None)
        for prediction, value in zip(predictions, values)
    ]


def _ask_radeval(asked: Asked, predictions: Sequence[Prediction]) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Values of the reports, and of the set where they are no means.

    Raises:
        DataError: RadEval gives something else than it is known for; nothing is taken of it.
    """
    references = [prediction.answer for prediction in predictions]
    hypotheses = [prediction.prediction or "" for prediction in predictions]
    try:
        evaluator = _find_radeval()(metrics=[asked.name], show_progress=False, per_sample=True)
    except TypeError as error:
        raise TypeError(f"it is older than 2.2; pip install 'radeval>=2.2' ({one_line(error)})") from error
    found = dict(evaluator(refs=references, hyps=hypotheses))
    values = {key: [_number(value) for value in found.get(key) or ()] for key in asked.reports}
    pooled: dict[str, float] = {}
    if asked.pooled:
        evaluator.per_sample = False
        whole = dict(evaluator(refs=references, hyps=hypotheses))
        pooled = {key: _number(whole.get(key)) for key in asked.pooled}
    short = [key for key, each in values.items() if len(each) != len(predictions)]
    if short or set(found) != set(asked.reports):
        raise DataError(
            f"it gives {', '.join(map(str, found))} with other values than its release 2.2; tell us its version"
        )
    return values, pooled


def _number(value: Any) -> float:
    if not isinstance(value, numbers.Real):
        raise DataError(f"{type(value).__name__} in place of a number; tell us RadEval's version")
    return float(value)


def _find_radeval() -> Any:
    failures = []
    for package in _PACKAGES:
        try:
            module = importlib.import_module(package)
            # Its RadGraph still imports the old name (2.2.0, metrics/radgraph/_vendor/core.py, line 13).
            sys.modules.setdefault("RadEval", module)
            return module.RadEval
        except ImportError as error:
            failures.append(one_line(error))
    raise ImportError(f"not installed; pip install radeval, on Python 3.11 or later ({failures[0]})")


CLINICAL = ScorerSpec(
    NAME,
    "clinical metrics of RadEval",
    measure=measure_clinical,
    version=VERSION,
    columns=("f1chexbert_all_micro_f1", "ratescore", "green", "radgraph_partial"),
    metrics=tuple(
        MetricSpec(key, words, pooled=is_pooled)
        for asked in ASKED
        for is_pooled, known in ((False, asked.reports), (True, asked.pooled or {}))
        for key, words in known.items()
    ),
    tasks=("report",),
    short="clinical",
    known=(
        Known(PERFECT, 1, figures=tuple(key for asked in ASKED[:2] for key in (*asked.reports, *(asked.pooled or {})))),
        *(Known(probe, 0, 1, below=PERFECT, figures=("ratescore", "green")) for probe in (SWAPPED, EMPTY)),
    ),
    unasked="it fetches models of gigabytes",
)
"""Needs nothing at the start: what cannot be computed is null with the reason, beside other scorers."""
