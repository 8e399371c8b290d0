"""What to do after a command: one line that can be copied, with the user's own paths, quoted for the shell.

Each command declares it as ``next_step(arguments, exit_code)`` beside its ``run``. It is made of the arguments alone: a
next step is never worth an error.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..readers import DATASETS
from ..scoring.metrics_file import PREDICTIONS
from ..services.console import Word, quote_words, say_next

STAGE_2 = "train_configs/pefomed_stage2.yaml"


@dataclass(frozen=True)
class NextStep:
    """A command for the shell."""

    words: Sequence[Word]
    folder: Path | None = None
    """To go to first."""
    setting: Mapping[str, str] = field(default_factory=dict)
    """Variables of the environment that it needs."""
    into: Path | None = None
    """File that takes what it prints; its folder is made where there is none."""

    @property
    def line(self) -> str:
        """As it is typed."""
        there = f"cd {quote_words([self.folder])} && " if self.folder else ""
        set_first = "".join(f"{name}={quote_words([value])} " for name, value in self.setting.items())
        into = f" > {quote_words([self.into])}" if self.into else ""
        made = f"mkdir -p {quote_words([self.into.parent])} && " if self.into and not self.into.parent.is_dir() else ""
        return f"{there}{made}{set_first}{quote_words(self.words)}{into}"


def pefomed(*words: Word, folder: Path | None = None, setting: Mapping[str, str] | None = None) -> NextStep:
    """A command of ours."""
    return NextStep(["pefomed", *words], folder, setting or {})


def again(arguments: argparse.Namespace, *more: Word, without: Sequence[str] = ()) -> NextStep:
    """The same command once more, with or without some of its arguments."""
    return pefomed(*(word for word in arguments.given if word not in without), *more)


def page_of(*runs: Word, more: Sequence[Word] = ()) -> NextStep:
    """The page of a run, or of several, within the folder of the first."""
    return pefomed("report", *runs, *more, "--out", Path(runs[0]) / "report.html")


def scoring(predictions: Path, task: str) -> NextStep:
    """Score answers by what their task is scored by."""
    return pefomed("score", "exact_match" if task == "vqa" else "lexical", predictions)


def scored_answers(arguments: argparse.Namespace) -> Path:
    """The answers that verdicts lie beside: those that were given, or the copy in ``--out``."""
    return Path(arguments.out / PREDICTIONS if arguments.out else arguments.predictions)


def task_of(dataset: str) -> str:
    """``vqa``, ``report`` or ``caption``; of a data set that does not say, ``vqa``."""
    spec = DATASETS.get(dataset)
    return spec.tasks[0] if spec is not None else "vqa"


def with_options(command: str, arguments: argparse.Namespace, *more: str) -> NextStep:
    """Another command about the run that ``--cfg-path`` and ``--options`` name."""
    options = [*arguments.options, *more]
    return pefomed(command, "--cfg-path", arguments.cfg_path, *(["--options", *options] if options else []))


def with_storages(command: str, storages: Mapping[str, Path], *, prepared: Path | None = None) -> NextStep:
    """Another command about the shipped run of data sets, with these in the place of ``PEFOMED_DATA``'s.

    Of own data, whose YAML we do not know, the project's, which is made first where there is none.

    Args:
        prepared: what a project is made of, where the storages are something else (shards).
    """
    known = {name: spec for name, spec in DATASETS.items() if spec.stage}
    stage = max((known[name].stage for name in storages if name in known), default=0)
    here = {name: folder for name, folder in storages.items() if name in known and known[name].stage == stage}
    if not here:
        if Path("stage2.yaml").is_file():
            options = [f"datasets.{name}.build_info.storage={folder}" for name, folder in storages.items()]
            return pefomed(command, "--cfg-path", "stage2.yaml", "--options", *options)
        return pefomed("init", "my_study", "--data", prepared or next(iter(storages.values())))
    options = [f"datasets.{name}.build_info.storage={folder}" for name, folder in here.items()]
    if stage == 2 and len(here) == 1:
        cfg_path = f"projects/pefomed/stage2_{next(iter(here))}.yaml"
    else:
        cfg_path = f"train_configs/pefomed_stage{stage}.yaml"
        options += [f"datasets.{name}=null" for name in known if known[name].stage == stage and name not in here]
    return pefomed(command, "--cfg-path", cfg_path, "--options", *options)


def opening(path: Path) -> NextStep:
    """Open a page in the browser, wherever Python is."""
    return NextStep([os.path.basename(sys.executable), "-m", "webbrowser", "-t", path.resolve().as_uri()])


def show_next(step: NextStep | None) -> None:
    """The last line on a terminal, on stderr: whatever takes the output gets none of it."""
    if step is not None:
        say_next(step.line)
