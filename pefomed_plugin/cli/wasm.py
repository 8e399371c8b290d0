"""``pefomed wasm``: the weighted average of report ratings, of every judge and rater in a folder, or from counts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..reporting.judged import find_repeated, read_runs, show_repeated
from ..reporting.tables import show_table
from ..scoring.files import update_metrics
from ..scoring.repeated import summarise_levels
from ..scoring.wasm import LEVELS, VERSION, wasm_from_counts
from ..storage import read_predictions
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "predictions",
        type=Path,
        nargs="?",
        metavar="PREDICTIONS",
        help="predictions.jsonl with scores/ beside it, as pefomed judge and pefomed rate write them",
    )
    parser.add_argument(
        "--scorer",
        action="append",
        default=[],
        metavar="NAME",
        help="only these, for example judge/report/NAME or human/report; may be repeated",
    )
    parser.add_argument("--counts", nargs=5, type=float, metavar="N", help="number of reports at levels 0 to 4 instead")
    parser.add_argument("--unscored", type=int, default=0, help="with --counts: reports without a rating")
    add_json_argument(parser)
    parser.epilog = "example: pefomed wasm --counts 22 118 267 449 324"


def run(arguments: argparse.Namespace) -> Output:
    """Compute, show, and write what came from score files."""
    if (arguments.counts is None) == (arguments.predictions is None):
        raise ConfigError("give a predictions file with ratings beside it, or --counts; one of the two")
    if arguments.counts is not None:
        return _from_counts(arguments.counts, arguments.unscored)
    predictions, folder = read_predictions(arguments.predictions), arguments.predictions.parent
    names = arguments.scorer or [sample for sample in find_repeated(folder) if sample.split("/")[1] == "report"]
    if not names:
        raise ConfigError(f"{folder}/scores holds no ratings of reports; judge or rate them first")
    found = {name: summarise_levels(predictions, read_runs(folder, name)) for name in names}
    scores = {"wasm/" + name: {"version": VERSION, **figures} for name, figures in found.items()}
    update_metrics(predictions, folder, {"scores": scores})

    def show() -> None:
        for name, figures in found.items():
            show_repeated(f"WASM by {name}", figures)
        print(f"written to {folder / 'metrics.json'}")

    return Output({"scores": scores}, show)


def _from_counts(counts: Sequence[float], unscored: int) -> Output:
    found = wasm_from_counts(counts, unscored)
    rows: Any = [[f"level {level}", f"{counts[level]:g}", f"{found.percentages[level]:.1f} %"] for level in LEVELS]
    title = f"WASM {found.value:.2f} over {found.scored:g} rated reports, {unscored} unscored"
    return Output(
        {
            "wasm": found.value,
            "n": found.scored,
            "unscored": unscored,
            "counts": list(counts),
            "percent": list(found.percentages),
        },
        lambda: show_table(title, ("", "reports", "share"), rows),
    )
