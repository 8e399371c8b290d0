"""``pefomed sample``: write the embedded default."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..environment import FAMILY, TINY_FAMILIES, check_sample_folder, sample_folder, tiny_family, tiny_part
from .arguments import whole_number
from .next_step import STAGE_2, NextStep, pefomed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--out", type=Path, default=None, help=f"folder to write (default: {sample_folder()})")
    parser.add_argument("--seed", type=whole_number, default=0, help="of the drawings, the words and the tiny model")
    parser.add_argument("--no-model", action="store_true", help="data sets only (does not need torch)")
    parser.add_argument(
        "--family",
        choices=TINY_FAMILIES,
        help=f"language model family of the tiny model (default: {FAMILY}, else llama)",
    )
    parser.epilog = "example: pefomed sample --out output/sample"


def run(arguments: argparse.Namespace) -> int:
    """Write what is not there yet."""
    from ..embedded import DRAWN, make_sample  # late: loads PIL

    if arguments.out is None:
        check_sample_folder()
    folder = arguments.out or sample_folder()
    model = tiny_part(arguments.family or tiny_family())
    parts = DRAWN if arguments.no_model else (*DRAWN, model)
    make_sample(folder, seed=arguments.seed, parts=parts)
    print(f"embedded default: {folder}")
    for path in sorted(folder.iterdir()):
        print(f"  {path}")
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Train on it."""
    setting = {"PEFOMED_SAMPLE": str(arguments.out)} if arguments.out else {}
    return pefomed("train", "--cfg-path", STAGE_2, setting=setting)
