"""Lines of PASS, FAIL and INFO, kept as JSON, and the block of Markdown that goes into ``docs/speed.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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

    @property
    def figures(self) -> str:
        """The numbers with their names."""
        return ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in self.numbers.items())

    def __str__(self) -> str:
        return f"{self.verdict:4} {self.section:7} {self.what}{f': {self.figures}' if self.figures else ''}"


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


def markdown(findings: Sequence[Finding], card: str, versions: Mapping[str, Any]) -> list[str]:
    """The block for ``docs/speed.md``: where it ran, then a row a finding."""
    software = ", ".join(f"{name} {value}" for name, value in versions.items())
    rows = [finding for finding in findings if finding.section != "env" and finding.what != "took"]
    return [
        f"`python -m projects.benchmarks.gpu_check` on one {card}, {date.today():%d %B %Y}: {software}.",
        "",
        "| section | | what | figures |",
        "|---|---|---|---|",
        *(
            f"| {row.section} | {row.verdict if row.verdict != INFO else ''} | {row.what} | {row.figures} |"
            for row in rows
        ),
    ]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
