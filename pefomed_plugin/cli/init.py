"""``pefomed init``: a project folder for your own data."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError
from ..readers.prepared import split_file
from ..services.project_template import CAPTION, TASKS, look_at_own_data, write_project
from .next_step import NextStep, pefomed

_USES = {"train": "stage2.yaml trains on", "test": "evaluate.yaml answers"}
"""Split -> which file of a project needs it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder to make; nothing in it is overwritten")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="own data that pefomed prepare wrote: the YAMLs name them, and their texts say the task",
    )
    parser.add_argument(
        "--task", choices=tuple(TASKS), help=f"questions and answers, or reports (default: {next(iter(TASKS))})"
    )
    parser.epilog = "example: pefomed init my_study --data prepared/reports"


def run(arguments: argparse.Namespace) -> int:
    """Write the folder, and say how to go on."""
    data = look_at_own_data(arguments.data) if arguments.data else None
    has_captions = data is not None and data.task == CAPTION
    if data and not has_captions and arguments.task not in (None, data.task):
        raise ConfigError(f"{data.folder} holds {TASKS[data.task]['said']}: leave --task {arguments.task} out")
    task = data.task if data and not has_captions else arguments.task or next(iter(TASKS))
    other = next(name for name in TASKS if name != task)
    written = write_project(arguments.folder, task, data)
    chosen = " (the default; the other is --task " + other + ")" if arguments.task is None else ""
    print(f"task: {task}{f' (as {data.folder} says)' if data and not has_captions else chosen}")
    for path in written:
        if path.suffix != ".png":
            print(f"  {path}")
    if data:
        counts = ", ".join(f"{split} {count:,}" for split, count in data.counts.items())
        named = "stage1.yaml names" if has_captions else "stage2.yaml and evaluate.yaml name"
        print(f"{named} {data.folder}: {counts} sample(s)")
        if has_captions:
            print(f"they are captions; the {TASKS[task]['said']} of stage 2 are drawn examples, for you to replace")
            arguments.first = "stage1.yaml"  # for the next step
        uses = {"train": "stage1.yaml trains on"} if has_captions else _USES
        for split, name in uses.items():
            if split not in data.counts:
                print(
                    f"no {split} split is among them, which {name}: prepare them with one (--split) before you run it"
                )
    else:
        print("README.md there says how to bring your own data; the next step tries it on the drawn examples")
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Train: on the data, or on the drawn examples; answer, where the data are for testing alone."""
    if arguments.data and not (arguments.data / split_file("train")).is_file():
        return pefomed("evaluate", "--cfg-path", "evaluate.yaml", folder=arguments.folder)
    return pefomed("train", "--cfg-path", getattr(arguments, "first", "stage2.yaml"), folder=arguments.folder)
