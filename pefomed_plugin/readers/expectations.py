"""Figures that are known of a release (counts, disjointness), and whether a release that was read agrees.

Every data set declares its own; here are what they share. A mismatch is a failed check, never an exception. Looks at
samples and skips only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ..records import SPLITS, Sample
from .layouts import Release

ERROR = "E"
WARNING = "W"

Applies = Callable[[Release], bool]
Found = Callable[[Release], Any]


@dataclass(frozen=True)
class Expectation:
    """One figure of a release."""

    check: str
    """What is counted or asked, in words for the user."""
    severity: str
    """``E``: the data are not what the paper used; ``W``: worth knowing."""
    expected: tuple[Any, ...]
    """Values that are right; copies of a release may differ."""
    found: Found
    """The same from what was read."""
    applies: Applies = lambda release: True
    """Whether this layout and these options can show it."""
    full: bool = True
    """Holds for the whole release only, not for a miniature of it."""


@dataclass(frozen=True)
class Check:
    """An expectation and what was found."""

    check: str
    severity: str
    expected: str
    found: str
    holds: bool


def check_release(expectations: Iterable[Expectation], release: Release, miniature: bool = False) -> list[Check]:
    """Every expectation that this release can show, in the order given.

    Args:
        miniature: the folder holds a sample in the layout of the release, so that only what does not depend on its
            size is asked.
    """
    asked = (expectation for expectation in expectations if not (miniature and expectation.full))
    return [
        Check(
            expectation.check,
            expectation.severity,
            " or ".join(map(_shown, expectation.expected)),
            _shown(found),
            found in expectation.expected,
        )
        for expectation in asked
        if expectation.applies(release)
        for found in [expectation.found(release)]
    ]


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " / ".join(map(_shown, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}"


def check_images(release: Release, usable: int, faults: Mapping[str, int]) -> Check:
    """Whether every image that samples name can be used; how bad it is when not depends on the release.

    Args:
        usable: distinct images that open.
        faults: cause -> distinct images, for the others.
    """
    total = usable + sum(faults.values())
    unforgivable = release.holds_every_image or any("HTML" in fault for fault in faults)
    return Check(
        "images that can be used", ERROR if unforgivable else WARNING, _shown(total), _shown(usable), usable == total
    )


def by_split(samples: Iterable[Sample]) -> tuple[int, ...]:
    """Samples by split, in the order of ``SPLITS``."""
    counts = Counter(sample.split for sample in samples)
    return tuple(counts[split] for split in SPLITS)


def kept(release: Release) -> tuple[int, ...]:
    """Samples by split."""
    return by_split(release.samples)


def rows_read(release: Release) -> int:
    """Samples and skipped rows."""
    return len(release.samples) + len(release.skips)


def distinct(key: Callable[[Sample], Hashable]) -> Found:
    """By split, how many different values there are."""

    def count(release: Release) -> tuple[int, ...]:
        values = {(sample.split, key(sample)) for sample in release.samples}
        counts = Counter(split for split, _ in values)
        return tuple(counts[split] for split in SPLITS)

    return count


def disjoint(key: Callable[[Sample], Hashable]) -> Found:
    """Whether no value occurs in two splits."""

    def ask(release: Release) -> bool:
        pairs = {(sample.split, key(sample)) for sample in release.samples}
        return len(pairs) == len({value for _, value in pairs})

    return ask


def images_of(sample: Sample) -> tuple[str, ...]:
    """Key of ``distinct`` and ``disjoint``: the images."""
    return sample.images


def metadata_of(name: str) -> Callable[[Sample], Hashable]:
    """Key of ``distinct`` and ``disjoint``: a value of the metadata."""
    return lambda sample: sample.metadata.get(name)


def in_layout(*beginnings: str) -> Applies:
    """Applies to layouts whose names begin so."""
    return lambda release: release.layout.startswith(beginnings)


def has_metadata(name: str) -> Applies:
    """Applies where a sample has that key in its metadata."""
    return lambda release: any(name in sample.metadata for sample in release.samples)
