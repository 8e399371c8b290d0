"""A jury on one test set: from what its judges wrote to scores and figures of its own, on the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..records import Prediction
from ..rubrics import Rubric
from ..scoring.agreement import agree_pair, krippendorff_alpha
from ..scoring.breakdown import cluster_of
from ..scoring.checks import check_predictions
from ..scoring.files import read_specs
from ..scoring.intervals import number_clusters
from ..scoring.jury import JuryVerdicts, jury_verdicts
from ..scoring.metrics_file import METRICS, describe, earlier_metrics
from ..scoring.pairing import pair_scores
from .judgements import read_runs, rubrics_of, summarise, write_judgements


def judge_by_jury(
    predictions: Sequence[Prediction], names: Sequence[str], folder: Path, axes: Sequence[str] = ()
) -> tuple[JuryVerdicts, dict[str, Any]]:
    """Let judges vote whose runs are in ``folder``, and write what they say together.

    Args:
        names: of the judges' scores.
        axes: as of ``write_judgements``.

    Returns:
        The verdicts, and the metrics as written.

    Raises:
        DataError: fewer than two, different rubrics, or score files that do not fit the predictions.
    """
    check_predictions(predictions)
    rubrics = rubrics_of(folder, names, predictions)
    if not rubrics:
        raise DataError(f"{folder}/scores holds no judgement of a model; let several judge first: pefomed judge")
    if len({rubric.digest for rubric in rubrics.values()}) > 1:
        problems = [f"{name}: rubric {rubric.label}" for name, rubric in rubrics.items()]
        raise DataError("judges of one jury rate by one rubric; name those with --judges", problems)
    judges = {
        name: [[score for _, score in pair_scores(predictions, run)] for run in read_runs(folder, name)]
        for name in names
    }
    rubric = next(iter(rubrics.values()))
    verdicts = jury_verdicts(rubric, judges)
    specs = read_specs(folder, names)
    before = earlier_metrics(Path(folder) / METRICS, describe(predictions)).get("judges", {})
    jury = {
        name: {
            "version": specs[name].version,
            "runs": len(judges[name]),
            "cost": before.get(name, {}).get("cost"),
            "without_vote": sum(vote is None for vote in votes),
        }
        for name, votes in verdicts.votes.items()
    }
    facts = {
        "runs": 1,
        "jury": jury,
        "ties": verdicts.ties,
        "incomplete": verdicts.incomplete,
        "mean": _mean_of_judges(predictions, verdicts, rubric),
        **_agreement(predictions, verdicts, rubric.values),
    }
    metrics = write_judgements(predictions, rubric, verdicts.spec, [verdicts.scores], folder, facts, axes)
    return verdicts, metrics


def _mean_of_judges(predictions: Sequence[Prediction], verdicts: JuryVerdicts, rubric: Rubric) -> dict[str, Any]:
    """The overall figure as the mean over the judges, each by its votes, with the SD over judges."""
    votes = [
        [replace(score, value=value, reason=None) for score, value in zip(verdicts.scores, found)]
        for found in verdicts.votes.values()
    ]
    figures: dict[str, Any] = summarise(rubric, predictions, votes)["overall"]
    return figures


def _agreement(
    predictions: Sequence[Prediction], verdicts: JuryVerdicts, scale: Sequence[int]
) -> dict[str, Mapping[str, Any]]:
    clusters = number_clusters(list(map(cluster_of, predictions)))
    kind = "kappa" if len(scale) == 2 else "kappa_quadratic"
    found: dict[str, dict[str, Any]] = {"kappa": {}, "differ": {}}
    for (first, one), (second, other) in combinations(verdicts.votes.items(), 2):
        pair = f"{first} ~ {second}"
        found["kappa"][pair] = asdict(agree_pair(one, other, scale, clusters).figures[kind])
        found["differ"][pair] = sum(a is not None and b is not None and a != b for a, b in zip(one, other))
    found["alpha"] = asdict(krippendorff_alpha(list(verdicts.votes.values()), scale, clusters))
    return {**found}
