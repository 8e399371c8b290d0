"""Scoring a test set to disk: ``scores/<scorer>.jsonl`` and ``metrics.json`` beside the predictions. Without a model.

Everything is computed before anything is written, so that a mistake leaves the files of before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..readers.textfiles import read_json
from ..records import Prediction, Score
from ..scoring import DEFAULTS, find_scorer
from ..scoring.breakdown import CLUSTERS
from ..scoring.clinical import clinical_figures
from ..scoring.intervals import cluster_interval
from ..scoring.lexical import BLEU, LexicalResult, LexicalScorer
from ..scoring.summary import summarise
from ..storage import write_json, write_records
from .checks import check_predictions

POOLED = (*BLEU, "meteor")
"""Metrics of a whole data set that are no mean over its reports, so they have no interval of the mean."""


def write_scores(
    predictions: Sequence[Prediction],
    scorers: Iterable[str],
    folder: Path,
    facts: Mapping[str, Any],
    vocabulary: frozenset[str] | None = None,
) -> dict[str, Any]:
    """Score predictions and write ``scores/*.jsonl`` and ``metrics.json`` into ``folder``.

    What earlier scorers wrote there stays. ``facts`` go into the metrics as they are; ``vocabulary`` is that of the
    protocol ``lexical/r2gen60``.

    Returns:
        The metrics as written.

    Raises:
        ConfigError: no such scorer.
        DataError: the predictions cannot be scored, or the folder holds the metrics of other predictions.
    """
    check_predictions(predictions)
    path = Path(folder) / "metrics.json"
    description = describe(predictions)
    before = earlier_metrics(path, description)
    metrics: dict[str, Any] = {**before, **facts, **description, "scores": dict(before.get("scores", {}))}
    found: dict[str, list[Score]] = {}
    for name in (DEFAULTS.get(scorer, scorer) for scorer in scorers):
        scores, metrics["scores"][name] = score_predictions(name, predictions, vocabulary)
        found.update(scores)
    for name, each in found.items():
        write_records(score_file(folder, name), each)
    write_json(path, metrics)
    return metrics


def score_predictions(
    name: str, predictions: Sequence[Prediction], vocabulary: frozenset[str] | None = None
) -> tuple[dict[str, list[Score]], dict[str, Any]]:
    """Scores by the name they carry (report metrics have several), and the figures of the whole test set.

    Raises:
        ConfigError: no such scorer.
        DataError: the predictions cannot be scored.
    """
    scorer = find_scorer(name)
    family, _, protocol = DEFAULTS.get(name, name).partition("/")
    if family == "lexical":
        with LexicalScorer() as lexical:
            result = lexical.score(predictions, protocol, vocabulary)
        figures = _lexical_figures(result, predictions)
        return result.scores(), {**figures, "vocabulary": len(vocabulary)} if vocabulary else figures
    if family == "clinical":
        return {}, clinical_figures(predictions)
    scores = scorer(predictions)
    return {scores[0].scorer: scores}, {"version": scores[0].version, **summarise(name, predictions, scores)}


def score_file(folder: Path, scorer: str) -> Path:
    """Where the scores of one scorer lie."""
    return Path(folder) / "scores" / (scorer.replace("/", "-") + ".jsonl")


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


def earlier_metrics(path: Path, description: Mapping[str, Any]) -> dict[str, Any]:
    """What is in a ``metrics.json`` already, to be added to; empty where there is none.

    Raises:
        DataError: it is about other predictions than those of ``description``.
    """
    if not path.is_file():
        return {}
    metrics = read_json(path)
    if not isinstance(metrics, dict) or metrics.get("predictions_sha256") != description["predictions_sha256"]:
        raise DataError(f"{path} holds the metrics of other predictions; write to another folder with --out")
    return {key: value for key, value in metrics.items() if key != "schema"}


def _lexical_figures(result: LexicalResult, predictions: Sequence[Prediction]) -> dict[str, Any]:
    clusters = [CLUSTERS["study"](prediction) for prediction in predictions]
    figures: dict[str, Any] = {"version": result.version}
    for metric, value in result.corpus.items():
        values = [each for each in result.per_sample[metric] if each is not None]
        figures[metric] = {"n": len(predictions), "missing": len(result.missing), "value": value}
        if value is None:
            figures[metric]["reason"] = result.reasons.get(metric, "not scored")
        elif metric not in POOLED:
            figures[metric]["interval"] = asdict(cluster_interval(values, clusters))
    return {**figures, **{key: result.reasons[key] for key in ("tokens", "vocabulary") if key in result.reasons}}
