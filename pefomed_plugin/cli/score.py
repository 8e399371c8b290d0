"""``pefomed score``: score predictions without a model, and break the scores down."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..errors import ConfigError
from ..readers import read_data
from ..records import Prediction
from ..reporting.breakdowns import Breakdown, break_down_answers, breakdown_table
from ..reporting.figures import metrics_table
from ..reporting.plots import MATPLOTLIB, plot_breakdowns
from ..reporting.rendering import Shown
from ..reporting.results import read_run
from ..reporting.vocabulary import read_vocabulary
from ..requirements import require
from ..scoring import SCORERS, ScorerSpec, find_scorer
from ..scoring.breakdown import check_axes
from ..scoring.checks import check_predictions, check_references
from ..scoring.files import warnings_of, write_scores
from ..scoring.leaks import read_leaks, with_leaks, without_leaks, write_leaks
from ..scoring.metrics_file import FLOORS, PREDICTIONS, groups_in
from ..services.console import say
from ..storage import write_records
from ._answers import read_answers
from .arguments import add_floor_argument, add_permission, add_predictions, add_score_arguments
from .next_step import NextStep, page_of, pefomed
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("scorer", metavar="SCORER", help="exact_match, token_recall, lexical, exact_match/clean, ...")
    add_predictions(parser)
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
    add_score_arguments(parser)
    add_permission(parser, "a scorer may ask servers (RadEval fetches models) though the data are not public")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the breakdowns: .png, .svg or .pdf")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="release of the data set: check that the predictions answer its split, all of it, and note what its "
        "training split has of each (as pefomed leaks, without opening images)",
    )
    add_floor_argument(parser)
    add_json_argument(parser)
    parser.epilog = "example: pefomed score exact_match output/eval/results/vqa_rad-test/predictions.jsonl --by organ"


def run(arguments: argparse.Namespace) -> Output:
    """Check the predictions, score them, write the scores."""
    given = f"{arguments.scorer}/{arguments.protocol}" if arguments.protocol else arguments.scorer
    spec = find_scorer(given)
    require([*spec.needs, *([MATPLOTLIB] if arguments.plot else [])])
    _check_vocabulary(spec, arguments.vocabulary)
    predictions = read_answers(arguments.predictions)
    check_axes(arguments.by, predictions)
    check_predictions(predictions)
    folder = arguments.out or arguments.predictions.parent
    if arguments.data:
        predictions = _check_against(arguments.data, predictions, folder)
    if predictions[0].task not in spec.tasks:
        say(f"note: {spec.name} is meant for {' and '.join(spec.tasks)}; these predictions are {predictions[0].task}")
    options = {}
    if arguments.vocabulary:
        options["vocabulary"] = read_vocabulary(arguments.vocabulary, predictions[0].dataset)
    metrics = write_scores(predictions, [spec.name], folder, {}, arguments.by, **options)
    for warning in warnings_of(metrics, [spec.name]):
        say(f"warning: {warning}")
    if not (folder / PREDICTIONS).exists():
        # a folder of scores can be compared and reported by itself
        write_records(folder / PREDICTIONS, without_leaks(predictions))
        leaks = read_leaks(arguments.predictions.parent)
        if leaks is not None and read_leaks(folder) is None:
            write_leaks(folder, leaks)
    figures, floors = metrics["scores"][spec.name], metrics.get(FLOORS, {})
    metrics = {
        **metrics,
        "scores": {spec.name: figures},
        "scorers": {spec.name: metrics["scorers"][spec.name]},
        FLOORS: {} if arguments.no_floor or spec.name not in floors else {spec.name: floors[spec.name]},
    }
    breakdowns = _breakdowns(arguments, spec, folder) if arguments.by or arguments.plot else []
    if arguments.plot:
        plot_breakdowns(breakdowns, arguments.plot)

    below = groups_in(figures, spec, arguments.by)  # in the breakdowns, with what their codes stand for
    whole = {key: figure for key, figure in figures.items() if key not in below}
    shown: list[Shown] = [
        metrics_table({f"{predictions[0].dataset}-{predictions[0].split}": {**metrics, "scores": {spec.name: whole}}}),
        *map(breakdown_table, breakdowns),
        *([f"plotted to {arguments.plot}"] if arguments.plot else []),
        f"written to {folder}",
    ]
    return Output({**metrics, "breakdowns": [asdict(breakdown) for breakdown in breakdowns]}, shown)


def _breakdowns(arguments: argparse.Namespace, spec: ScorerSpec, folder: Path) -> list[Breakdown]:
    """By every axis that was asked for; without any, the whole as one group."""
    (answered,) = read_run(folder, floors=not arguments.no_floor).answered.values()
    found = [
        break_down_answers(answered, name, axis)
        for name in spec.measured
        if name in answered.scores
        for axis in arguments.by or ["overall"]
    ]
    if not found:
        say(f"note: {spec.name} scores the whole test set at once; there is nothing to break down")
    return found


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Of answers that know their data, what is reached without looking; then every answer beside its image."""
    folder = arguments.out or arguments.predictions.parent
    if (folder / "provenance.json").is_file() and not (folder / FLOORS).is_dir():
        return pefomed("floors", folder)
    return page_of(folder)


def _check_vocabulary(spec: ScorerSpec, path: Path | None) -> None:
    wants = "vocabulary" in spec.options
    if wants and path is None:
        raise ConfigError(
            f"{spec.name} needs the words of the training reports: give --vocabulary PATH (a prepared folder, a "
            "release, train.jsonl, or a word list)"
        )
    if path is not None and not wants:
        having = [name for name, other in SCORERS.own.items() if "vocabulary" in other.options]
        raise ConfigError(f"--vocabulary is of {', '.join(having)} only; {spec.name} uses none")


def _check_against(root: Path, predictions: Sequence[Prediction], folder: Path) -> list[Prediction]:
    """The predictions, which answer the data's split, with what its training split has of each."""
    from ..services.data.sample_leaks import note_leaks  # late: loads PIL

    dataset, split = predictions[0].dataset, predictions[0].split
    splits = read_data(dataset, root).splits()
    check_references(predictions, splits.get(split, []), f"{root}, split {split}")
    say(note_leaks(folder, predictions, splits.get("train", []), root))
    return with_leaks(predictions, folder)
