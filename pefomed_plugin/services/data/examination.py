"""The data set doctor: an account of what a release holds, what of it can be used and what a user should know.

Looks at samples and images; writes nothing but its memory of the images. What is done about it is up to ``prepare``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Callable

from ...errors import DataError
from ...origins import GENERATED, REAL
from ...readers import Release, Skip, describe
from ...readers.expectations import ERROR, Check, check_images, check_release
from ...readers.views import count_views
from ...records import SPLITS, Sample
from ..console import progress
from ..images.decoding import DEFAULT_POLICY, ImagePolicy
from ..images.fingerprints import Fingerprint, fingerprint_images
from .leakage import Leak, find_images_left_out, find_leaks, find_repetitions

_PROBLEMS_KEPT = 20


def count_words(text: str) -> int:
    """Words between blanks."""
    return len(text.split())


@dataclass(frozen=True)
class Examination:
    """How to look at a data set."""

    policy: ImagePolicy = DEFAULT_POLICY
    """What to do where an image leaves a choice."""
    open_images: bool = True
    """Open every image; without it, nothing is known of images but their names."""
    max_length: int = 50
    """Longer answers, reports and captions are counted; 50 words is where MiniGPT-4's ``blip_caption`` cuts."""
    measure: Callable[[str], int] = count_words
    """Length of a text: words, or a tokenizer's tokens."""
    workers: int = min(8, os.cpu_count() or 1)
    """Threads that open images."""


DEFAULT_EXAMINATION = Examination()


@dataclass(frozen=True)
class Lengths:
    """Lengths of the answers, reports or captions of one split."""

    split: str
    count: int
    median: float
    percentile_95: int
    """19 of 20 texts are no longer."""
    longest: int
    limit: int
    over_limit: int
    """Texts that the limit would cut."""


@dataclass(frozen=True)
class Account:
    """What the doctor found."""

    dataset: str
    layout: str
    options: Mapping[str, Any]
    """The reader's, as given."""
    origin: str
    """``origins.GENERATED``: a miniature, of which figures of the full release were not asked for; else ``REAL``."""
    kept: Mapping[str, int]
    """Samples by split."""
    skipped: Mapping[str, int]
    """Rows by reason, those with an unusable image among them."""
    verdicts: Sequence[Check]
    """What is known of the published release, and whether it holds here."""
    repetitions: Sequence[Leak]
    leaks: Sequence[Leak]
    lengths: Sequence[Lengths]
    images_truncated: int = 0
    """Used although a part was missing, as the policy allowed."""
    image_problems: Sequence[str] = field(default_factory=tuple)
    """Messages of the first unusable images, each with file and remedy."""
    notes: Mapping[str, int] = field(default_factory=dict)
    """What was left out of records that did become samples, in words, and how often."""
    views: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By split, where samples show several images: what they show, and how many."""
    tasks: Sequence[str] = ()
    """``Sample.task`` of its samples: data of one's own can be of any."""
    read_as: Sequence[str] = ()
    """How files that came in no layout of ours were read, a line each."""

    @property
    def mismatches(self) -> list[str]:
        """The broken expectations of severity E, one line each."""
        return [
            f"{check.check}: expected {check.expected}, found {check.found}"
            for check in self.verdicts
            if check.severity == ERROR and not check.holds
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary, for the manifest."""
        return asdict(self)


def examine(
    release: Release,
    examination: Examination = DEFAULT_EXAMINATION,
    *,
    options: Mapping[str, Any] | None = None,
    origin: str = REAL,
    cache: Path | None = None,
    whole: Release | None = None,
) -> tuple[Release, Account]:
    """What can be used of a release, and the account.

    Args:
        options: what the release was read with.
        cache: remembers the images between runs, see ``fingerprint_images``.
        whole: the same release read with every row, where ``release`` leaves some out that share images with it.

    Returns:
        the release without samples whose image cannot be used (they are among its skips), and what was found.

    Raises:
        DataError: nothing to look at: no samples, or not one image that can be used.
    """
    if not release.samples:
        raise DataError(
            f"{release.dataset}: no samples in the {release.layout} layout; {len(release.skips)} row(s) skipped"
        )
    verdicts = check_release(describe(release.dataset).expectations, release, origin == GENERATED)
    fingerprints: dict[str, Fingerprint] = {}
    usable = release
    if examination.open_images:
        fingerprints = _look_at_images(release, examination, cache)
        usable = _without_unusable(release, fingerprints)
        verdicts.append(_check_images(release, fingerprints))
    leaks = find_leaks(usable.samples, fingerprints)
    if whole is not None:
        taken = {sample.id for sample in release.samples}
        leaks += find_images_left_out(usable.samples, [sample for sample in whole.samples if sample.id not in taken])
    problems = [fingerprint.problem for fingerprint in fingerprints.values() if fingerprint.problem]
    return usable, Account(
        release.dataset,
        release.layout,
        dict(options or {}),
        origin,
        kept={split: len(samples) for split, samples in _in_order(usable).items()},
        skipped=dict(Counter(skip.reason for skip in usable.skips).most_common()),
        notes={what: count for what, count in release.notes.items() if count},
        views={split: views for split, samples in _in_order(usable).items() if (views := count_views(samples))},
        tasks=sorted({sample.task for sample in usable.samples}),
        verdicts=verdicts,
        repetitions=find_repetitions(usable.samples, fingerprints),
        leaks=leaks,
        lengths=[
            measure_lengths(split, [sample.answer for sample in samples], examination)
            for split, samples in _in_order(usable).items()
        ],
        images_truncated=sum(fingerprint.truncated for fingerprint in fingerprints.values()),
        image_problems=tuple(problems[:_PROBLEMS_KEPT]),
    )


def measure_lengths(split: str, texts: Sequence[str], examination: Examination) -> Lengths:
    """Statistics of the lengths of ``texts``, of which there must be some."""
    lengths = sorted(map(examination.measure, texts))
    rank = -(-19 * len(lengths) // 20)  # nearest rank: the smallest length that 95 % do not exceed
    return Lengths(
        split,
        len(lengths),
        median(lengths),
        lengths[rank - 1],
        lengths[-1],
        examination.max_length,
        sum(length > examination.max_length for length in lengths),
    )


def _in_order(release: Release) -> dict[str, list[Sample]]:
    splits = release.splits()
    return {split: splits[split] for split in SPLITS if split in splits}


def _look_at_images(release: Release, examination: Examination, cache: Path | None) -> dict[str, Fingerprint]:
    images = list(dict.fromkeys(image for sample in release.samples for image in sample.images))
    with progress(f"{release.dataset}, {release.layout} layout: images", len(images)) as advance:
        fingerprints = fingerprint_images(
            release.image_root, images, examination.policy, cache=cache, workers=examination.workers, progress=advance
        )
    problems = [fingerprint.problem for fingerprint in fingerprints.values() if fingerprint.problem]
    if len(problems) == len(images):
        raise DataError(
            f"{release.dataset}: none of {len(images):,} images below {release.image_root} can be used; put the images "
            "there, or look at the text alone (--no-images)",
            [*(f"{count:,} {what}" for what, count in release.notes.items() if count), *problems],
        )
    return fingerprints


def _without_unusable(release: Release, fingerprints: Mapping[str, Fingerprint]) -> Release:
    faulty = {
        sample.id: image for sample in release.samples for image in sample.images[::-1] if fingerprints[image].fault
    }
    good = [sample for sample in release.samples if sample.id not in faulty]
    bad = [Skip(f"{name}, image {image}", f"image: {fingerprints[image].fault}") for name, image in faulty.items()]
    return replace(release, samples=good, skips=[*release.skips, *bad])


def _check_images(release: Release, fingerprints: Mapping[str, Fingerprint]) -> Check:
    faults = Counter(fingerprint.fault for fingerprint in fingerprints.values() if fingerprint.fault)
    return check_images(release, len(fingerprints) - sum(faults.values()), faults)
