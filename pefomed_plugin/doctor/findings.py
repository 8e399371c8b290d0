"""One finding of the check-up: what was looked at, what is so, and what mends it. Looks at nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import PefomedError

OK, NOTE, WARNING, ERROR = "ok", "note", "warning", "error"
"""``note``: something optional that is not there. ``warning``: it runs, but not as the paper, or not for long.
``error``: it will not run."""
AREAS = ("toolkit", "machine", "services", "plugins", "configuration", "weights", "data", "disk")


@dataclass(frozen=True)
class Finding:
    """One line of the check-up."""

    area: str
    """One of ``AREAS``."""
    what: str
    """What was looked at: ``GPU 0``, ``PEFOMED_LLAMA``, ``data set vqa_rad``."""
    state: str
    """``ok``, ``note``, ``warning`` or ``error``."""
    found: str
    """What is so. Never a secret."""
    mend: str = ""
    """The command, or the page, that mends it."""


def from_error(area: str, what: str, error: PefomedError, mend: str = "") -> list[Finding]:
    """An error that was raised, as one finding for each of its problems."""
    return [Finding(area, what, ERROR, each, mend) for each in error.problems or (str(error),)]


def is_broken(findings: Iterable[Finding]) -> bool:
    """Whether something that is needed does not work."""
    return any(finding.state == ERROR for finding in findings)
