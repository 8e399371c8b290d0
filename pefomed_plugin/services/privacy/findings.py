"""What was found, where, how grave it is, and how it is shown: masked, never whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

HIGH, MEDIUM, LOW = "high", "medium", "low"


@dataclass(frozen=True)
class Kind:
    """One kind of health information that identifies."""

    name: str
    severity: str
    words: str
    """What it is, for people."""

    @property
    def placeholder(self) -> str:
        """What stands in its place in a cleaned text."""
        return f"[{self.name.upper().replace(' ', '_')}]"


_ALL = (
    Kind("name", HIGH, "a person's name"),
    Kind("id", HIGH, "of a patient, a case, an insurance"),
    Kind("email", HIGH, "an e-mail address"),
    Kind("phone", HIGH, "a telephone or fax number"),
    Kind("address", HIGH, "street and number, town by its code"),
    Kind("network", MEDIUM, "an IP address"),
    Kind("date", MEDIUM, "a day, or a month of a year"),
    Kind("age", MEDIUM, "an age above 89"),
    Kind("institution", MEDIUM, "a hospital or practice by name"),
    Kind("private", MEDIUM, "a private DICOM attribute"),
    Kind("graphics", MEDIUM, "an overlay or a curve"),
    Kind("burned in", HIGH, "text within an image"),
    Kind("number", LOW, "seven or more digits by themselves"),
    Kind("uid", LOW, "leads to a study in the archive"),
    Kind("description", LOW, "what the profile takes out besides"),
)
KINDS = {kind.name: kind for kind in _ALL}
PLACEHOLDERS = frozenset(kind.placeholder for kind in _ALL)


@dataclass(frozen=True)
class Finding:
    """One place that holds something which identifies."""

    file: str
    """Relative to what was scanned."""
    place: str
    """Tag, line and column, cell; ``file name`` for the name itself."""
    kind: str
    """A key of ``KINDS``."""
    excerpt: str
    """Masked."""

    @property
    def severity(self) -> str:
        """Of its kind."""
        return KINDS[self.kind].severity


@dataclass
class Scan:
    """What a scan found, and what it did not look at."""

    findings: list[Finding] = field(default_factory=list)
    files: Counter = field(default_factory=Counter)
    """How a file was read -> how many."""
    not_looked_at: dict[str, list[str]] = field(default_factory=dict)
    """Why -> names of files."""
    unread: list[str] = field(default_factory=list)
    """``file: why`` of files that could not be read."""
    notes: dict[str, int] = field(default_factory=dict)
    """What else has to be said -> of how many files."""
    marks: int = 0
    """Places at which something was taken out before (``___``, ``[NAME]``), shifted dates among them."""
    interrupted_after: int | None = None
    """Files that were read when the user stopped it."""
    told: int = 0
    """The signal by which."""

    def note(self, text: str) -> None:
        """Say something about one more file."""
        self.notes[text] = self.notes.get(text, 0) + 1

    def counts(self) -> list[tuple[str, int, int]]:
        """(kind, findings, files), the gravest first."""
        numbers = Counter(finding.kind for finding in self.findings)
        files = {kind: len({finding.file for finding in self.findings if finding.kind == kind}) for kind in numbers}
        return [(kind, numbers[kind], files[kind]) for kind in KINDS if numbers[kind]]


def mask(value: str) -> str:
    """A value that cannot be told from what is left: its first letter or digit, and stars for at most seven more."""
    value = " ".join(value.split())
    if len(value) < 4:
        return "*" * len(value)
    return value[0] + "*" * min(len(value) - 1, 7)
