"""``pefomed rate plan``: how many ratings give an interval of a wished half-width, from the ones there are."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError
from ..rubrics import find_rubric
from ._answers import read_answers
from .arguments import add_axes, add_predictions, add_rubric, any_number
from .output import Output, add_json_argument


def add_needed_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the action."""
    add_predictions(parser)
    parser.add_argument(
        "--half-width",
        type=any_number,
        required=True,
        metavar="X",
        help="of the 95 %% interval: 0.02 is two points of accuracy; of levels, in levels",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="PREDICTIONS",
        help="another run's: for the difference of the two, from questions rated of both",
    )
    add_rubric(parser, "only what was rated by this rubric: a file, or built-in")
    add_axes(parser, "also each group")
    add_json_argument(parser)


def plan_needed(arguments: argparse.Namespace) -> Output:
    """What is needed for each judge."""
    from ..reporting.ratings_needed import Answers, needed_lines, needed_table, plan_ratings  # late: loads PIL

    if arguments.half_width <= 0:
        raise ConfigError("--half-width must be more than 0")
    answers = [Answers(read_answers(path), path.parent) for path in (arguments.predictions, arguments.against) if path]
    rubric = None
    if arguments.rubric:
        path = None if str(arguments.rubric) == "built-in" else arguments.rubric
        rubric = find_rubric(answers[0].predictions[0].task, path)
    planned = plan_ratings(answers, arguments.half_width, rubric, arguments.by)
    data = {"half_width": arguments.half_width, "needed": [found.to_json() for found in planned]}
    return Output(data, [needed_table(planned, arguments.half_width), *needed_lines(planned)])
