"""What left this machine, as a table. Computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .table import COUNT, Column, Table


@dataclass
class Gone:
    """All requests of one command to one host by one way."""

    host: str
    way: str
    command: str
    requests: int = 0
    size: int = 0
    texts: int = 0
    last: str = ""
    datasets: set[str] = field(default_factory=set)


def log_table(entries: Sequence[Mapping[str, Any]]) -> Table:
    """What left, by host, way and command, in the order in which each began."""
    groups: dict[tuple[str, str, str], Gone] = {}
    for entry in entries:
        key = (str(entry["host"]), str(entry.get("way", "")), str(entry.get("command", "")))
        gone = groups.setdefault(key, Gone(*key))
        gone.requests += 1
        gone.size += int(entry["bytes"])
        gone.texts += int(entry["texts"])
        gone.last = max(gone.last, str(entry["time"]))
        gone.datasets.update(map(str, entry.get("not_public") or ()))
    return Table(
        "what left this machine",
        [
            Column("host", lambda gone: gone.host),
            Column("way", lambda gone: gone.way),
            Column("command", lambda gone: gone.command),
            Column("requests", lambda gone: gone.requests, COUNT),
            Column("bytes", lambda gone: gone.size, COUNT),
            Column("texts", lambda gone: gone.texts, COUNT),
            Column("last", lambda gone: gone.last.replace("+00:00", " UTC")),
            Column("not public", lambda gone: ", ".join(sorted(gone.datasets)) or "-"),
        ],
        list(groups.values()),
    )
