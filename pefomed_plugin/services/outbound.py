"""The one gate for whatever leaves this machine: who may go, and a line in the log for everything that goes.

Whoever opens a connection asks ``open_passage`` first; ``tests/test_ways_out.py`` knows every module that could open
one. The log holds host, bytes, how many texts, when and which command, never content.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from threading import local
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..offline import VARIABLE, is_loopback, is_offline, watch
from ..storage import SCHEMA
from . import outbound_log

FLAG = "--i-have-permission"


@dataclass(frozen=True)
class Way:
    """One way out of this machine."""

    name: str
    """In the log."""
    what: str
    """What goes there, in the plural."""
    instead: str
    """What to do where it may not go there."""
    carries_data: bool = True
    """Whether something of the data goes, so that those that are not public need the user's word."""


CHAT = Way("chat API", "its texts", "use --judge local or a server of your own")
ANSWERS = Way("chat API", "its questions and images", "use a server of your own (OPENAI_BASE_URL)")
TRACKER = Way("wandb", "its run's settings and curves", "leave run.wandb out, or set run.wandb.mode=offline")
PAGE = Way("page", "its answers and images", "leave --host out")
OTHERS = Way("not declared", "what nobody here knows", "do without it")
WEIGHTS_PAGE = Way("page", "what its weights learnt", "leave --host out")
SHARDS = Way("shards", "the addresses of shards", "use shards on this machine", carries_data=False)


@dataclass
class _Process:
    """What the gate knows of this process."""

    command: str = ""
    """Started as."""
    given: bool = False
    """The user's word, for this command."""
    has_passage: bool = False
    """Whether something of the data may go somewhere, so that a connection of Python may be that one's."""


_process = _Process()
_own = local()
"""``connecting``: whether this thread opens a passage's connection right now."""
_held: set[str] = set()
"""Data sets that are not public and that this process has read."""


def begin(command: str, permission: bool) -> None:
    """What this process was started as, and whether with ``--i-have-permission``; forgets what it held before."""
    _process.command, _process.given, _process.has_passage = command, permission, False
    _held.clear()
    watch(_ask_of_others)


def hold(datasets: Iterable[str], origins: Mapping[str, str] | None = None) -> list[str]:
    """Note that this process has read these data sets; those of them that are not public, sorted.

    Args:
        origins: data set -> where its data come from; what is generated is nobody's.
    """
    found = not_public(datasets, origins)
    _held.update(found)
    return found


def not_public(datasets: Iterable[str], origins: Mapping[str, str] | None = None) -> list[str]:
    """Data sets that are not declared public, sorted, without those whose data are generated."""
    from ..origins import GENERATED  # late: every command imports this module, few read data
    from ..readers import need_permission  # late: as above

    known = origins or {}
    return need_permission(name for name in datasets if known.get(name) != GENERATED)


class Passage:
    """What the gate gives. ``note`` stands before every request; on this machine it writes nothing."""

    def __init__(self, way: Way, host: str, is_local: bool, datasets: Iterable[str]) -> None:
        self.way, self.host, self.is_local = way, host, is_local
        self._datasets = sorted(datasets)

    def note(self, size: int, texts: int = 0, host: str = "") -> None:
        """One request (``size`` bytes, ``texts`` of them in it) is about to leave.

        Raises:
            DataError: the log cannot be written; then nothing is sent.
        """
        if not self.is_local:
            outbound_log.append(
                {
                    "schema": SCHEMA,
                    "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
                    "command": _process.command or Path(sys.argv[0]).name,
                    "way": self.way.name,
                    "host": host or self.host,
                    "bytes": size,
                    "texts": texts,
                    "not_public": self._datasets,
                    "process": os.getpid(),
                }
            )

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """What this thread connects to meanwhile is this passage's own: of a way that carries nothing of the data."""
        _own.connecting = True
        try:
            yield
        finally:
            _own.connecting = False


def open_passage(
    way: Way,
    host: str,
    datasets: Iterable[str] = (),
    *,
    is_local: bool,
    given: bool = False,
    origins: Mapping[str, str] | None = None,
) -> Passage:
    """The way to a host, if it may be taken.

    Args:
        host: for people and the log; no user, no key.
        datasets: whose data would go there, beside those that this process has read (``hold``).
        is_local: whether the address that is connected to is this machine's.
        given: the user's word, where it is not ``begin``'s.

    Raises:
        ConfigError: PEFOMED_OFFLINE is set; or data that are not public would leave without the user's word.
        DataError: what leaves could not be noted.
        PluginError: a data set is another package's, and cannot be used.
    """
    if is_local:
        return Passage(way, host, True, ())
    if is_offline():
        raise ConfigError(
            f"{VARIABLE} is set, and {way.what} would go to {host}; {way.instead}, or unset {VARIABLE} "
            "(docs/privacy.md)"
        )
    found = sorted({*not_public(datasets, origins), *_held}) if way.carries_data else []
    if found and not (given or _process.given):
        raise ConfigError(
            f"{', '.join(found)}: not a public data set, and {way.what} would go to {host}; {way.instead}, or say "
            f"{FLAG} if you may send them there"
        )
    outbound_log.check_writable()  # told before anything is asked
    _process.has_passage |= way.carries_data
    return Passage(way, host, False, found)


class NotAskedError(OSError):
    """A connection was refused that did not come by the gate; an ``OSError``, as libraries expect of a dead network."""


def _ask_of_others(host: str) -> None:
    """A connection elsewhere is about to be opened by Python, perhaps by code of others: plug-ins, libraries.

    Where a passage is open that carries data it is taken for that one's; of another passage, while it connects. Else it
    is noted, and refused where this process has read data that are not public and nobody gave the word.

    Raises:
        NotAskedError: it is refused.
        DataError: it cannot be noted.
    """
    if _process.has_passage or getattr(_own, "connecting", False):
        return
    if _held and not _process.given:
        raise NotAskedError(
            errno.EACCES,
            f"nothing goes to {host}: {', '.join(sorted(_held))} is no public data set, and this connection did not "
            f"ask the gate; say {FLAG} if it may be opened (docs/privacy.md)",
        )
    Passage(OTHERS, host, False, _held).note(0)


def is_here(host: str) -> bool:
    """Whether a host leads to loopback addresses only; its name is looked up, but not where PEFOMED_OFFLINE is set."""
    if is_loopback(host) or is_offline():
        return is_loopback(host)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return all(is_loopback(entry[4][0]) or _is_unspecified(str(entry[4][0])) for entry in found)


def host_of(address: str) -> str:
    """Host and port of a URL, without what may be secret in it."""
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.hostname or address}{port}"


def _is_unspecified(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_unspecified
