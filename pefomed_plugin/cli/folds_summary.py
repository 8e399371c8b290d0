"""``pefomed folds-summary``: the runs of all folds as one."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError, DataError
from ..reporting.folds import figures_to_json, fold_tables
from ..reporting.results import read_run
from ..scoring import needs_answers_alone
from ..scoring.breakdown import CLUSTERED_BY
from ..scoring.files import write_scores
from ..services.console import say
from ..services.fold_runs import write_pooled
from ..services.private_files import keep_answers_private
from .arguments import add_axes, add_floor_argument
from .next_step import NextStep, page_of
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="output_dir of each fold's run")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the answers of all folds as one run, which compare, report, judge, ... take",
    )
    add_axes(parser)
    add_floor_argument(parser)
    add_json_argument(parser)
    parser.epilog = "example: pefomed folds-summary folds/vqa_rad/runs/* --out folds/vqa_rad/all"


def run(arguments: argparse.Namespace) -> Output:
    """Put the answers of the folds together, score them, and say how much each fold differs."""
    places = [folder.resolve() for folder in arguments.runs]
    if len(set(places)) < max(2, len(places)) or arguments.out.resolve() in places:
        raise ConfigError(
            "give the output_dir of each fold once, of two or more, and --out a folder of its own",
            [f"given: {folder}" for folder in arguments.runs],
        )
    runs = {str(folder): read_run(folder, floors=False) for folder in arguments.runs}
    keys = sorted({key for run in runs.values() for key in run.answered})
    lacking = [f"{label}: no {key}" for key in keys for label, run in runs.items() if key not in run.answered]
    if lacking or len(keys) != 1:
        raise DataError("these runs are no folds of one data set: they answered different test sets", lacking or keys)
    (key,) = keys
    folds = {label: run.answered[key] for label, run in runs.items()}
    keep_answers_private([prediction for answered in folds.values() for prediction in answered.predictions])
    pooled, told = write_pooled({label: run.place_of(key) for label, run in runs.items()}, arguments.out)
    for line in told:
        say(line)
    scored = {spec.name: spec for answered in folds.values() for spec in answered.scored if not spec.summary_of}
    pure = [name for name in scored if needs_answers_alone(name)]
    for name in scored.keys() - set(pure):
        say(f"{name}: no function of the answers alone; give it {arguments.out} to score all folds")
    if not pure:
        raise DataError(
            "nothing was scored in these runs that could be scored again; score them first, with pefomed score"
        )
    write_scores(pooled, pure, arguments.out / "results" / key, {}, arguments.by)
    together = read_run(arguments.out, floors=not arguments.no_floor).answered[key]
    data = {
        "test_set": key,
        "n": len(pooled),
        "runs": list(folds),
        "figures": figures_to_json(folds, together),
    }
    notes = [
        f"{len(pooled):,} samples, each answered once, by the run of the fold that tests it.",
        f"Mean \u00b1 SD: over the folds. Interval: of all answers, drawn by {CLUSTERED_BY}.",
        f"written to {arguments.out}, a run as any other",
    ]
    return Output(data, [*fold_tables(folds, together), *notes])


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """All folds on one page."""
    return page_of(arguments.out)
