"""``pefomed link``: make the plugin part of a MiniGPT-4 checkout."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..requirements import CHECKOUT_ADDS, install_line
from ..services.console import quote_words
from ..services.linking import Step, link_checkout
from .next_step import NextStep, again


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("checkout", type=Path, metavar="CHECKOUT", help="folder of a clone of Vision-CAIR/MiniGPT-4")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.epilog = "example: pefomed link ../MiniGPT-4"


def run(arguments: argparse.Namespace) -> int:
    """Link, show every change, and say how a run is started there."""
    steps = link_checkout(arguments.checkout, dry_run=arguments.dry_run)
    show_steps(f"pefomed_plugin {__version__} in {arguments.checkout.resolve()}", steps, arguments.dry_run)
    print(
        "\nonce, in the checkout's own environment (its environment.yml lacks these):\n"
        f"  {install_line(CHECKOUT_ADDS)}\n"
        f"to train from there, in that environment:\n  cd {arguments.checkout}\n"
        "  python -m pefomed_plugin.cli doctor --cfg-path train_configs/pefomed_stage2.yaml\n"
        "  torchrun --nproc-per-node 1 train.py --cfg-path train_configs/pefomed_stage2.yaml\n"
        "with MiniGPT-v2's own loop (runner_base):\n"
        "  torchrun --nproc-per-node 1 train.py --cfg-path train_configs/pefomed_stage2_runner_base.yaml"
    )
    print(f"to take it out again:\n  {quote_words(['pefomed', 'unlink', arguments.checkout])}")
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """In the checkout's environment, look whether a run has what it needs."""
    if arguments.dry_run:
        return again(arguments, without=["--dry-run"])
    words = ["-m", "pefomed_plugin.cli", "doctor", "--cfg-path", "train_configs/pefomed_stage2.yaml"]
    return NextStep(["python", *words], folder=arguments.checkout)


def show_steps(title: str, steps: Sequence[Step], dry_run: bool) -> None:
    """One line a change, and how many there were."""
    print(title)
    width = max(len(step.path) for step in steps)
    for step in steps:
        sign, what = ("=", "as it is") if step.done else ("*", step.what)
        print(f"  {sign} {step.path:<{width}}  {what}")
    changes = sum(not step.done for step in steps)
    print(f"{changes or 'no'} change(s){', none made (--dry-run)' if dry_run and changes else ''}")
