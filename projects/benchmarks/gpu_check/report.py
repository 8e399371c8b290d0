"""Lines of PASS, FAIL and INFO, kept as JSON, and the block of Markdown that goes into ``docs/speed.md``."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

PASS, FAIL, INFO = "PASS", "FAIL", "INFO"


@dataclass(frozen=True)
class Finding:
    """One line."""

    section: str
    verdict: str
    what: str
    numbers: dict[str, Any]

    def __str__(self) -> str:
        shown = ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in self.numbers.items())
        return f"{self.verdict:4} {self.section:7} {self.what}{f': {shown}' if shown else ''}"


@dataclass
class Report:
    """What was found so far. The file is written after every section, so that a run that is cut keeps what it has."""

    path: Path
    findings: list[Finding] = field(default_factory=list)
    section: str = ""

    def info(self, what: str, **numbers: Any) -> None:
        """Something to be known."""
        self._add(INFO, what, numbers)

    def verdict(self, good: bool, what: str, **numbers: Any) -> None:
        """Something that is right or wrong."""
        self._add(PASS if good else FAIL, what, numbers)

    def _add(self, verdict: str, what: str, numbers: dict[str, Any]) -> None:
        self.findings.append(Finding(self.section, verdict, what, numbers))
        print(self.findings[-1], flush=True)

    @property
    def failed(self) -> int:
        """How many verdicts are FAIL."""
        return sum(finding.verdict == FAIL for finding in self.findings)

    def write(self) -> None:
        """The findings as JSON."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps([asdict(finding) for finding in self.findings], indent=1, default=str))


def markdown(findings: Sequence[Finding]) -> list[str]:
    """The block for ``docs/speed.md``: where it ran, then a row a finding."""
    versions = next((each.numbers for each in findings if each.what == "versions"), {})
    card = next((each.what for each in findings if "GiB" in each.numbers), platform.processor())
    software = ", ".join(f"{name} {value}" for name, value in versions.items())
    rows = [each for each in findings if each.section != "env" and each.what != "took"]
    return [
        f"`python -m projects.benchmarks.gpu_check` on one {card}, {date.today():%d %B %Y}: {software}.",
        "",
        "| section | | what | figures |",
        "|---|---|---|---|",
        *(
            f"| {each.section} | {each.verdict if each.verdict != INFO else ''} | {each.what} | "
            + ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in each.numbers.items())
            + " |"
            for each in rows
        ),
    ]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
