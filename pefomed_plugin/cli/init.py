"""``pefomed init``: a project folder for your own data."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from ..services.project_template import write_project


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder to make; nothing in it is overwritten")
    parser.epilog = "example: pefomed init my_study"


def run(arguments: argparse.Namespace) -> int:
    """Write the folder, and say how to go on."""
    for path in write_project(arguments.folder):
        if path.suffix != ".png":
            print(f"  {path}")
    folder = shlex.quote(str(arguments.folder))
    print(
        f"\ntry it on the drawn examples:\n  cd {folder}\n  pefomed train --cfg-path stage2.yaml\n"
        "README.md there says how to bring your own data"
    )
    return 0
