"""What every reader shares: recognising a layout, collecting problems, and paths that may not leave their root.

A reader file holds one data set: its layouts and a function for each that turns rows into samples. It opens text
files, never images, and imports no torch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Callable

from ..errors import DataError, quoted
from ..records import Sample
from .image_tree import ImageTree


@dataclass(frozen=True)
class Skip:
    """A row that became no sample; shown and counted, never silent."""

    where: str
    """File and record: ``train.json, qid 1622``."""
    reason: str
    """The same words for every row skipped for the same cause, so that they can be counted."""


@dataclass
class Release:
    """A data set as it was found on disk."""

    dataset: str
    layout: str
    """Name of the recognised layout, shown to the user."""
    image_root: Path
    """``Sample.images`` are relative to it."""
    samples: list[Sample] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Mistakes that stop the reading, one line each with file, record and remedy; ``finish`` raises them together."""
    notes: Counter[str] = field(default_factory=Counter)
    """What was left out of records that did become samples, in words, and how often."""
    files: list[Path] = field(default_factory=list)
    """The text files that were read, for the manifest."""
    holds_every_image: bool = False
    """The packaging comes with all of its images, so that one that is missing is an error."""
    _places: list[str] = field(default_factory=list, repr=False, compare=False)
    """Of the samples that came by ``add``."""
    _tree: ImageTree | None = field(default=None, repr=False, compare=False)
    """While it is read."""

    @property
    def tree(self) -> ImageTree:
        """What is below the image root, as found since the reading began."""
        if self._tree is None or self._tree.root != self.image_root:
            self._tree = ImageTree(self.image_root)
        return self._tree

    def add(self, sample: Sample, where: str) -> None:
        """Add a sample, and note its place (file and record) for the message should its id occur again."""
        self.samples.append(sample)
        self._places.append(where)

    @property
    def places(self) -> list[str]:
        """File and record of each sample; empty where they did not come by ``add``."""
        return list(self._places) if len(self._places) == len(self.samples) else []

    def skip(self, where: str, reason: str) -> None:
        """Record a row that yields no sample."""
        self.skips.append(Skip(where, reason))

    def finish(self) -> Release:
        """Check what no single row can show (duplicate ids) and raise every problem at once.

        Raises:
            DataError: with one line for each problem.
        """
        self._tree = None
        seen: dict[str, str] = {}
        is_placed = len(self._places) == len(self.samples)
        for number, sample in enumerate(self.samples):
            place = self._places[number] if is_placed else f"split {sample.split}, sample {number}"
            if sample.id in seen:
                both = f"{seen[sample.id]} and {place}"
                self.problems.append(
                    f"id {quoted(sample.id, limit=120)} occurs twice, in {both}: delete or rename one of them"
                )
            seen[sample.id] = place
        if self.problems:
            raise DataError(
                f"{self.dataset}: {len(self.problems)} problem(s) in the {self.layout} layout", self.problems
            )
        return self

    def splits(self) -> dict[str, list[Sample]]:
        """Samples by split, in file order."""
        by_split: dict[str, list[Sample]] = {}
        for sample in self.samples:
            by_split.setdefault(sample.split, []).append(sample)
        return by_split


@dataclass(frozen=True)
class Layout:
    """One way in which a data set is found on disk."""

    name: str
    """Shown to the user and written to the manifest."""
    looks_for: tuple[str, ...]
    """Patterns below the folder (see ``find``); the layout is there when each matches at least one file."""
    read: Callable[..., Release]
    """``read(root, **options)``."""
    unless: tuple[str, ...] = ()
    """Patterns that rule the layout out (they belong to another, more specific one)."""

    def present(self, root: Path) -> bool:
        """Whether ``root`` holds this layout."""
        return all(_any(root, pattern) for pattern in self.looks_for) and not any(
            _any(root, pattern) for pattern in self.unless
        )


def recognise(dataset: str, layouts: Sequence[Layout], root: Path) -> Layout:
    """The one layout that ``root`` holds.

    Raises:
        DataError: the folder does not exist, holds none of the layouts (every one is listed with the files it was
            recognised by) or more than one.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(
            f"{dataset}: no folder {root}; correct what you gave, or set PEFOMED_DATA to the folder that holds it"
        )
    found = [layout for layout in layouts if layout.present(root)]
    if len(found) == 1:
        return found[0]
    if not found:
        wanted = [f"{layout.name}: {', '.join(layout.looks_for)}" for layout in layouts]
        below = [folder for folder in _folders_of(root) if any(layout.present(folder) for layout in layouts)]
        hint = f"; {' and '.join(map(str, below[:3]))} does: name that folder" if below else ""
        raise DataError(f"{dataset}: {root} holds none of the known layouts{hint}; looked for", wanted)
    raise DataError(
        f"{dataset}: {root} holds {len(found)} layouts; keep one of them in this folder",
        [f"{layout.name}: {', '.join(layout.looks_for)}" for layout in found],
    )


def _folders_of(root: Path) -> list[Path]:
    """Folders in which a release may lie, one below the one that was named."""
    try:
        return sorted(path for path in islice(root.iterdir(), 1_000) if path.is_dir())[:50]
    except OSError:
        return []


def require(row: Any, keys: Iterable[str], where: str, problems: list[str]) -> bool:
    """Whether ``row`` is an object that has all ``keys``; otherwise one problem, naming the missing ones."""
    if not isinstance(row, Mapping):
        problems.append(f"{where}: expected an object, found {type(row).__name__}")
        return False
    missing = [key for key in keys if key not in row]
    if missing:
        problems.append(f"{where}: missing {', '.join(missing)}; compare with the original release")
    return not missing


def find(root: Path, pattern: str) -> list[Path]:
    """What matches a glob pattern below ``root``, in sorted order; ``{train,val}.csv`` stands for alternatives."""
    return sorted({path for alternative in _alternatives(pattern) for path in Path(root).glob(alternative)})


def _any(root: Path, pattern: str) -> bool:
    return any(next(iter(root.glob(alternative)), None) is not None for alternative in _alternatives(pattern))


def _alternatives(pattern: str) -> list[str]:
    head, brace, rest = pattern.partition("{")
    if not brace:
        return [pattern]
    choices, _, tail = rest.partition("}")
    return [head + choice + after for choice in choices.split(",") for after in _alternatives(tail)]
