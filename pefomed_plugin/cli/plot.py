"""``pefomed plot``: scorers side by side by question type, organ or another axis, as in the paper's figures 3 to 6."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigError, near_names
from ..reporting.breakdowns import break_down_answers, breakdown_table, names_together, title_of_axis
from ..reporting.plots import MATPLOTLIB, check_format, plot_side_by_side
from ..reporting.rendering import Shown
from ..reporting.results import Answered, Run, read_run
from ..requirements import require
from ..scoring.breakdown import check_axes, places_of_groups, says_nothing
from ..scoring.metrics_file import PREDICTIONS
from .arguments import add_floor_argument, axes_given, make_room
from .next_step import NextStep, page_of
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "answers",
        type=Path,
        metavar="RUN",
        help="output_dir of an evaluation, or predictions.jsonl with scores/ beside it",
    )
    parser.add_argument(
        "--by",
        action="extend",
        type=axes_given,
        required=True,
        metavar="AXIS",
        help="a panel each: question_type, organ, twin, ...; several with commas, or repeated",
    )
    parser.add_argument(
        "--scorers",
        nargs="+",
        default=[],
        metavar="NAME",
        help="bars of a group, in this order: exact_match, judge/vqa/NAME, human/vqa; 'judge' and 'human' do where "
        "there is one (default: exact match, judges and people, as in the paper)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        required=True,
        metavar="FILE",
        help=".svg, .png or .pdf; repeatable, the same figure in each",
    )
    add_floor_argument(parser)
    parser.add_argument("--set", metavar="KEY", help="of a run with several test sets: vqa_rad-test")
    add_json_argument(parser)
    parser.epilog = (
        "example: pefomed plot output/eval --by question_type --scorers exact_match judge human --out figure3.svg "
        "--out figure3.png"
    )


def run(arguments: argparse.Namespace) -> Output:
    """Read the scores, draw them side by side, show the numbers of every bar."""
    for path in arguments.out:
        check_format(path)
    require([MATPLOTLIB])
    place = arguments.answers
    found = read_run(place.parent if place.name == PREDICTIONS else place, floors=not arguments.no_floor)
    answered = _choose(found, arguments.set)
    check_axes(arguments.by, answered.predictions)
    empty = [axis for axis in arguments.by if says_nothing(places_of_groups(answered.predictions, axis))]
    if empty:
        raise ConfigError(f"none of these answers has a value for {', '.join(empty)}; break down by another axis")
    names = _names(answered, arguments.scorers)
    panels = [
        (
            f"{answered.key} by {title_of_axis(axis, answered.predictions[0].dataset)}",
            [break_down_answers(answered, name, axis) for name in names],
        )
        for axis in arguments.by
    ]
    notice = found.origins.notice
    for path in arguments.out:
        make_room(path)
    plot_side_by_side(panels, arguments.out, [notice] if notice else [])
    breakdowns = [breakdown for _, of_axis in panels for breakdown in of_axis]
    shown: list[Shown] = [*map(breakdown_table, breakdowns), *([notice] if notice else [])]
    written = f"plotted to {' and '.join(map(str, arguments.out))}"
    return Output({"scorers": names, "files": [str(path) for path in arguments.out]}, [*shown, written])


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """The answers behind the bars."""
    return page_of(arguments.answers.parent if arguments.answers.name == PREDICTIONS else arguments.answers)


def _choose(run: Run, key: str | None) -> Answered:
    """The test set that is plotted. Raises ConfigError where that is not clear."""
    if key is None and len(run.answered) == 1:
        return next(iter(run.answered.values()))
    if key is None:
        raise ConfigError(f"{run.folder} holds several test sets; name one with --set", list(run.answered))
    if key not in run.answered:
        raise ConfigError(f"--set {key}: {near_names(key, run.answered)}")
    return run.answered[key]


def _names(answered: Answered, asked: Sequence[str]) -> list[str]:
    """Names of scores, from what the user wrote.

    Raises:
        ConfigError: nothing is there, or not under that name, or several are; all of it in one message.
    """
    there = list(answered.measured)
    if not asked:
        names = names_together(answered) or there[:1]
        if not names:
            raise ConfigError("nothing is scored here; pefomed score exact_match, pefomed judge, pefomed rate import")
        return names
    names, problems = [], []
    for name in asked:
        short = [full for full, (spec, _) in answered.measured.items() if name in (full, spec.name, spec.short)]
        fitting = short or [full for full in there if full.startswith(name + "/")]
        if len(fitting) == 1:
            names.append(fitting[0])
        elif fitting:
            problems.append(f"{name}: which of {', '.join(fitting)}?")
        else:
            problems.append(
                f"{name} is not there, only {', '.join(there) or 'nothing'}; score, judge or import it first"
            )
    problems += [f"{name} is named twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    if problems:
        raise ConfigError("these scores cannot be plotted", problems)
    return names
