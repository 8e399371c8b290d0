"""What lies beside the answers of a test set, read as far as it is about these answers; what is damaged is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..readers.textfiles import read_json, read_json_object
from ..records import Prediction
from ..scoring.metrics_file import AGREEMENT, OCCLUSION, PREDICTIONS, RATINGS, describe, ratings_digest, read_metrics
from ..scoring.reliance import SECTION, VARIANTS, pair_variants
from ..services.console import quote_words
from ..storage import SCHEMA, read_predictions


def read_scored(path: Path) -> Mapping[str, Any]:
    """``metrics.json`` (``path``) of scored answers; empty where nothing was scored."""
    if not path.is_file():
        return {}
    metrics = read_metrics(path)
    if "scores" not in metrics:
        raise DataError(f"{path} is not a metrics file; score these predictions again")
    if metrics.get("schema") != SCHEMA:
        raise DataError(
            f"{path} has schema {json.dumps(metrics.get('schema'))}, this version reads {SCHEMA}; score these "
            "predictions again"
        )
    return metrics


def read_agreement(folder: Path, predictions: Sequence[Prediction]) -> Mapping[str, Any]:
    """``agreement.json``, as ``pefomed agree`` wrote it of these answers and ratings."""
    path = folder / AGREEMENT
    if not path.is_file():
        return {}
    found = read_json(path)
    about = {**describe(predictions), RATINGS: ratings_digest(folder)}
    if not isinstance(found, dict) or any(found.get(key) != value for key, value in about.items()):
        asked = quote_words(["pefomed", "agree", folder / PREDICTIONS])
        raise DataError(f"{path} is not about these answers and ratings; run {asked} again, or delete it")
    return found


def read_occlusion(folder: Path, predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Maps of the answers that are there now; of others they are left out."""
    path = folder / OCCLUSION
    if not path.is_file():
        return {}
    found = read_json_object(path, {"maps": "Mapping[str, Mapping]"}, what="a file of pefomed explain; run it again")
    said = {prediction.id: prediction.prediction for prediction in predictions}
    maps: dict[str, Any] = {name: one for name, one in found["maps"].items() if said.get(name) == one.get("answer")}
    wrong = [name for name, one in maps.items() if not _is_raster(one.get("drops"))]
    if wrong:
        raise DataError(f"{path} is damaged: {', '.join(wrong[:5])} without a square of numbers; explain again")
    return maps


def _is_raster(drops: Any) -> bool:
    return (
        isinstance(drops, list)
        and bool(drops)
        and all(isinstance(line, list) and len(line) == len(drops) for line in drops)
        and all(isinstance(value, (int, float)) for line in drops for value in line)
    )


def read_variants(folder: Path, predictions: Sequence[Prediction]) -> dict[str, Sequence[Prediction]]:
    """The answers to the same questions about other images, by what was shown."""
    files = {variant: folder / SECTION / variant / PREDICTIONS for variant in VARIANTS}
    found: dict[str, Sequence[Prediction]] = {
        variant: read_predictions(path) for variant, path in files.items() if path.is_file()
    }
    pair_variants(predictions, found)  # they are about the same questions
    return found
