"""``pefomed unlink``: take the plugin out of a MiniGPT-4 checkout, byte for byte."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..services.linking import unlink_checkout
from .link import show_steps
from .next_step import NextStep, again, pefomed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("checkout", type=Path, metavar="CHECKOUT", help="folder that pefomed link was given")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.epilog = "example: pefomed unlink ../MiniGPT-4"


def run(arguments: argparse.Namespace) -> int:
    """Unlink, and show every change."""
    steps = unlink_checkout(arguments.checkout, dry_run=arguments.dry_run)
    if steps:
        show_steps(f"out of {arguments.checkout.resolve()}", steps, arguments.dry_run)
    else:
        print(f"{arguments.checkout.resolve()} is not linked; nothing to do")
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """How it is put in again."""
    if arguments.dry_run:
        return again(arguments, without=["--dry-run"])
    return pefomed("link", arguments.checkout)
