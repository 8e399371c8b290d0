"""``pefomed score``: score predictions without a model, and break the scores down."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..errors import ConfigError, near_names
from ..readers import READERS, read_data
from ..records import Prediction
from ..reporting.breakdowns import make_breakdown, show_breakdown
from ..reporting.checks import check_predictions, check_references
from ..reporting.plots import plot_breakdowns
from ..reporting.results import PREDICTIONS, read_run
from ..reporting.scored import write_scores
from ..reporting.tables import show_metrics
from ..reporting.vocabulary import R2GEN60, read_vocabulary
from ..scoring import DEFAULTS, find_scorer
from ..scoring.breakdown import AXES
from ..storage import read_predictions, write_records
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("scorer", metavar="SCORER", help="exact_match, token_recall, lexical, exact_match/clean, ...")
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="predictions.jsonl, whoever wrote it")
    parser.add_argument(
        "--protocol", metavar="NAME", help="variant of the scorer: lexical --protocol r2gen60 is lexical/r2gen60"
    )
    parser.add_argument(
        "--vocabulary",
        type=Path,
        metavar="PATH",
        help="training reports whose words lexical/r2gen60 "
        "knows: a prepared folder, a release, train.jsonl, or a text file with one word a line",
    )
    parser.add_argument("--out", type=Path, help="folder of scores/ and metrics.json (default: that of PREDICTIONS)")
    parser.add_argument(
        "--by",
        action="append",
        default=[],
        metavar="AXIS",
        help=f"break down by {', '.join(AXES)}; may be repeated",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the breakdowns: .png, .svg or .pdf")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="release of the data set: check that the predictions answer its split, all of it",
    )
    add_json_argument(parser)
    parser.epilog = "example: pefomed score exact_match output/eval/results/vqa_rad-test/predictions.jsonl --by organ"


def run(arguments: argparse.Namespace) -> Output:
    """Check, score, write, show."""
    given = f"{arguments.scorer}/{arguments.protocol}" if arguments.protocol else arguments.scorer
    name = DEFAULTS.get(given, given)
    find_scorer(name)
    if (name == R2GEN60) != (arguments.vocabulary is not None):
        raise ConfigError(
            "lexical/r2gen60 needs the words of the training reports: give --vocabulary PATH (a prepared "
            "folder, a release, train.jsonl, or a word list)"
            if name == R2GEN60
            else f"--vocabulary is of lexical/r2gen60 only; {name} uses none"
        )
    wrong = [axis for axis in arguments.by if axis not in AXES]
    if wrong:
        raise ConfigError("cannot break down by that", [f"{axis!r}: {near_names(axis, AXES)}" for axis in wrong])
    predictions = read_predictions(arguments.predictions)
    check_predictions(predictions)
    if arguments.data:
        _check_against(arguments.data, predictions)
    folder = arguments.out or arguments.predictions.parent
    facts = {"embedded": any(prediction.producer.get("embedded") for prediction in predictions)}
    vocabulary = read_vocabulary(arguments.vocabulary, predictions[0].dataset) if arguments.vocabulary else None
    metrics = write_scores(predictions, [name], folder, facts, vocabulary)
    if not (folder / PREDICTIONS).exists():
        write_records(folder / PREDICTIONS, predictions)  # a folder of scores can be compared and reported by itself
    metrics, breakdowns = {**metrics, "scores": {name: metrics["scores"][name]}}, []
    if arguments.by or arguments.plot:
        scored = {
            key: score for answered in read_run(folder).answered.values() for key, score in answered.scores.items()
        }
        breakdowns = [
            make_breakdown(predictions, each, axis)
            for key, each in scored.items()
            if key == name or key.startswith(name + "/")
            for axis in arguments.by or ["overall"]
        ]
    if arguments.plot:
        plot_breakdowns(breakdowns, arguments.plot)

    def show() -> None:
        show_metrics(f"{predictions[0].dataset}-{predictions[0].split}", metrics)
        for breakdown in breakdowns:
            show_breakdown(breakdown)
        if arguments.plot:
            print(f"plotted to {arguments.plot}")
        print(f"written to {folder}")

    return Output({**metrics, "breakdowns": [asdict(breakdown) for breakdown in breakdowns]}, show)


def _check_against(root: Path, predictions: Sequence[Prediction]) -> None:
    dataset, split = predictions[0].dataset, predictions[0].split
    if dataset not in READERS:
        raise ConfigError(f"no reader for data set {dataset!r}; {near_names(dataset, READERS)}")
    check_references(predictions, read_data(dataset, root).splits().get(split, []), f"{root}, split {split}")
