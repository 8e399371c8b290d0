"""``pefomed report``: one HTML page of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError
from ..provenance import find_image_roots
from ..reporting.results import read_run

_PROBLEMS_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="output_dir of an evaluation: the page is "
        "about the first; the answers of further ones stand beside its own",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="HTML file to write")
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="LABEL",
        help="name of a run, once for each in their order (see pefomed compare)",
    )
    parser.add_argument(
        "--image-root",
        action="append",
        default=[],
        metavar="[DATASET=]FOLDER",
        help="where the images lie (default: as the run recorded it)",
    )
    parser.add_argument("--no-images", action="store_true", help="leave the images out")
    parser.add_argument("--no-texts", action="store_true", help="leave questions, answers and predictions out")
    parser.epilog = "example: pefomed report output/eval_vqa_rad --out report.html"


def run(arguments: argparse.Namespace) -> int:
    """Read, draw, write."""
    from ..reporting.page.explorer import write_report  # late: loads PIL

    if arguments.label and len(arguments.label) != len(arguments.runs):
        raise ConfigError(
            f"{len(arguments.runs)} runs and {len(arguments.label)} labels; give one --label for each run, in the "
            "same order"
        )
    labels = arguments.label or [""] * len(arguments.runs)
    runs = [read_run(folder, label) for folder, label in zip(arguments.runs, labels)]
    roots = None if arguments.no_images else find_image_roots(runs[0].datasets, runs[0].record, arguments.image_root)
    problems = write_report(runs, arguments.out, roots, texts=not arguments.no_texts)
    if problems:
        print(f"{len(problems):,} image(s) cannot be shown; the page says so in their place:")
        for problem in problems[:_PROBLEMS_SHOWN]:
            print("  - " + problem)
    print(f"written to {arguments.out} ({arguments.out.stat().st_size / 1e6:.1f} MB)")
    return 0
