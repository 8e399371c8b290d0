"""What left this machine, what was found of health information and what was cleaned, as tables. Computes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..services.privacy.findings import HIGH, KINDS, LOW, Finding, Scan
from .table import BAD, COUNT, QUIET, WARNING, Column, Table

if TYPE_CHECKING:
    from ..services.privacy.cleaning import Change

_TONES = {HIGH: BAD, LOW: QUIET}


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
            Column("last, UTC", lambda gone: gone.last[:16].replace("T", " ")),
        ],
        list(groups.values()),
        [
            f"not public: {', '.join(private)}"
            for private in [sorted(set().union(*(g.datasets for g in groups.values())))]
            if private
        ],
    )


def kinds_table(scan: Scan) -> Table:
    """How much was found of each kind, the gravest first."""
    return Table(
        "what was found",
        [
            Column("kind", lambda row: row[0]),
            Column("severity", lambda row: KINDS[row[0]].severity),
            Column("places", lambda row: row[1], COUNT),
            Column("files", lambda row: row[2], COUNT),
            Column("what it is", lambda row: KINDS[row[0]].words),
        ],
        scan.counts(),
        tone=lambda row: _TONES.get(KINDS[row[0]].severity, WARNING),
    )


def findings_table(findings: Sequence[Finding], most: int) -> Table:
    """The first findings, masked; below, how many more there are."""
    more = len(findings) - most
    return Table(
        "where",
        [
            Column("kind", lambda finding: finding.kind),
            Column("excerpt", lambda finding: finding.excerpt),
            Column("file", lambda finding: finding.file),
            Column("place", lambda finding: finding.place),
        ],
        findings[:most],
        [f"... and {more:,} more: --json has all, --most N shows N"] if more > 0 else [],
        lambda finding: _TONES.get(finding.severity, WARNING),
    )


def changes_table(changes: Sequence[Change]) -> Table:
    """What was changed in the copy, by kind and by what was done."""
    places = Counter((change.kind, change.words) for change in changes)
    files = {key: len({one.file for one in changes if (one.kind, one.words) == key}) for key in places}
    order = list(KINDS)
    return Table(
        "what was changed",
        [
            Column("kind", lambda key: key[0]),
            Column("done", lambda key: key[1]),
            Column("places", lambda key: places[key], COUNT),
            Column("files", lambda key: files[key], COUNT, help="with a change of this kind"),
        ],
        sorted(places, key=lambda key: (order.index(key[0]), key[1])),
    )
