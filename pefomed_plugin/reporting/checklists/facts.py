"""What a run knows of itself, by what a guideline may ask: a sentence and the file that it is from.

Every number is read from the run's configuration, record or results. What is not there is not said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...origins import GENERATED
from ...provenance import RunRecord
from ..comparison.lineage import training_runs
from ..results import Answered, Run

CONFIG, RECORD, RESULTS = "config.yaml", "results/provenance.json", "metrics.json"


class Known(NamedTuple):
    """One sentence, and where it stands."""

    text: str
    where: str
    """Names of files below the run's folder or of a test set, or of pages of the documentation, with ", " between."""


Facts = Callable[[Run], "list[Known]"]
KNOWN: dict[str, Facts] = {}


def knows(make: Callable[[Run], Iterator[Known]]) -> Facts:
    """Register what a function yields under its name."""

    def facts(run: Run) -> list[Known]:
        return [known for known in make(run) if known.text]

    KNOWN[make.__name__.strip("_")] = facts
    return facts


def made_here(run: Run) -> RunRecord | None:
    """The record of a run of ours; None for answers from elsewhere, whose record says where the data lie alone."""
    return run.record if run.record and run.record.plugin.get("version") else None


def split_by_origin(run: Run, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Data sets that are real, or of which nobody knows, and those that are generated."""
    generated = [name for name in names if run.origins.data.get(name) == GENERATED]
    return [name for name in names if name not in generated], generated


def section_of(run: Run, name: str) -> Mapping[str, Any]:
    return run.config.get(name) or {}


def place_of(run: Run, answered: Answered, file: str) -> str:
    return (run.place_of(answered.key) / file).relative_to(run.folder).as_posix()


def all_datasets(run: Run) -> list[str]:
    """Of training and of test sets, each once."""
    trained = (name for training in training_runs(run)[1] for name in training.config.get("datasets") or {})
    return list(dict.fromkeys([*trained, *run.datasets]))
