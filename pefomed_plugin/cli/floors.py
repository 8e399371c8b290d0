"""``pefomed floors``: the answers of predictors that do not look, put beside a run's own and scored as they were."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..baselines import PREDICTORS, predict_all
from ..errors import ConfigError
from ..origins import Origins, data_origin
from ..reporting.cards import CARD, is_model_card
from ..reporting.floors import floors_table
from ..reporting.rendering import Shown
from ..scoring import needs_answers_alone
from ..scoring.breakdown import axes_of
from ..scoring.files import write_scores
from ..scoring.floors import floor_folders, note_floors, read_floor_answers
from ..scoring.metrics_file import FLOORS, PREDICTIONS, groups_in, set_stale_aside
from ..scoring.spec import ScorerSpec
from ..services.console import say
from ..services.private_files import keep_answers_private
from ..storage import write_records
from ._training_data import AskedOfRun, add_data_arguments, asked_of_runs
from .next_step import NextStep, page_of
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_data_arguments(parser)
    parser.add_argument(
        "--predictor", action="append", default=[], metavar="NAME", help=f"{', '.join(PREDICTORS)}; may be repeated"
    )
    add_json_argument(parser)
    parser.epilog = "example: pefomed floors output/eval_vqa_rad --data data/vqa_rad"


def run(arguments: argparse.Namespace) -> Output:
    """Answer every test set of the runs without looking, score that as the run's answers were, note the strongest."""
    for name in arguments.predictor:
        PREDICTORS.find(name)
    shown: list[Shown] = []
    data = []
    for asked in asked_of_runs(arguments):
        answered = asked.answered
        keep_answers_private(answered.predictions)
        if answered.stale:
            raise ConfigError(f"{asked.folder}: what was scored there is about other answers; score them again first")
        _write_answers(asked, arguments.predictor)
        specs = _score(asked)
        found = note_floors(asked.folder)
        shown += [floors_table(answered.key, found, specs), f"written to {asked.folder / FLOORS}"]
        data.append({"folder": str(asked.folder), "test_set": answered.key, "floors": found})
    shown += [
        f"{card} is from before these floors: pefomed checkpoint export writes a card with them"
        for card in (place / CARD for place in arguments.runs)
        if is_model_card(card)
    ]
    return Output({"floors": data}, shown)


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """The page shows them as ticks."""
    return page_of(*arguments.runs)


def _write_answers(asked: AskedOfRun, names: Sequence[str]) -> None:
    origins = Origins({asked.samples[0].dataset: data_origin(asked.data)})
    for baseline in predict_all(asked.train, asked.samples, origins, names):
        folder = asked.folder / FLOORS / baseline.predictor.name
        if not baseline.predictions:
            say(f"{baseline.predictor.name}: training holds nothing that it could go by; left out")
            continue
        for line in set_stale_aside(baseline.predictions, folder):
            say(line)
        write_records(folder / PREDICTIONS, baseline.predictions)


def _score(asked: AskedOfRun) -> list[ScorerSpec]:
    """Score the floors by what scored the answers and needs nothing but answers; the scorers of the answers."""
    answered = asked.answered
    specs = [spec for spec in answered.scored if not spec.summary_of]
    pure = [spec for spec in specs if needs_answers_alone(spec.name)]
    places = floor_folders(asked.folder)
    for spec in specs:
        if spec not in pure:
            say(
                f"{spec.name}: no function of the answers alone; for its floors, let it score "
                f"{asked.folder / FLOORS}/*/{PREDICTIONS}"
            )
    for name, answers in read_floor_answers(asked.folder, answered.predictions).items():
        for spec in pure:
            figures = answered.figures.get(spec.name, {})
            axes = [axis for axis in axes_of(answered.predictions) if groups_in(figures, spec, [axis])]
            write_scores(answers, [spec.name], places[name], {}, axes)
    return specs
