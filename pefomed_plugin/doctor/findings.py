"""Findings of the doctor: what was looked at, what is so, and its remedy; one line a finding for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ..errors import PefomedError
from ..services.console import Line

OK, NOTE, WARNING, ERROR = "ok", "note", "warning", "error"
"""``note``: something optional that is not there. ``warning``: it runs, but not as the paper, or not for long.
``error``: it will not run."""
_STYLES = {OK: "green", NOTE: "dim", WARNING: "yellow", ERROR: "bold red"}
AREAS = ("toolkit", "machine", "services", "plugins", "configuration", "weights", "data", "disk")


@dataclass(frozen=True)
class Finding:
    """One line of what the doctor says."""

    area: str
    """One of ``AREAS``."""
    what: str
    """What was looked at: ``GPU 0``, ``PEFOMED_LLAMA``, ``data set vqa_rad``."""
    state: str
    """``ok``, ``note``, ``warning`` or ``error``."""
    found: str
    """What is so. Never a secret."""
    remedy: str = ""
    """The command, or the page, that says what to do."""


def from_error(area: str, what: str, error: PefomedError, remedy: str = "") -> list[Finding]:
    """An error that was raised, as one finding for each of its problems."""
    return [Finding(area, what, ERROR, problem, remedy) for problem in error.problems or (str(error),)]


def is_broken(findings: Iterable[Finding]) -> bool:
    """Whether something that is needed does not work."""
    return any(finding.state == ERROR for finding in findings)


def finding_lines(findings: Sequence[Finding]) -> list[Line]:
    """Findings by area; the state is a word, so that nothing depends on colour."""
    width = max(len(finding.what) for finding in findings)
    lines: list[Line] = []
    in_order = sorted(findings, key=lambda finding: AREAS.index(finding.area))
    for area, group in groupby(in_order, key=lambda finding: finding.area):
        lines += [Line(""), Line(area, "bold")]
        for finding in group:
            start = f"  {finding.state:<8}{finding.what:<{width}}  "
            lines.append(Line(start + finding.found, _STYLES[finding.state]))
            if finding.remedy and finding.state != OK:
                lines.append(Line(" " * len(start) + "-> " + finding.remedy))
    counts = Counter(finding.state for finding in findings)
    counted = [
        f"{counts[state]} {state}{'s' if counts[state] > 1 else ''}" for state in (ERROR, WARNING) if counts[state]
    ]
    ready = "not ready" if is_broken(findings) else "ready"
    return [*lines, Line(""), Line(f"{ready}: {', '.join(counted) or 'nothing to fix'}", "bold")]


def to_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """As ``pefomed doctor --json`` prints them."""
    return {"ready": not is_broken(findings), "findings": [vars(finding) for finding in findings]}
