"""What other packages add through entry points, and whether it can be imported."""

from __future__ import annotations

from ..errors import PluginError
from ..plugins import Registry, find_entry_points
from ..readers import DATASETS
from ..scoring import SCORERS
from .findings import OK, WARNING, Finding


def check_plugins() -> list[Finding]:
    """One finding for each data set, scorer and task of another package; none where there are none."""
    findings: list[Finding] = []
    tasks: Registry[type] = Registry("task", object, {}, classes=True)  # its base class would load torch
    for registry in (DATASETS, SCORERS, tasks):
        for point in find_entry_points(registry.kind):
            what = f"{registry.kind} {point.name}"
            try:
                registry[point.name]
            except PluginError as error:
                findings.append(Finding("plugins", what, WARNING, error.summary, "docs/extending.md"))
            else:
                findings.append(Finding("plugins", what, OK, f"of {point.package}"))
    return findings
