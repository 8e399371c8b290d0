"""``pefomed wasm``: the weighted average of report ratings, of every judge and rater in a folder, or from counts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..records import Prediction
from ..reporting.figures import repeated_table
from ..reporting.table import FIGURE, Cell, Column, Table
from ..rubrics import REPORT, Rubric, read_rubric, require_same_rubric
from ..scoring.files import read_specs
from ..scoring.metrics_file import METRICS, update_metrics
from ..scoring.ratings import wasm_spec
from ..scoring.wasm import wasm_from_counts
from ..services.judgements import find_repeated, read_runs, rubrics_of, wasm_figures
from ._answers import read_answers
from .arguments import add_rubric, count_from_0, from_0
from .next_step import NextStep, again, pefomed
from .output import Output, add_json_argument
from .parsing import refuse_flags

_OF_FILES = ("--scorer",), "--counts are nobody's ratings; leave it out"
_OF_COUNTS = ("--unscored",), "goes with --counts; of score files it is counted"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "predictions",
        type=Path,
        nargs="?",
        metavar="PREDICTIONS",
        help="predictions.jsonl with scores/ beside it, as pefomed judge and pefomed rate write them",
    )
    parser.add_argument(
        "--scorer",
        action="append",
        default=[],
        metavar="NAME",
        help="only these, for example judge/report/NAME or human/report; may be repeated",
    )
    parser.add_argument(
        "--counts", nargs="+", type=from_0, metavar="N", help="number of reports at each level, the lowest first"
    )
    add_rubric(parser, "only what was rated by this rubric; levels of --counts")
    parser.add_argument("--unscored", type=count_from_0, default=0, help="with --counts: reports without a rating")
    add_json_argument(parser)
    parser.epilog = "example: pefomed wasm --counts 22 118 267 449 324"


def run(arguments: argparse.Namespace) -> Output:
    """Compute the averages; those of score files are written too."""
    if (arguments.counts is None) == (arguments.predictions is None):
        raise ConfigError("give a predictions file with ratings beside it, or --counts; one of the two")
    refuse_flags(arguments, *(_OF_FILES if arguments.counts is not None else _OF_COUNTS))
    rubric = read_rubric(arguments.rubric) if arguments.rubric else None
    if arguments.counts is not None:
        return _from_counts(arguments.counts, arguments.unscored, rubric or REPORT)
    from ..reporting.corrected import corrected_tables  # late: loads PIL

    predictions, folder = read_answers(arguments.predictions), arguments.predictions.parent
    rubrics = _rubrics(arguments, predictions, folder, rubric)
    found = {name: wasm_figures(used, predictions, read_runs(folder, name)) for name, used in rubrics.items()}
    specs = {name: wasm_spec(spec) for name, spec in read_specs(folder, found).items()}
    scores = {specs[name].name: figures for name, figures in found.items()}
    update_metrics(
        predictions, folder, {"scores": scores, "scorers": {spec.name: spec.to_json() for spec in specs.values()}}
    )

    tables = [repeated_table(f"{rubrics[name].mean_name} by {name}", figures) for name, figures in found.items()]
    corrected = _corrected(predictions, folder, rubrics)
    for rubric_name, of_rubric in corrected.items():
        tables += corrected_tables(f"{rubric_name} corrected by people's ratings", of_rubric)
    lines = [f"written to {folder / METRICS}"]
    lines += ["the corrected figures are written by pefomed agree"] if corrected else []
    return Output({"scores": scores, "corrected": corrected}, [*tables, *lines])


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """How far judges and people agree; of counts, the same for a program."""
    return pefomed("agree", arguments.predictions) if arguments.predictions else again(arguments, "--json")


def _corrected(
    predictions: Sequence[Prediction], folder: Path, rubrics: Mapping[str, Rubric]
) -> dict[str, dict[str, Any]]:
    """What the mean of a rubric is called -> its judges, corrected by the people who rated by it."""
    from ..reporting.corrected import correct_judges  # late: loads PIL
    from ..reporting.rated_runs import runs_of  # late: loads PIL

    found = {}
    for rubric in {rubric.digest: rubric for rubric in rubrics.values()}.values():
        names = [name for name, used in rubrics.items() if used.digest == rubric.digest]
        runs = {name: runs_of(predictions, folder, name) for name in names}
        found[rubric.mean_name] = correct_judges(predictions, folder, runs, rubric)
    return {name: of_rubric for name, of_rubric in found.items() if of_rubric}


def _rubrics(
    arguments: argparse.Namespace, predictions: Sequence[Prediction], folder: Path, wanted: Rubric | None
) -> dict[str, Rubric]:
    """Scorer -> its rubric, of those named by ``--scorer`` or else of all that rate by levels.

    Raises:
        ConfigError: there are none.
        DataError: one that was named rates by another rubric than ``--rubric``.
    """
    rubrics = rubrics_of(folder, arguments.scorer or find_repeated(folder), predictions)
    if arguments.scorer and wanted:
        for name, rubric in rubrics.items():
            require_same_rubric(rubric, wanted, f"the ratings of {name}")
    kept = {
        name: rubric
        for name, rubric in rubrics.items()
        if not rubric.is_accuracy and (wanted is None or rubric.digest == wanted.digest)
    }
    if not kept:
        there = ", ".join(f"{name} by the rubric {rubric.label}" for name, rubric in rubrics.items())
        what = f"by the rubric {wanted.label}" if wanted else "by levels"
        raise ConfigError(f"{folder}/scores holds no ratings {what}, only {there or 'none'}; judge or rate first")
    return kept


def _from_counts(counts: Sequence[float], unscored: int, rubric: Rubric) -> Output:
    found = wasm_from_counts(counts, rubric.values, unscored)
    table = Table(
        f"{rubric.mean_name} {found.value:.2f} over {found.scored:g} rated reports, {unscored} unscored",
        [
            Column("", lambda row: f"level {row[0]}"),
            Column("reports", lambda row: Cell(row[1], digits=0 if row[1] % 1 == 0 else 1), FIGURE),
            Column("share", lambda row: row[2], FIGURE, unit="%"),
        ],
        list(zip(rubric.values, counts, found.percentages)),
    )
    data = {"wasm": found.value, "n": found.scored, "unscored": unscored, "counts": list(counts)}
    return Output({**data, "percent": list(found.percentages)}, [table])
