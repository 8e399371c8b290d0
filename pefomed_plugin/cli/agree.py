"""``pefomed agree``: do exact match, judges and people say the same, and what would people say of all answers?"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..rubrics import find_rubric
from ..scoring.checks import check_predictions
from ..scoring.metrics_file import AGREEMENT
from ._answers import read_answers
from .arguments import add_axes
from .next_step import NextStep, page_of
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "predictions",
        type=Path,
        metavar="PREDICTIONS",
        help="predictions.jsonl with scores/ of judges and raters beside it",
    )
    parser.add_argument("--rubric", metavar="FILE", help="only what was rated by this rubric: a file, or built-in")
    add_axes(parser, "break the corrected figures down")
    add_json_argument(parser)
    parser.epilog = "example: pefomed agree output/eval/results/vqa_rad-test/predictions.jsonl"


def run(arguments: argparse.Namespace) -> Output:
    """Measure the agreement and write it beside the predictions."""
    from ..reporting.agreement import measure_agreement, write_agreement  # late: loads PIL
    from ..reporting.agreement_tables import agreement_tables  # late: as above

    predictions, folder = read_answers(arguments.predictions), arguments.predictions.parent
    check_predictions(predictions)
    rubric = None
    if arguments.rubric:
        path = None if arguments.rubric == "built-in" else Path(arguments.rubric)
        rubric = find_rubric(predictions[0].task, path)
    found = measure_agreement(predictions, folder, rubric, arguments.by)
    write_agreement(predictions, folder, found)

    written = f"written to {folder / AGREEMENT}, where pefomed compare and report find it"
    return Output(found, [*agreement_tables(found), written])


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """The page shows the corrected figures."""
    return page_of(arguments.predictions.parent)
