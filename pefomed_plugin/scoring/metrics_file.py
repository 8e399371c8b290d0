"""``metrics.json`` of one test set: bound to its predictions by their digest, added to and never thinned.

Every command that scores, judges or imports ratings reads what is there, adds its own under its own name, and keeps the
axes that a scorer was broken down by. What rests on ratings that are no longer there is computed anew or dropped, and
said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..atomic import as_one, settle
from ..digests import file_sha256
from ..errors import DataError
from ..origins import ORIGIN_KEYS, origins_of
from ..readers.textfiles import read_json, read_json_object
from ..records import Prediction
from ..storage import read_predictions, set_aside, write_json, write_records
from .breakdown import axes_of
from .checks import check_predictions
from .leaks import FLOORS, LEAKS, read_leaks, samples_digest, without_leaks
from .spec import ScorerSpec

METRICS, PREDICTIONS, AGREEMENT = "metrics.json", "predictions.jsonl", "agreement.json"
OCCLUSION = "occlusion.json"
"""What ``pefomed explain`` found of single answers."""
SECTIONS, VALUES = ("scores", "scorers", "judges", FLOORS), ("agreement", "reliance")
"""What it may hold beside what ``describe`` says: by scorer, and as a whole."""
RATINGS = "ratings_sha256"
"""Key of the digest of the ratings that an agreement rests on."""
_DERIVED = (METRICS, AGREEMENT, "scores", "reliance", OCCLUSION)
"""What in the folder of a test set rests on its predictions."""


def read_metrics(path: Path) -> dict[str, Any]:
    """A ``metrics.json``, its sections looked at.

    Raises:
        DataError: it is damaged; names the fields.
    """
    kinds = {**dict.fromkeys(SECTIONS, "Mapping[str, Mapping]"), **dict.fromkeys(VALUES, "Mapping")}
    return read_json_object(path, kinds, what="a metrics file; score these predictions again")


def describe(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """What ``metrics.json`` says of the predictions it is about: data sets, splits, how many, and their digest."""
    texts = [
        [prediction.id, prediction.question, prediction.answer, prediction.prediction] for prediction in predictions
    ]
    digest = hashlib.sha256(json.dumps(texts, ensure_ascii=False).encode("utf-8")).hexdigest()
    return {
        "datasets": sorted({prediction.dataset for prediction in predictions}),
        "splits": sorted({prediction.split for prediction in predictions}),
        "n": len(predictions),
        "predictions_sha256": digest,
    }


def is_about(metrics: Any, description: Mapping[str, Any]) -> bool:
    """Whether the content of a ``metrics.json`` is about the predictions of ``description``."""
    return isinstance(metrics, dict) and metrics.get("predictions_sha256") == description["predictions_sha256"]


def earlier_metrics(path: Path, description: Mapping[str, Any]) -> dict[str, Any]:
    """What is in a ``metrics.json`` already, to be added to; empty where there is none.

    Raises:
        DataError: it is about other predictions than those of ``description``.
    """
    settle(path.parent)
    if not path.is_file():
        return {}
    metrics = read_metrics(path)
    if not is_about(metrics, description):
        raise DataError(
            f"{path} holds the metrics of other predictions; write to another folder with --out, or, if they were "
            f"changed on purpose, move {METRICS} and scores/ away"
        )
    return {key: value for key, value in metrics.items() if key != "schema"}


def update_metrics(
    predictions: Sequence[Prediction], folder: Path, sections: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Add to sections of ``metrics.json``, ``{"scores": {name: figures}}``; the predictions beside it if they are not.

    Raises:
        DataError: it holds the metrics of other predictions.
    """
    check_predictions(predictions)
    path = Path(folder) / METRICS
    before = earlier_metrics(path, describe(predictions))
    metrics = merge_metrics(before, predictions, {"scores": {}, **sections})
    with as_one(folder):
        write_json(path, metrics)
        if not (Path(folder) / PREDICTIONS).exists():
            write_records(Path(folder) / PREDICTIONS, without_leaks(predictions))
    return metrics


def merge_metrics(
    before: Mapping[str, Any], predictions: Sequence[Prediction], sections: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Metrics with sections added to; what stood there under other names stays."""
    added = {section: {**before.get(section, {}), **content} for section, content in sections.items()}
    kept = {key: value for key, value in before.items() if key not in ORIGIN_KEYS}
    return {"origin": origins_of(predictions).to_json(), **kept, **describe(predictions), **added}


def axes_to_keep(
    before: Mapping[str, Any], spec: ScorerSpec, predictions: Sequence[Prediction], asked: Iterable[str]
) -> list[str]:
    """What a scorer is broken down by: the axes that the metrics ``before`` have groups of, and those asked for."""
    figures = before.get("scores", {}).get(spec.name, {})
    there = [axis for axis in axes_of(predictions) if groups_in(figures, spec, [axis])]
    return list(dict.fromkeys([*there, *asked]))


def groups_in(figures: Iterable[str], spec: ScorerSpec, axes: Iterable[str]) -> list[str]:
    """Which keys of a scorer's figures are groups of these axes: ``organ CHEST``, ``cider organ CHEST``."""
    prefixes = [f"{metric} {axis} " for axis in axes for metric in (metric.name for metric in spec.metrics)]
    prefixes = prefixes or [f"{axis} " for axis in axes]
    return [key for key in figures if key.startswith(tuple(prefixes))]


def with_other_results(output_dir: Path, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """``results`` of a run's ``metrics.json``: those just made, and of test sets that a resumed run no longer names."""
    files = sorted(Path(output_dir).glob(f"results/*/{METRICS}"))
    return {**{path.parent.name: read_json(path) for path in files}, **metrics}


def set_stale_aside(predictions: Sequence[Prediction], folder: Path) -> list[str]:
    """Rename results in ``folder`` that are about other predictions, so that these can be scored; floors and leaks only
    where they are about other samples.

    Returns:
        What was set aside and where it is now, a line each; empty where all of it is about ``predictions``.
    """
    settle(folder)
    path = Path(folder) / METRICS
    stale = [] if not path.is_file() or is_about(read_json(path), describe(predictions)) else list(_DERIVED)
    stale += _of_other_samples(predictions, path.parent)
    return [
        f"{path.parent / name} is now {set_aside(path.parent / name)}"
        for name in stale
        if (path.parent / name).exists()
    ]


def _of_other_samples(predictions: Sequence[Prediction], folder: Path) -> list[str]:
    """What in a folder is about other samples than these answers, whatever they say."""
    leaks = read_leaks(folder)
    floors = [read_predictions(path) for path in sorted(folder.glob(f"{FLOORS}/*/{PREDICTIONS}"))]
    if leaks is None and not floors:
        return []
    about = samples_digest(predictions)
    return [
        *([LEAKS] if leaks is not None and leaks.samples_sha256 != about else []),
        *([FLOORS] if any(samples_digest(answers) != about for answers in floors) else []),
    ]


def ratings_digest(folder: Path) -> str:
    """Digest of the score files of all judges and raters in ``folder``: what ``agreement.json`` rests on."""
    names = [path for path in sorted((Path(folder) / "scores").glob("*.run*.jsonl"))]
    text = "".join(f"{path.name} {file_sha256(path)}\n" for path in names)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def drop_stale_agreement(folder: Path, metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """``metrics`` without an agreement that rests on other ratings than those in ``folder``, and written so.

    Returns:
        The metrics that stand now; None where there was nothing to drop.
    """
    found = metrics.get("agreement")
    if not found or found.get(RATINGS) == ratings_digest(folder):
        return None
    left = {key: value for key, value in metrics.items() if key != "agreement"}
    write_json(Path(folder) / METRICS, left)
    return left
