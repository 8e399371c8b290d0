"""Registries of declared things: what this package declares, and what other packages declare through entry points.

Names are found at once; a package is imported when its name is asked for. One that cannot be used is an error for
whoever asks for its name, and for nobody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module, metadata
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

from .errors import ConfigError, PluginError, near_names, one_line

GROUPS = {
    "data set": "pefomed_plugin.datasets",
    "scorer": "pefomed_plugin.scorers",
    "task": "pefomed_plugin.tasks",
    "language model family": "pefomed_plugin.families",
    "vision encoder family": "pefomed_plugin.vision_families",
    "predictor": "pefomed_plugin.predictors",
}
"""Kind -> entry point group."""
FORMER_GROUPS = {"data set": "pefomed_plugin.readers"}
"""Kind -> the group that earlier versions read. What stands there is refused with a word on how to convert it."""
OURS = "pefomed_plugin"

_NAME = {"scorer": re.compile(r"\w+(/[\w.-]+)?")}
_PLAIN_NAME = re.compile(r"\w+")
"""Names of data sets and tasks are keys of a YAML and parts of file names."""
_Declared = TypeVar("_Declared")


@dataclass(frozen=True)
class EntryPoint:
    """One entry point of another package."""

    kind: str
    """Key of ``GROUPS``."""
    name: str
    package: str
    """The distribution, with its version."""
    point: metadata.EntryPoint

    @property
    def words(self) -> str:
        """What it is and whose, for messages."""
        return f"{self.kind} {self.name!r} of the package {self.package} ({self.point.value})"

    def load(self) -> Any:
        """The declared thing itself; its package is imported now.

        Raises:
            PluginError: it cannot be imported, or its name cannot be one.
        """
        if self.point.group == FORMER_GROUPS.get(self.kind):
            raise PluginError(
                f"{self.words} stands in the entry point group {self.point.group}, which is no longer read; declare it "
                f"in {GROUPS[self.kind]} (docs/extending.md shows how)"
            )
        if not _NAME.get(self.kind, _PLAIN_NAME).fullmatch(self.name):
            raise PluginError(f"{self.words}: a name is made of letters, digits and _; tell its author")
        try:
            return self.point.load()
        except Exception as error:  # whatever a foreign module does when it is imported
            raise PluginError(
                f"{self.words} cannot be loaded: {type(error).__name__}: {one_line(error)}; repair the package, or pip "
                f"uninstall {self.package.split(' ')[0]}"
            ) from error


def declared_in(package: str, kind: type[_Declared]) -> list[_Declared]:
    """What the modules of one of our packages declare: public names that hold a ``kind`` or a tuple of them.

    A new file is found without being named anywhere. In the order of the modules' names, each thing once.
    """
    modules = [
        import_module(f"{package}.{found.name}")
        for found in sorted(iter_modules(import_module(package).__path__), key=lambda module: module.name)
    ]
    held = [value for module in modules for name, value in vars(module).items() if not name.startswith("_")]
    things = [thing for value in held for thing in (value if isinstance(value, tuple) else (value,))]
    return list({id(thing): thing for thing in things if isinstance(thing, kind)}.values())


@lru_cache
def find_entry_points(kind: str) -> tuple[EntryPoint, ...]:
    """Everything of one kind that installed packages declare, by name; imports none of it."""
    groups = (GROUPS[kind], FORMER_GROUPS.get(kind))
    found: list[EntryPoint] = []
    seen: set[str] = set()
    # Distributions rather than entry_points(): only they say, on Python 3.9 too, whose entry point it is.
    for distribution in metadata.distributions():
        points = [point for point in distribution.entry_points if point.group in groups]
        package = distribution.metadata["Name"] if points else ""
        if points and package not in seen:  # a second one of that name is hidden by the first, as for imports
            seen.add(package)
            found += [EntryPoint(kind, point.name, f"{package} {distribution.version}", point) for point in points]
    return tuple(sorted(found, key=lambda point: (point.name, point.package)))


class Registry(Mapping[str, _Declared], Generic[_Declared]):
    """Declared things of one kind by name: ours first, then those of other packages."""

    def __init__(
        self,
        kind: str,
        declares: type,
        own: Iterable[_Declared] | Mapping[str, _Declared],
        *,
        aliases: Mapping[str, str] | None = None,
        classes: bool = False,
        convert: str = "see docs/extending.md",
    ) -> None:
        """A registry of our own things, to which installed packages add.

        Args:
            kind: a key of ``GROUPS``, and the word for one of them in messages.
            declares: the class whose instances are registered.
            own: our things, each with a ``name``; or name -> thing, where they carry none.
            aliases: short name -> name. An alias is understood, and not listed.
            classes: what is registered are subclasses of ``declares``, not instances.
            convert: what the author of something else is told to do.

        Raises:
            TypeError: something of ours is of another class.
            ValueError: a name stands twice or cannot be one, or an alias leads nowhere or hides a name.
        """
        self.kind, self.declares, self.classes, self.convert = kind, declares, classes, convert
        self.own: dict[str, _Declared] = {}
        for name, thing in own.items() if isinstance(own, Mapping) else ((_name_of(thing), thing) for thing in own):
            if name in self.own:
                raise ValueError(f"{kind} {name!r} is declared twice")
            if not _NAME.get(kind, _PLAIN_NAME).fullmatch(name):
                raise ValueError(f"{kind} {name!r}: a name is made of letters, digits and _")
            if not self._fits(thing):
                raise TypeError(f"{kind} {name!r} is {thing!r}, not {self._expected()}")
            self.own[name] = thing
        self.aliases = dict(aliases or {})
        for short, name in self.aliases.items():
            if short in self.own or name not in self.own:
                raise ValueError(f"alias {short!r} of {kind} {name!r} hides a name or leads nowhere")

    def __getitem__(self, name: str) -> _Declared:
        """What is declared under that name.

        Raises:
            KeyError: nothing is.
            PluginError: two packages claim the name, or the one that has it cannot be used.
        """
        name = self.aliases.get(name, name)
        claims = self._claims().get(name, [])
        owners = [*([OURS] if name in self.own else []), *(claim.package for claim in claims)]
        if len(owners) > 1:
            raise PluginError(
                f"{self.kind} {name!r} is claimed by {len(owners)} packages: {' and '.join(owners)}; uninstall "
                "one of them, or ask its author for another name"
            )
        if not claims:
            return self.own[name]
        thing = claims[0].load()
        if not self._fits(thing):
            raise PluginError(f"{claims[0].words} is {thing!r}, not {self._expected()}; {self.convert}")
        if getattr(thing, "name", name) != name:
            raise PluginError(
                f"{claims[0].words}: it calls itself {_name_of(thing)!r}; it is registered under its own name"
            )
        return thing

    def find(self, name: str) -> _Declared:
        """What is declared under a name that a user gave.

        Raises:
            ConfigError: nothing is; names the near ones.
            PluginError: as for ``registry[name]``.
        """
        if name not in self:
            raise ConfigError(f"unknown {self.kind} {name!r}; {near_names(name, [*self, *self.aliases])}")
        return self[name]

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in self.aliases or name in self._claims()

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self.own, *self._claims())))

    def __len__(self) -> int:
        return len(set(self.own) | set(self._claims()))

    def _fits(self, thing: Any) -> bool:
        if self.classes:
            return isinstance(thing, type) and issubclass(thing, self.declares)
        return isinstance(thing, self.declares)

    def _expected(self) -> str:
        return f"a {'subclass of ' if self.classes else ''}{self.declares.__name__}"

    def _claims(self) -> dict[str, list[EntryPoint]]:
        claims: dict[str, list[EntryPoint]] = {}
        for point in find_entry_points(self.kind):
            claims.setdefault(point.name, []).append(point)
        return claims


def _name_of(thing: Any) -> str:
    return str(thing.name)
