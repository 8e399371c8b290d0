"""``pefomed completion``: the completion script of a shell, made from the parsers themselves."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import make_parser
from .next_step import NextStep

PLACES = {
    "bash": "~/.local/share/bash-completion/completions/pefomed",
    "zsh": "~/.zfunc/_pefomed",
    "fish": "~/.config/fish/completions/pefomed.fish",
}
"""Shell -> where it looks for a completion script."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("shell", choices=tuple(PLACES))
    notes = {"zsh": "   (a folder of $fpath)"}
    lines = [
        f"  {shell:<5} pefomed completion {shell} > {place}{notes.get(shell, '')}" for shell, place in PLACES.items()
    ]
    parser.epilog = "example: pefomed completion bash\n\nto have it in every new shell:\n" + "\n".join(lines)


def run(arguments: argparse.Namespace) -> int:
    """Print the completion script of a shell."""
    import shtab  # late: optional

    print(shtab.complete(make_parser(), arguments.shell))
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Where the shell looks for it; then a new shell."""
    if not sys.stdout.isatty():
        return NextStep(["exec", arguments.shell])
    return NextStep(["pefomed", "completion", arguments.shell], into=Path(PLACES[arguments.shell]).expanduser())
