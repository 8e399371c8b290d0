"""What other packages add through entry points, and whether it can be imported."""

from typing import Any, List, Mapping

from ..errors import PluginError
from ..plugins import Extended, find_added
from ..readers import READERS
from ..scoring import SCORERS
from .findings import OK, WARNING, Finding


def check_plugins() -> List[Finding]:
    """One finding for each reader, scorer and task of another package; none where there are none."""
    findings: List[Finding] = []
    known: Mapping[str, Mapping[str, Any]] = {"reader": READERS, "scorer": SCORERS, "task": Extended("task", {})}
    for kind, things in known.items():
        for each in find_added(kind):
            what = "{} {}".format(kind, each.name)
            try:
                things[each.name]
            except PluginError as error:
                findings.append(Finding("plugins", what, WARNING, error.summary, "docs/extending.md"))
            else:
                findings.append(Finding("plugins", what, OK, "of {}".format(each.package)))
    return findings
