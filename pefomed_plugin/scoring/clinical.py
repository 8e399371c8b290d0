"""Clinical metrics of radiology reports through RadEval: RadGraph-F1, CheXbert-F1, RaTEScore, GREEN. Optional.

RadEval (its package is ``radeval`` since 2.2, ``RadEval`` before) fetches models of its own, gigabytes of them, and
needs Python 3.11. What is not there is null with the reason; nothing takes its place.
"""

from __future__ import annotations

import importlib
import numbers
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import one_line
from ..records import Prediction
from .pairing import require_predictions
from .spec import Measured, MetricSpec, ScorerSpec

VERSION = "2"
"""2: the interface of RadEval 1.0 and later, ``RadEval(metrics=[...])``."""
METRICS: Mapping[str, str] = {
    "radgraph_f1": "radgraph",
    "chexbert_f1": "f1chexbert",
    "ratescore": "ratescore",
    "green": "green",
}
"""Name of a metric -> RadEval's name for it."""
_PACKAGES = ("radeval", "RadEval")


def measure_clinical(predictions: Sequence[Prediction]) -> Measured:
    """Figures of a test set, one entry for each value that RadEval gives; each metric stands or falls alone.

    There are no scores of single reports.

    Raises:
        DataError: no predictions.
    """
    require_predictions(predictions)
    references = [prediction.answer for prediction in predictions]
    hypotheses = [prediction.prediction or "" for prediction in predictions]
    missing = sum(prediction.prediction is None for prediction in predictions)
    figures: dict[str, Any] = {"version": VERSION}
    for metric, name in METRICS.items():
        try:
            found = _ask_radeval(name, references, hypotheses)
        except Exception as error:  # models that cannot be fetched fail in ways of their own
            figures[metric] = {"n": 0, "value": None, "reason": "RadEval: " + one_line(error)}
            continue
        for key, value in found.items():
            if isinstance(value, numbers.Real):
                shown = metric if len(found) == 1 else f"{metric}/{key}"
                figures[shown] = {"n": len(predictions), "missing": missing, "value": float(value)}
    return Measured({}, figures)


def _ask_radeval(metric: str, references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, Any]:
    radeval = _find_radeval()
    try:
        evaluator = radeval(metrics=[metric], show_progress=False)
    except TypeError as error:
        raise TypeError(f"older than 1.0; pip install 'radeval>=1' ({one_line(error)})") from error
    return dict(evaluator(refs=list(references), hyps=list(hypotheses)))


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
    "clinical/radeval",
    "clinical metrics of RadEval",
    measure=measure_clinical,
    version=VERSION,
    columns=tuple(METRICS),
    metrics=tuple(
        MetricSpec(name, words, pooled=True)
        for name, words in zip(METRICS, ("RadGraph F1", "CheXbert F1", "RaTEScore", "GREEN"))
    ),
    tasks=("report",),
    short="clinical",
)
"""Needs nothing at the start: what cannot be computed is null with the reason, beside other scorers."""
