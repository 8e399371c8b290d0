"""What the actions of ``pefomed rate`` share: predictions of one model or of two, their rubric, the plan."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..records import Prediction
from ..rubrics import Rubric, find_rubric, require_same_rubric
from ..services.judge.judging import check_judgeable
from ..services.rating.plan import RatingPlan
from ..services.rating.preferences import model_names, pair_up, preference_rubric
from ._answers import read_answers


@dataclass(frozen=True)
class Rated:
    """What a study is about."""

    predictions: list[Prediction]
    rubric: Rubric
    models: tuple[str, ...] = ()
    """Of a comparison side by side."""
    same: tuple[str, ...] = ()
    missing: int = 0

    @property
    def pairing(self) -> Mapping[str, Any]:
        """For ``begin_plan``."""
        return {"models": self.models, "same": self.same}

    def say(self) -> None:
        """How many items are not given out, and why."""
        if self.same:
            print(f"{len(self.same):,} item(s) with the same answer from both are not shown, and count as ties")
        if self.missing:
            print(f"{self.missing:,} item(s) left out: one of the two models gave no answer")


def add_pair_arguments(parser: argparse.ArgumentParser) -> None:
    """``--against`` and ``--label``."""
    parser.add_argument(
        "--against",
        type=Path,
        metavar="PREDICTIONS",
        help="another model's answers to the same: raters choose the better of two, side by side and blinded",
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="NAME",
        help="name of a model, given twice with --against (default: what differs in the paths)",
    )


def read_rated(arguments: argparse.Namespace) -> Rated:
    """Predictions, and the rubric they are rated by: that of the file, the built-in one for their task, or a choice.

    Raises:
        ConfigError: arguments that do not go together.
        DataError: the predictions cannot be read, or are not about the same samples.
    """
    predictions = read_answers(arguments.predictions)
    if arguments.against is None:
        if arguments.label:
            raise ConfigError("--label names the two models of --against; leave it out, or give --against")
        rubric = find_rubric(predictions[0].task, arguments.rubric)
        check_judgeable(predictions, rubric)
        return Rated(predictions, rubric)
    if arguments.rubric:
        raise ConfigError("side by side, raters choose A, B or tie: --rubric is for ratings of one model")
    models = model_names(arguments.predictions, arguments.against, arguments.label)
    found = pair_up(predictions, read_answers(arguments.against), arguments.against)
    return Rated(found.predictions, preference_rubric(predictions[0].task), models, found.same, found.missing)


def scope_of(arguments: argparse.Namespace) -> tuple[str | None, int]:
    """Scope and number of answers as the arguments have them; without one, the rubric's own (``make_plan``)."""
    scope = "all" if arguments.all else "random" if arguments.random is not None else None
    return scope, 100 if arguments.random is None else arguments.random


def pair_words(arguments: argparse.Namespace) -> list[str]:
    """``--against`` and ``--label`` as they were given, for another command about the same study."""
    if not arguments.against:
        return []
    return ["--against", str(arguments.against), *(word for name in arguments.label for word in ("--label", name))]


def study_folder(arguments: argparse.Namespace) -> Path:
    """Where the study of a page lies."""
    name = "preferences" if arguments.against else "ratings"
    return Path(arguments.out or arguments.predictions.parent / name)


def plan_of(arguments: argparse.Namespace, predictions: Sequence[Prediction]) -> RatingPlan:
    """The plan of the folder. Raises DataError where its rubric is not that of ``--rubric``."""
    from ..services.rating.folder import read_any_plan  # late: loads sqlite3

    plan = read_any_plan(arguments.folder, predictions)
    if arguments.rubric:
        require_same_rubric(
            plan.rubric, find_rubric(plan.rubric.task, arguments.rubric), f"those in {arguments.folder}"
        )
    return plan
