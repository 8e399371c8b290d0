"""What other packages add through entry points, and whether it can be imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import PluginError
from ..plugins import Extended, find_added
from ..readers import READERS
from ..scoring import SCORERS
from .findings import OK, WARNING, Finding


def check_plugins() -> list[Finding]:
    """One finding for each reader, scorer and task of another package; none where there are none."""
    findings: list[Finding] = []
    known: Mapping[str, Mapping[str, Any]] = {"reader": READERS, "scorer": SCORERS, "task": Extended("task", {})}
    for kind, things in known.items():
        for each in find_added(kind):
            what = f"{kind} {each.name}"
            try:
                things[each.name]
            except PluginError as error:
                findings.append(Finding("plugins", what, WARNING, error.summary, "docs/extending.md"))
            else:
                findings.append(Finding("plugins", what, OK, f"of {each.package}"))
    return findings
