"""The data that a run's answers are about, with their training split: as the user says, else as the run recorded it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError
from ..readers import Release, describe, read_data
from ..readers.prepared import SHARD_INDEX, is_prepared, is_remote
from ..records import Sample
from ..reporting.results import Answered, Run, read_run
from ..scoring.checks import check_references
from ..scoring.metrics_file import PREDICTIONS
from .prepare import dataset_options


@dataclass(frozen=True)
class AskedOfRun:
    """One test set of a run, and the data that it is of."""

    folder: Path
    """Of its predictions."""
    answered: Answered
    data: Path
    """Where the data were read from."""
    release: Release
    samples: list[Sample]
    """Those that were answered, as the data have them, in the order of the answers."""

    @property
    def train(self) -> list[Sample]:
        """Training samples; at least one."""
        return self.release.splits()["train"]


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """``RUN ...``, ``--data`` and ``--option``."""
    parser.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN", help="output_dir of an evaluation, or a folder of predictions"
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="[DATASET=]DIR",
        help="release of the data set or a prepared folder, with its training split (default: as the run recorded it)",
    )
    parser.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE", help="of the data set (default: as the run had)"
    )


def asked_of_runs(arguments: argparse.Namespace) -> Iterator[AskedOfRun]:
    """Every test set of the runs with its data, one after the other.

    Raises:
        ConfigError: nothing says where the data are, or they are shards.
        DataError: the data have no training split, or other samples than were answered.
    """
    runs = [read_run(folder, leave_out_stale=True) for folder in arguments.runs]
    given = _given(arguments.data, sorted({name for run in runs for name in run.datasets}))
    for run in runs:
        for key, answered in run.answered.items():
            place = run.folder if (run.folder / PREDICTIONS).is_file() else run.folder / "results" / key
            yield _asked(run, answered, place, given, dataset_options(arguments.option))


def _given(values: list[str], datasets: list[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for value in values:
        name, equals, folder = value.partition("=")
        if not equals and len(datasets) == 1:
            name, folder = datasets[0], value
        if name not in datasets:
            raise ConfigError(f"--data {value}: write DATASET=DIR with one of {', '.join(datasets)}")
        found[name] = Path(folder)
    return found


def _asked(
    run: Run, answered: Answered, place: Path, given: Mapping[str, Path], options: Mapping[str, Any]
) -> AskedOfRun:
    first = answered.predictions[0]
    part = run.record.data.get(first.dataset) if run.record else None
    storage = given.get(first.dataset) or (part.storage if part else None)
    if storage is None:
        raise ConfigError(f"{place}: nothing says where {first.dataset} is; give --data {first.dataset}=DIR")
    data = Path(storage)
    if is_remote(storage) or data.suffix == ".tar" or (data / SHARD_INDEX).is_file():
        raise ConfigError(f"{data}: shards; give --data the release or the prepared folder that they were made from")
    section = (run.config.get("datasets") or {}).get(first.dataset) or {}
    options = options or (section.get("options") if isinstance(section, dict) else None) or {}
    if is_prepared(data):
        options = {}
    release = read_data(first.dataset, data, **options)
    splits = release.splits()
    if not splits.get("train"):
        raise DataError(
            f"{data} has no training split of {describe(first.dataset).title}, it has {', '.join(splits)}: nothing can "
            "be said of what training knows; give --data a folder that has one"
        )
    known = {sample.id: sample for sample in splits.get(first.split, [])}
    asked = [known[prediction.id] for prediction in answered.predictions if prediction.id in known]
    check_references(answered.predictions, asked, f"{data}, split {first.split}")
    return AskedOfRun(place, answered, data, release, asked)
