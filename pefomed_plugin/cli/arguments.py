"""Arguments that several commands take, each declared once, and what is read from them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import TypeVar

from ..errors import ConfigError
from ..provenance import RunRecord, find_image_roots
from ..reporting.results import Run, read_run
from ..scoring.breakdown import AXES
from ..services.console import say
from ..storage import refuse_place, set_aside

_Number = TypeVar("_Number", int, float)
_LARGEST_SIDE = 16_384


def add_run_arguments(
    parser: argparse.ArgumentParser,
    what: str = "the run's configuration file",
    options: str = "override: run.max_epoch=3 ...",
    *,
    required: bool = True,
) -> None:
    """``--cfg-path`` and ``--options`` of a run."""
    parser.add_argument("--cfg-path", required=required, metavar="YAML", help=what)
    parser.add_argument("--options", action="extend", nargs="+", default=[], metavar="KEY=VALUE", help=options)


def add_evaluations(parser: argparse.ArgumentParser, what: str) -> None:
    """``RUN ...`` and ``--label``; ``what`` says which part the first run plays."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help=f"output_dir of an evaluation; {what}")
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="LABEL",
        help="name of a run, once for each in their order; one that begins with 'none', 'stage 1', "
        "'stage 2' or 'both' also says which row of the paper's tables the run is",
    )
    add_floor_argument(parser)


def read_evaluations(arguments: argparse.Namespace, *, references: bool = True) -> list[Run]:
    """The runs of ``add_evaluations``, labelled; ``references`` as of ``read_run``.

    Raises:
        ConfigError: another number of labels than runs.
    """
    if arguments.label and len(arguments.label) != len(arguments.runs):
        raise ConfigError(
            f"{len(arguments.runs)} runs and {len(arguments.label)} labels; give one --label for each run, in the "
            "same order"
        )
    labels = arguments.label or [""] * len(arguments.runs)
    return [
        read_run(folder, label, floors=not arguments.no_floor, references=references)
        for folder, label in zip(arguments.runs, labels)
    ]


def add_floor_argument(parser: argparse.ArgumentParser) -> None:
    """``--no-floor`` of what shows figures."""
    parser.add_argument(
        "--no-floor", action="store_true", help="leave out what predictors that do not look get (pefomed floors)"
    )


def add_predictions(parser: argparse.ArgumentParser) -> None:
    """``PREDICTIONS``."""
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="predictions.jsonl, whoever wrote it")


def add_score_arguments(parser: argparse.ArgumentParser) -> None:
    """``--out`` and ``--by`` of what writes scores."""
    parser.add_argument("--out", type=Path, help="folder of scores/ and metrics.json (default: that of PREDICTIONS)")
    add_axes(parser)


def add_axes(parser: argparse.ArgumentParser, what: str = "break down") -> None:
    """``--by`` of what writes scores, or breaks them down."""
    parser.add_argument(
        "--by",
        action="extend",
        type=axes_given,
        default=[],
        metavar="AXIS",
        help=f"{what} by {', '.join(AXES)}, or a field that the data set declares; several with commas, or repeated",
    )


def axes_given(text: str) -> list[str]:
    """``twin,organ`` as a list, for argparse."""
    return [axis.strip() for axis in text.split(",") if axis.strip()]


def add_rubric(parser: argparse.ArgumentParser, what: str) -> None:
    """``--rubric``."""
    parser.add_argument("--rubric", type=Path, metavar="FILE", help=what)


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    """``--image-root`` and ``--no-images`` of a page."""
    parser.add_argument(
        "--image-root",
        action="append",
        default=[],
        metavar="[DATASET=]FOLDER",
        help="where the images lie (default: as the run recorded it)",
    )
    parser.add_argument("--no-images", action="store_true", help="leave the images out")


def image_roots_of(
    arguments: argparse.Namespace, datasets: Iterable[str], record: RunRecord | None
) -> dict[str, Path] | None:
    """Where the images of a page lie, by data set; None where it is to have none.

    Raises:
        ConfigError: ``--no-images`` and ``--image-root`` together, or a data set whose images nobody knows.
    """
    if arguments.no_images and arguments.image_root:
        raise ConfigError("--no-images leaves out what --image-root names; give one of the two")
    return None if arguments.no_images else find_image_roots(datasets, record, arguments.image_root)


def add_permission(parser: argparse.ArgumentParser, what: str) -> None:
    """``--i-have-permission``, for data sets that are not public."""
    parser.add_argument("--i-have-permission", action="store_true", help=what)


def page_file(text: str) -> Path:
    """An HTML file to write, which replaces nothing but a page, for argparse."""
    path = Path(text)
    if path.suffix.lower() not in (".html", ".htm", ""):
        raise argparse.ArgumentTypeError(f"{path}: a page; end its name with .html")
    if path.exists() and not path.is_file():
        raise argparse.ArgumentTypeError(f"{path} is there and is no file; choose another name")
    if path.is_file() and not path.read_bytes()[:200].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise argparse.ArgumentTypeError(f"{path} holds something else than a page; choose another name")
    return path


def make_room(path: Path) -> None:
    """Set aside what is where a command writes its file, and say so.

    Raises:
        DataError: it is no file.
    """
    refuse_place(path)
    if path.exists():
        say(f"{path} was there already; it is now {set_aside(path)}")


def existing_folder(text: str) -> Path:
    """A folder that is there, for argparse."""
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {text}")
    return Path(text)


def whole_number(text: str) -> int:
    """A number without a fraction, for argparse."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def count_from_1(text: str) -> int:
    """A number from 1, for argparse."""
    return _at_least(whole_number(text), 1)


def count_from_0(text: str) -> int:
    """A number from 0, for argparse."""
    return _at_least(whole_number(text), 0)


def port_number(text: str) -> int:
    """Of TCP, for argparse; 0 is any that is free."""
    return _at_most(count_from_0(text), 65_535)


def pixels(text: str) -> int:
    """The side of a square image, for argparse."""
    return _at_most(count_from_1(text), _LARGEST_SIDE)


def any_number(text: str) -> float:
    """A finite number, for argparse."""
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number, such as 2.5") from None
    if not isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no finite number")
    return number


def from_0(text: str) -> float:
    """A finite number from 0, for argparse."""
    return _at_least(any_number(text), 0)


def above_0(text: str) -> float:
    """A finite number above 0, for argparse."""
    number = any_number(text)
    if number <= 0:
        raise argparse.ArgumentTypeError(f"{number:g} is not above 0")
    return number


def _at_least(number: _Number, least: int) -> _Number:
    if number < least:
        raise argparse.ArgumentTypeError(f"{number:,} is less than {least:,}")
    return number


def _at_most(number: _Number, most: int) -> _Number:
    if number > most:
        raise argparse.ArgumentTypeError(f"{number:,} is more than {most:,}")
    return number
