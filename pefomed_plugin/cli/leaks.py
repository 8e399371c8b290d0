"""``pefomed leaks``: what training has of each sample that was answered, written beside the answers."""

from __future__ import annotations

import argparse

from ..reporting.leaks import leaks_table
from ..reporting.rendering import Shown
from ..scoring.leaks import LEAKS, write_leaks
from ..services.private_files import keep_answers_private
from ._training_data import add_data_arguments, asked_of_runs
from .next_step import NextStep, page_of
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_data_arguments(parser)
    parser.add_argument("--no-images", action="store_true", help="compare images by name only, open none")
    add_json_argument(parser)
    parser.epilog = "example: pefomed leaks output/eval_vqa_rad --data data/vqa_rad"


def run(arguments: argparse.Namespace) -> Output:
    """Look for every answered sample in the training split, and write what was found beside the answers."""
    from ..services.data.sample_leaks import examine_leaks  # late: loads PIL

    shown: list[Shown] = []
    data = []
    for asked in asked_of_runs(arguments):
        predictions = asked.answered.predictions
        keep_answers_private(predictions)
        leaks = examine_leaks(predictions, asked.release, asked.data, open_images=not arguments.no_images)
        write_leaks(asked.folder, leaks)
        shown += [
            leaks_table(f"{asked.answered.key}: what training has of it", leaks, predictions),
            f"written to {asked.folder / LEAKS}",
        ]
        data.append(
            {
                "folder": str(asked.folder),
                "test_set": asked.answered.key,
                "n": leaks.n,
                "found": {name: len(ids) for name, ids in leaks.found.items()},
                "unknown": {name: len(ids) for name, ids in leaks.unknown.items()},
                "not_examined": dict(leaks.not_examined),
            }
        )
    return Output({"leaks": data}, shown)


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """The page parts its figures by them."""
    return page_of(*arguments.runs)
