"""How a command line is read: a flag is written out and given once, and a mistake is told with what may be meant."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from ..errors import ConfigError
from ..services.terminal import folded_output


class _Once(argparse._StoreAction):
    """A flag with one value; the second would take the place of the first without a word."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, flag: str | None = None
    ) -> None:
        before = vars(namespace).setdefault("given_once", {})
        if flag and self.dest in before:
            raise argparse.ArgumentError(self, f"given twice, {before[self.dest]} and {values}; leave one of them out")
        before[self.dest] = values
        super().__call__(parser, namespace, values, flag)


class Parser(argparse.ArgumentParser):
    """Of a command; its complaints break at words. No flag is guessed from its beginning."""

    def __init__(self, *arguments: Any, **others: Any) -> None:
        super().__init__(*arguments, **{"allow_abbrev": False, **others})
        for name in (None, "store"):
            self.register("action", name, _Once)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's, but that what is not known is told by the sub-command, with what is near."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self._of(parsed)._refuse(unknown)
        return parsed

    def error(self, message: str) -> NoReturn:
        """End with code 2."""
        with folded_output():
            super().error(message)

    def _of(self, parsed: argparse.Namespace) -> Parser:
        """The sub-command's parser."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                chosen = action.choices.get(getattr(parsed, action.dest, None) or "")
                return chosen._of(parsed) if isinstance(chosen, Parser) else self
        return self

    def _refuse(self, unknown: Sequence[str]) -> NoReturn:
        told = f"unrecognized arguments: {' '.join(unknown)}"
        flags = [word.split("=", 1)[0] for word in unknown if word.startswith("--")]
        known = [flag for flag in self._option_string_actions if flag.startswith("--")]
        begun = [name for flag in flags for name in known if name.startswith(flag)]
        near = begun or [name for flag in flags for name in get_close_matches(flag, known, n=1, cutoff=0.6)]
        if near:
            told += f"; did you mean {' or '.join(dict.fromkeys(near))}?"
        elif flags:
            told += f"; {self.prog} --help lists what there is"
        else:
            told += "; a path with blanks is one argument within quotes"
        self.error(told)


def given_flags(arguments: argparse.Namespace) -> set[str]:
    """Flags of the command line, as they were typed."""
    return {word.split("=", 1)[0] for word in arguments.given if word.startswith("-")}


def flags_of(group: argparse._ActionsContainer) -> list[str]:
    """All flags of a parser, or of a group of its arguments."""
    actions = getattr(group, "_group_actions", group._actions)
    return [flag for action in actions for flag in action.option_strings if flag.startswith("--")]


def refuse_flags(arguments: argparse.Namespace, flags: Iterable[str], why: str) -> None:
    """Raises ConfigError: one of ``flags`` is given, which would not be used."""
    unused = [flag for flag in flags if flag in given_flags(arguments)]
    if unused:
        raise ConfigError(f"{', '.join(unused)}: {why}")
