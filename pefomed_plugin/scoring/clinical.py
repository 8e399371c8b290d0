"""Clinical metrics of radiology reports through RadEval: RadGraph-F1, CheXbert-F1, RaTEScore, GREEN. Optional.

RadEval brings models of its own (gigabytes). What is not there is null with the reason; nothing takes its place.
"""

import numbers
from typing import Any, Dict, List, Mapping, Sequence

from ..errors import one_line
from ..records import Prediction, Score
from .pairing import require_predictions

VERSION = "1"
METRICS: Mapping[str, str] = {"radgraph_f1": "do_radgraph", "chexbert_f1": "do_chexbert", "ratescore": "do_ratescore",
                              "green": "do_green"}
"""Name of a metric -> the switch of RadEval that computes it."""


def clinical_figures(predictions: Sequence[Prediction]) -> Dict[str, Any]:
    """Figures of a test set, one entry a number that RadEval gives; each metric stands or falls alone.

    Raises:
        DataError: no predictions.
    """
    require_predictions(predictions)
    references = [each.answer for each in predictions]
    hypotheses = [each.prediction or "" for each in predictions]
    missing = sum(each.prediction is None for each in predictions)
    figures: Dict[str, Any] = {"version": VERSION}
    for metric, switch in METRICS.items():
        try:
            found = _ask_radeval(switch, references, hypotheses)
        except Exception as error:  # models that cannot be fetched fail in ways of their own
            figures[metric] = {"n": 0, "value": None, "reason": "RadEval: " + one_line(error)}
            continue
        for key, value in found.items():
            if isinstance(value, numbers.Real):
                name = metric if len(found) == 1 else "{}/{}".format(metric, key)
                figures[name] = {"n": len(predictions), "missing": missing, "value": float(value)}
    return figures


def score_clinical(predictions: Sequence[Prediction]) -> List[Score]:
    """No score of a single report: RadEval's figures are of the whole test set (``clinical_figures``).

    Raises:
        DataError: no predictions.
    """
    require_predictions(predictions)
    return []


def _ask_radeval(switch: str, references: Sequence[str], hypotheses: Sequence[str]) -> Dict[str, Any]:
    try:
        from RadEval import RadEval
    except ImportError as error:
        raise ImportError("not installed; pip install RadEval ({})".format(one_line(error))) from error
    return dict(RadEval(**{switch: True})(refs=list(references), hyps=list(hypotheses)))
