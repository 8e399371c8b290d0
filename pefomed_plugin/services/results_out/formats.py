"""Every format that predictions can be written in, declared once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from ...errors import ConfigError, DataError, near_names
from ...records import TASKS, Prediction
from .writers import (
    Files,
    Given,
    write_lmms_eval,
    write_r2gen,
    write_rexrank,
    write_vlmevalkit,
    write_vlmevalkit_tsv,
)


@dataclass(frozen=True)
class PredictionFormat:
    """One format of another project that predictions can be written in."""

    name: str
    """On the command line; the importer reads it back under ``read_as``."""
    project: str
    files: str
    """Their names, in Markdown."""
    lacks: str
    """What it does not carry, in words."""
    checked: str
    """Which version of the project reads it, and how that was seen."""
    write: Callable[[Sequence[Prediction], Given], Files]
    tasks: tuple[str, ...] = TASKS
    read_as: str = ""
    """Name of the importer's format, where it is another."""

    @property
    def row(self) -> str:
        """Its line of the table in docs/other-peoples-predictions.md."""
        return f"| `{self.name}` | {self.project} | {self.files} | {self.lacks} |"

    def files_of(self, predictions: Sequence[Prediction], given: Given) -> Files:
        """The content of its files.

        Raises:
            ConfigError: the task has no place in it, or something else must be given.
            DataError: the predictions are of several test sets, or the format cannot hold them.
        """
        sets = sorted({f"{found.dataset}-{found.split}" for found in predictions})
        if len(sets) > 1:
            raise DataError(f"a file is about one test set, and these are {', '.join(sets)}; export them one by one")
        task = predictions[0].task
        if task not in self.tasks:
            raise ConfigError(f"{self.name} is for {' and '.join(self.tasks)}; these predictions are {task}")
        if given.studies and self.name != "rexrank":
            raise ConfigError(f"--studies is ReXrank's data file; {self.name} reads none")
        if given.view and self.tasks != ("report",):
            raise ConfigError(f"--view chooses one answer a study; {self.name} holds every answer")
        files = self.write(predictions, given)
        without = sum(not prediction.answer for prediction in predictions)
        files.note(without, "have no reference, which is an empty text there: nothing can be scored against it")
        return files


FORMATS_OUT: dict[str, PredictionFormat] = {
    found.name: found
    for found in (
        PredictionFormat(
            "lmms_eval",
            "lmms-eval",
            "`<model>_samples_<test set>.jsonl`",
            "images",
            "read back by its own `baselines.loader`, 0.7.3",
            write_lmms_eval,
        ),
        PredictionFormat(
            "vlmevalkit",
            "VLMEvalKit",
            "`<model>_<test set>.xlsx`",
            "an empty text beside a missing one; control characters are escaped",
            "read by its own `load` (`vlmeval/smp/file.py`, e8e78f0) with pandas 3.1.1",
            write_vlmevalkit,
        ),
        PredictionFormat(
            "vlmevalkit_tsv",
            "VLMEvalKit",
            "`<model>_<test set>.tsv`",
            "an empty text beside a missing one",
            "read by its own `load` (`vlmeval/smp/file.py`, e8e78f0) with pandas 3.1.1",
            write_vlmevalkit_tsv,
            read_as="vlmevalkit",
        ),
        PredictionFormat(
            "rexrank",
            "ReXrank",
            "`prediction.json`",
            "ids of single images, an empty text beside a missing one",
            "read by the script of `example_files/evaluation_script.md`, 8152f99",
            write_rexrank,
            tasks=("report",),
        ),
        PredictionFormat(
            "r2gen",
            "R2Gen",
            "`res.csv` and `gts.csv`",
            "ids, images, an empty text beside a missing one",
            "read by pandas 3.1.1 as its descendants do",
            write_r2gen,
            tasks=("report",),
        ),
    )
}
"""Name -> format."""


def find_format_out(name: str) -> PredictionFormat:
    """The format that a user named. Raises ConfigError if there is none; near names are given."""
    if name not in FORMATS_OUT:
        raise ConfigError(f"unknown format {name!r}; {near_names(name, FORMATS_OUT)}")
    return FORMATS_OUT[name]
