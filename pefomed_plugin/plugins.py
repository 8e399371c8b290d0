"""What other packages add through entry points: readers, scorers, tasks. Names are found at once, imported when used.

A package that cannot be imported is an error of whoever asks for its name, and of nobody else. Knows no reader.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import Any, TypeVar

from .errors import PluginError, one_line

GROUPS = {"reader": "pefomed_plugin.readers", "scorer": "pefomed_plugin.scorers", "task": "pefomed_plugin.tasks"}
"""Kind -> entry point group."""
OURS = "pefomed_plugin"

_NAME = {"scorer": re.compile(r"\w+(/[\w.-]+)?")}
_PLAIN_NAME = re.compile(r"\w+")
"""Names of readers and tasks are keys of a YAML and parts of file names."""
_Thing = TypeVar("_Thing")


@dataclass(frozen=True)
class Added:
    """One entry point of another package."""

    kind: str
    """Key of ``GROUPS``."""
    name: str
    package: str
    """The distribution, with its version."""
    point: metadata.EntryPoint

    def load(self) -> Any:
        """The function or class itself; its package is imported now.

        Raises:
            PluginError: it cannot be imported, is no function or class, or its name cannot be one.
        """
        who = f"{self.kind} {self.name!r} of the package {self.package} ({self.point.value})"
        if not _NAME.get(self.kind, _PLAIN_NAME).fullmatch(self.name):
            raise PluginError(f"{who}: a name is made of letters, digits and _; tell its author")
        try:
            found = self.point.load()
        except Exception as error:  # whatever a foreign module does when it is imported
            raise PluginError(
                f"{who} cannot be loaded: {type(error).__name__}: {one_line(error)}; mend the package, or pip "
                f"uninstall {self.package.split(' ')[0]}"
            ) from error
        if not callable(found):
            raise PluginError(f"{who} is {found!r}, neither a function nor a class; tell its author")
        return found


@lru_cache
def find_added(kind: str) -> tuple[Added, ...]:
    """Everything of one kind that installed packages add; imports none of it."""
    found: list[Added] = []
    seen: set[str] = set()
    # Distributions rather than entry_points(): only they say, on Python 3.9 too, whose entry point it is.
    for distribution in metadata.distributions():
        points = [point for point in distribution.entry_points if point.group == GROUPS[kind]]
        name = distribution.metadata["Name"] if points else ""
        if points and name not in seen:  # a second one of that name is hidden by the first, as for imports
            seen.add(name)
            found += [Added(kind, point.name, f"{name} {distribution.version}", point) for point in points]
    return tuple(sorted(found, key=lambda added: (added.name, added.package)))


class Extended(Mapping[str, _Thing]):
    """Our own functions by name, and behind them those that other packages add."""

    def __init__(self, kind: str, own: Mapping[str, _Thing]) -> None:
        self.kind, self.own = kind, dict(own)

    def __getitem__(self, name: str) -> _Thing:
        """Function of that name.

        Raises:
            KeyError: there is none.
            PluginError: two packages claim the name, or the one that has it is broken.
        """
        claims = self._claims().get(name, [])
        owners = [*([OURS] if name in self.own else []), *(claim.package for claim in claims)]
        if len(owners) > 1:
            raise PluginError(
                f"{self.kind} {name!r} is claimed by {len(owners)} packages: {' and '.join(owners)}; uninstall "
                "one of them, or ask its author for "
                "another name"
            )
        return claims[0].load() if claims else self.own[name]

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in self._claims()

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self.own, *self._claims())))

    def __len__(self) -> int:
        return len(set(self.own) | set(self._claims()))

    def _claims(self) -> dict[str, list[Added]]:
        claims: dict[str, list[Added]] = {}
        for each in find_added(self.kind):
            claims.setdefault(each.name, []).append(each)
        return claims
