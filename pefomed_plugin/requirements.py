"""Which packages this one needs, and for what: its installed metadata, which ``setup.py`` is the source of.

What is needed later (scoring, judging, plotting) is checked when a run starts, by ``require``. Imports nothing of what
it names.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec

from .errors import ConfigError

_REQUIREMENT = re.compile(r"^([\w.-]+)\s*(?:\(?>=\s*([\d.]+)\)?)?[^;]*(?:;.*extra == ['\"](\w+)['\"])?")
CHECKOUT_ADDS = ("rich>=12", "pycocoevalcap>=1.2")
"""What we need and the environment of a MiniGPT-4 checkout (its ``environment.yml``) does not have."""
_GATHERINGS = ("test", "dev", "docs")
"""Extras of our own work, which no user is told to install."""


@dataclass(frozen=True)
class Requirement:
    """One line of ``install_requires`` or of an extra."""

    name: str
    """On the package index."""
    least: str
    """Oldest version that will do; empty: any."""
    extra: str
    """Name of the extra; empty: always needed."""


@dataclass(frozen=True)
class Need:
    """A package without which something that was asked for cannot be done."""

    module: str
    """As it is imported."""
    what: str
    """What cannot be done without it, in the plural: ``report metrics``."""
    install: str
    """What ``pip install`` takes."""

    @property
    def message(self) -> str:
        """What is missing and how to get it."""
        return f"{self.what} need {self.module}; pip install {self.install}"


def install_line(packages: Iterable[str]) -> str:
    """The command that installs them, for a shell: ``pip install 'rich>=12'``."""
    return f"pip install {' '.join(map(shlex.quote, packages))}"


def missing(needs: Iterable[Need]) -> list[Need]:
    """Those that are not installed, each once."""
    return [need for need in dict.fromkeys(needs) if find_spec(need.module) is None]


def require(needs: Iterable[Need]) -> None:
    """Stop now where something is missing that is needed later.

    Raises:
        ConfigError: packages are missing; all of them in one message, each with what installs it.
    """
    messages = [need.message for need in missing(needs)]
    if len(messages) == 1:
        raise ConfigError(messages[0])
    if messages:
        raise ConfigError("packages are missing that this needs", messages)


def read_requirements() -> list[Requirement]:
    """Of the installed package, extras of users included; nothing where it is not installed but only on the path."""
    try:
        lines = metadata.requires("pefomed_plugin") or []
    except metadata.PackageNotFoundError:
        return []
    found = [match.groups(default="") for match in map(_REQUIREMENT.match, lines) if match]
    return [Requirement(*parts) for parts in found if parts[2] not in _GATHERINGS]


def installed_version(name: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def package_of(module: str) -> str:
    """The package of an extra that brings a module along; empty where none does."""
    name = module.partition(".")[0].replace("_", "-").lower()
    return next(
        (
            requirement.name
            for requirement in read_requirements()
            if requirement.extra and requirement.name.replace("_", "-").lower() == name
        ),
        "",
    )


def release(version: str) -> tuple[int, ...]:
    """The numbers of a version, to compare it by: ``2.4.1+cpu`` is (2, 4, 1)."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, numbers.group().split("."))) if numbers else ()
