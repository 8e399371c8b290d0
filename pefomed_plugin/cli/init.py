"""``pefomed init``: a project folder for your own data."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..services.project_template import TASKS, write_project
from .next_step import NextStep, pefomed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder to make; nothing in it is overwritten")
    parser.add_argument(
        "--task", choices=tuple(TASKS), help=f"questions and answers, or reports (default: {next(iter(TASKS))})"
    )
    parser.epilog = "example: pefomed init my_study --task report"


def run(arguments: argparse.Namespace) -> int:
    """Write the folder, and say how to go on."""
    task = arguments.task or next(iter(TASKS))
    other = next(name for name in TASKS if name != task)
    written = write_project(arguments.folder, task)
    print(f"task: {task}{'' if arguments.task else f' (the default; the other is --task {other})'}")
    for path in written:
        if path.suffix != ".png":
            print(f"  {path}")
    print("README.md there says how to bring your own data; the next step tries it on the drawn examples")
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Try it on the drawn examples."""
    return pefomed("train", "--cfg-path", "stage2.yaml", folder=str(arguments.folder))
