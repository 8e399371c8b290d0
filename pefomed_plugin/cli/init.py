"""``pefomed init``: a project folder for your own data."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from ..services.project_template import TASKS, write_project


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
    folder = shlex.quote(str(arguments.folder))
    print(
        f"\ntry it on the drawn examples:\n  cd {folder}\n  pefomed train --cfg-path stage2.yaml\n"
        "README.md there says how to bring your own data"
    )
    return 0
