"""The check-up for people: one line a finding, what mends it below, a count at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from ..services.console import print_line
from .findings import AREAS, ERROR, NOTE, OK, WARNING, Finding, is_broken

_STYLES = {OK: "green", NOTE: "dim", WARNING: "yellow", ERROR: "bold red"}


def show_findings(findings: Sequence[Finding]) -> None:
    """Print them by area; the state is a word, so that nothing depends on colour."""
    width = max(len(finding.what) for finding in findings)
    for area, group in groupby(sorted(findings, key=lambda each: AREAS.index(each.area)), key=lambda each: each.area):
        print_line()
        print_line(area, "bold")
        for each in group:
            line = f"  {each.state:<8}{each.what:<{width}}  "
            print_line(line + each.found, _STYLES[each.state])
            if each.mend and each.state != OK:
                print_line(" " * len(line) + "-> " + each.mend)
    counts = Counter(finding.state for finding in findings)
    said = [
        "{} {}{}".format(counts[state], state, "s" if counts[state] > 1 else "")
        for state in (ERROR, WARNING)
        if counts[state]
    ]
    print_line()
    print_line(
        "{}: {}".format("not ready" if is_broken(findings) else "ready", ", ".join(said) or "nothing to mend"), "bold"
    )


def to_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """As ``pefomed doctor --json`` prints them."""
    return {"ready": not is_broken(findings), "findings": [vars(finding) for finding in findings]}
