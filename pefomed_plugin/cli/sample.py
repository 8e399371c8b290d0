"""``pefomed sample``: write the embedded default."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..environment import check_sample_folder, sample_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--out", type=Path, default=None, help=f"folder to write (default: {sample_folder()})")
    parser.add_argument("--seed", type=int, default=0, help="of the drawings, the words and the tiny model")
    parser.add_argument("--no-model", action="store_true", help="data sets only (does not need torch)")
    parser.epilog = "example: pefomed sample --out output/sample"


def run(arguments: argparse.Namespace) -> int:
    """Write what is not there yet."""
    from ..embedded import DRAWN, PARTS, make_sample  # late: loads PIL

    if arguments.out is None:
        check_sample_folder()
    folder = arguments.out or sample_folder()
    make_sample(folder, seed=arguments.seed, parts=DRAWN if arguments.no_model else PARTS)
    print(f"embedded default: {folder}")
    for path in sorted(folder.iterdir()):
        print(f"  {path}")
    return 0
