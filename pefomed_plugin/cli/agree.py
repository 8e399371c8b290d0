"""``pefomed agree``: do exact match, judges and people say the same, and what would people say of all reports?"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS",
                        help="predictions.jsonl with scores/ of judges and raters beside it")
    parser.epilog = "example: pefomed agree output/eval/results/vqa_rad-test/predictions.jsonl"


def run(arguments: argparse.Namespace) -> int:
    """Measure, write, show."""
    from ..reporting.agreement import measure_agreement, show_agreement
    from ..reporting.checks import check_predictions
    from ..reporting.judged import update_metrics
    from ..storage import read_predictions

    predictions, folder = read_predictions(arguments.predictions), arguments.predictions.parent
    check_predictions(predictions)
    found = measure_agreement(predictions, folder)
    update_metrics(predictions, folder, {"agreement": found})
    show_agreement(found)
    print("written to {}, section agreement".format(folder / "metrics.json"))
    return 0
