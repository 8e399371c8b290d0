"""``pefomed completion``: the completion script of a shell, made from the parsers themselves."""

from __future__ import annotations

import argparse

from . import make_parser

SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("shell", choices=SHELLS)
    parser.epilog = """example: pefomed completion bash

to have it in every new shell:
  bash  pefomed completion bash > ~/.local/share/bash-completion/completions/pefomed
  zsh   pefomed completion zsh > ~/.zfunc/_pefomed   (a folder of $fpath)
  fish  pefomed completion fish > ~/.config/fish/completions/pefomed.fish"""


def run(arguments: argparse.Namespace) -> int:
    """Print the completion script of a shell."""
    import shtab  # late: optional

    print(shtab.complete(make_parser(), arguments.shell))
    return 0
