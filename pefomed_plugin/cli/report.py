"""``pefomed report``: one HTML page of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError, bullets
from .arguments import add_axes, add_evaluations, add_image_arguments, image_roots_of, page_file, read_evaluations
from .next_step import NextStep, opening

_OF_ANSWERS = {
    "--image-root": "image_root",
    "--no-images": "no_images",
    "--full-images": "full_images",
    "--no-texts": "no_texts",
    "--no-floor": "no_floor",
    "--by": "by",
}
"""Options that a page of training alone has no use for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_evaluations(parser, "the page is about the first; the answers of further ones stand beside its own")
    parser.add_argument("--out", type=page_file, required=True, metavar="FILE", help="HTML file to write")
    add_image_arguments(parser)
    parser.add_argument(
        "--full-images",
        choices=("linked", "embedded"),
        default="",
        help="images in full, with zoom, and window and level over all their bits: linked, in a folder beside the page,"
        " or embedded, within it",
    )
    parser.add_argument("--no-texts", action="store_true", help="leave questions, answers and predictions out")
    add_axes(parser, "with several runs, also say what differs")
    parser.epilog = "example: pefomed report output/eval_vqa_rad --out report.html"


def run(arguments: argparse.Namespace) -> int:
    """Read the runs and write the page."""
    if arguments.out.is_dir():  # before the images are looked at
        raise ConfigError(
            f"--out {arguments.out} is a folder; name the HTML file in it: {arguments.out / 'report.html'}"
        )
    from ..reporting.page.explorer import write_report  # late: loads PIL
    from ..reporting.page.full_images import linked_folder  # late: loads PIL

    if all(map(_only_trained, arguments.runs)):
        return _write_training(arguments)
    runs = read_evaluations(arguments, references=False)
    if arguments.by and len(runs) < 2:
        raise ConfigError("--by says what differs between runs; give two or more (a page of one has its breakdowns)")
    roots = image_roots_of(arguments, runs[0].datasets, runs[0].record)
    problems = write_report(
        runs, arguments.out, roots, texts=not arguments.no_texts, axes=arguments.by, full_images=arguments.full_images
    )
    if problems:
        print(f"{len(problems):,} image(s) cannot be shown; the page says so in their place:")
        print("\n".join(bullets(problems)))
    print(f"written to {arguments.out} ({arguments.out.stat().st_size / 1e6:.1f} MB)")
    if arguments.full_images == "linked":
        pages = list(linked_folder(arguments.out).glob("*.html"))
        size = sum(page.stat().st_size for page in pages) / 1e6
        print(
            f"images in full: {linked_folder(arguments.out)}, {len(pages):,} ({size:.1f} MB); keep it beside the page"
        )
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Open it."""
    return opening(arguments.out)


def _only_trained(folder: Path) -> bool:
    """Whether a run has a training and no answers yet."""
    answers = (folder / "predictions.jsonl").is_file() or any(folder.glob("results/*/predictions.jsonl"))
    return (folder / "log.jsonl").is_file() and not answers


def _write_training(arguments: argparse.Namespace) -> int:
    from ..reporting.training.curves import read_trainings  # late: beside the page
    from ..reporting.training.page import write_training_page  # late: beside the table

    write_training_page(read_trainings(arguments.runs, arguments.label), arguments.out)
    print(f"no answers yet; the page shows training. Written to {arguments.out}")
    idle = [option for option, value in _OF_ANSWERS.items() if getattr(arguments, value)]
    if idle:
        print(f"not used, for they are about answers: {', '.join(idle)}")
    return 0
