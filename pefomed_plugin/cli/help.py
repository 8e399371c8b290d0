"""Help that fits a terminal: commands in groups, prose wrapped at words, commands broken as a shell takes them."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..services.terminal import fold

SETUP, DATA, TRAIN, EVALUATE, JUDGE, SHARE = "set up", "data", "train", "evaluate", "judge and rate", "share"
GROUPS = (SETUP, DATA, TRAIN, EVALUATE, JUDGE, SHARE)
_COMMAND = re.compile(r"^(?P<before>\s*(?:\w+:|\w+ )?\s*)(?P<words>(?:[A-Z_]+=\S+ )?pefomed .*)$")


@dataclass(frozen=True)
class Command:
    """A sub-command, as the list of all has it."""

    group: str
    """One of ``GROUPS``."""
    text: str
    """What it does, in a line."""
    talks: bool = False
    """Whether it waits for people or says itself how far it is, so that nothing else shows that it goes on."""
    prints_code: bool = False
    """Whether a shell reads what it prints, so that no line of it is broken."""
    lasts: bool = False
    """Whether its result is no print, so that it goes on where nobody reads what it prints any more."""


def group_commands(commands: Mapping[str, Command]) -> dict[str, list[str]]:
    """Group -> its commands, each in its order."""
    return {group: [name for name, command in commands.items() if command.group == group] for group in GROUPS}


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """As argparse has it, but for groups of sub-commands and for what stands below the arguments."""

    def __init__(self, *arguments: Any, **others: Any) -> None:
        super().__init__(*arguments, **{"max_help_position": 26, **others})

    def _format_action(self, action: argparse.Action) -> str:
        groups: Mapping[str, Sequence[str]] | None = getattr(action, "groups", None)
        if groups is None:
            return super()._format_action(action)
        parts: list[str] = []
        listed = list(action._get_subactions())  # type: ignore[attr-defined]
        for group, names in groups.items():
            parts.append(f"{chr(10) if parts else ''}{group}:\n")
            parts += [super(HelpFormatter, self)._format_action(one) for one in listed if one.dest in names]
        return "".join(parts)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "".join(wrap_line(indent + line, width) + "\n" for line in text.splitlines()).rstrip("\n")


def wrap_line(line: str, width: int) -> str:
    """A line as lines of at most ``width`` columns: a command goes on behind a backslash, prose below its beginning."""
    command = _COMMAND.match(line)
    own = len(line) - len(line.lstrip())
    if len(line) <= width:
        return line
    if command is None:
        return fold(line, width)
    before = command["before"]
    return " \\\n".join(
        textwrap.wrap(
            command["words"],
            width - 2,
            initial_indent=before,
            subsequent_indent=" " * (own + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
