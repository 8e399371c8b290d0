"""``pefomed evaluate``: as ``pefomed train``, but answers and scores only."""

from __future__ import annotations

import argparse

from . import train
from .train import run

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    train.add_arguments(parser, "evaluate")
