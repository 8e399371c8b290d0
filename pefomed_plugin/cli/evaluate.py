"""``pefomed evaluate``: as ``pefomed train``, but answers and scores only."""

from __future__ import annotations

import argparse

from . import train
from .next_step import NextStep


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    train.add_arguments(parser, "evaluate")
    parser.add_argument(
        "--reliance",
        action="store_true",
        help="also ask about another image, none, and the mirrored one: does it look? (run.reliance=true)",
    )


def run(arguments: argparse.Namespace) -> int:
    """As ``pefomed train``."""
    arguments.options += ["run.reliance=true"] if arguments.reliance else []
    return train.run(arguments)


def next_step(arguments: argparse.Namespace, exit_code: int) -> NextStep | None:
    """As ``pefomed train``."""
    return train.next_step(arguments, exit_code)
