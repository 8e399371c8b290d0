"""What a data set holds twice, and what of its held-out splits a model has seen in training. Pure functions of samples
and fingerprints; opens nothing.

They are reported and left in: figures published for VQA-RAD, for one, are figures with its leaks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Callable

from ...records import SPLITS, Sample
from ..images.fingerprints import Fingerprint

_EXAMPLES = 5
_HASH_BITS = 64


@dataclass(frozen=True)
class Leak:
    """Samples or images counted that occur again, or in training as well; with a few of the cases."""

    what: str
    count: int
    of: int
    """Out of how many."""
    examples: tuple[str, ...] = ()
    """Ids of samples or names of images."""


def find_repetitions(samples: Sequence[Sample], fingerprints: Mapping[str, Fingerprint]) -> list[Leak]:
    """Samples and images that occur more than once; each count is of those beyond the first.

    Returns:
        equal image, question and answer for each split; image files of equal content; images that look alike though
        their files differ. Without fingerprints the samples only.
    """
    findings = []
    for split in SPLITS:
        inside = [sample for sample in samples if sample.split == split]
        if inside:
            findings.append(
                _surplus(
                    f"{split}: image, question and answer again",
                    (
                        ((contents_of(sample, fingerprints), sample.question, sample.answer), sample.id)
                        for sample in inside
                    ),
                )
            )
    if fingerprints:
        findings.append(_surplus("image files of equal content", _keyed(fingerprints, "sha256")))
        distinct = {fingerprint.sha256: name for name, fingerprint in fingerprints.items()}
        findings.append(
            _surplus(
                "different files that look alike",
                _keyed({name: fingerprints[name] for name in distinct.values()}, "dhash"),
            )
        )
    return findings


def find_leaks(samples: Sequence[Sample], fingerprints: Mapping[str, Fingerprint]) -> list[Leak]:
    """For each held-out split, what of it is in train as well.

    Returns:
        findings for images (by name or content), images that look alike, studies, questions about the same image
        (case and blanks ignored), whole samples, and questions whose framed version (same image, same answer:
        VQA-RAD) is in train. Those for which a data set has no material are left out.
    """
    findings = []
    train = [sample for sample in samples if sample.split == "train"]
    for split in ("val", "test"):
        held_out = [sample for sample in samples if sample.split == split]
        if train and held_out:
            findings += [leak for leak in _leaks(split, held_out, train, fingerprints) if leak.of]
    return findings


def find_images_left_out(samples: Sequence[Sample], left_out: Sequence[Sample]) -> list[Leak]:
    """Images of held-out splits in training rows that were left out: training on those as well would leak them."""
    images = {image for sample in left_out if sample.split == "train" for image in sample.images}
    findings = [
        _seen(
            f"{split}: images in training rows left out",
            {image: image for sample in samples if sample.split == split for image in sample.images},
            images,
        )
        for split in ("val", "test")
    ]
    return [finding for finding in findings if finding.count]


def find_shared_images(
    train: Mapping[str, Fingerprint], test: Mapping[str, Fingerprint], what: str, distance: int = 0
) -> Leak:
    """Images of one data set's test split that look like images that another one trains on.

    Args:
        distance: how many of the 64 bits of the perceptual hash may differ.
    """
    shared = alike(
        {name: found.dhash for name, found in test.items() if found.dhash},
        {found.dhash for found in train.values() if found.dhash},
        distance,
    )
    return Leak(what, len(shared), len(test), tuple(sorted(shared)[:_EXAMPLES]))


def alike(hashes: Mapping[str, str], others: Collection[str], distance: int) -> set[str]:
    """Names whose hash differs from one of ``others`` in at most ``distance`` bits.

    Two hashes that differ in no more bits than that agree in at least one of ``distance + 1`` pieces, so only hashes
    that share a piece are compared.

    Raises:
        ValueError: ``distance`` is not within 0 to 63.
    """
    if not 0 <= distance < _HASH_BITS:
        raise ValueError(f"distance must be 0 to 63, not {distance}")
    by_piece: dict[tuple[int, int], set[int]] = defaultdict(set)
    for other in (int(digest, 16) for digest in others):
        for piece in _pieces(other, distance + 1):
            by_piece[piece].add(other)
    return {
        name
        for name, digest in hashes.items()
        if any(
            bin(int(digest, 16) ^ other).count("1") <= distance
            for piece in _pieces(int(digest, 16), distance + 1)
            for other in by_piece.get(piece, ())
        )
    }


def _pieces(value: int, count: int) -> list[tuple[int, int]]:
    edges = [_HASH_BITS * number // count for number in range(count + 1)]
    return [(low, value >> low & (1 << high - low) - 1) for low, high in zip(edges, edges[1:])]


def _leaks(
    split: str, held_out: Sequence[Sample], train: Sequence[Sample], fingerprints: Mapping[str, Fingerprint]
) -> Iterable[Leak]:
    def contents(sample: Sample) -> tuple[str, ...]:
        return contents_of(sample, fingerprints)

    def looks(image: str) -> str | None:
        known = fingerprints.get(image)
        return known.dhash if known else None

    def compare(what: str, unit: Callable[[Sample], str], key: Callable[[Sample], Hashable]) -> Leak:
        """``unit`` is what is counted, ``key`` what must occur in train; None takes no part."""
        keys = {unit(sample): key(sample) for sample in held_out if key(sample) is not None}
        return _seen(f"{split}: {what} in train", keys, {key(sample) for sample in train})

    def question(sample: Sample) -> tuple[tuple[str, ...], str] | None:
        return (contents(sample), plain_question(sample.question)) if sample.question else None

    def compare_images(what: str, key: Callable[[str], Hashable]) -> Leak:
        keys = {image: key(image) for sample in held_out for image in sample.images if key(image) is not None}
        return _seen(f"{split}: {what} in train", keys, {key(image) for sample in train for image in sample.images})

    yield compare_images("images", lambda image: _content(image, fingerprints))
    yield compare_images("images that look like one", looks)
    yield compare(
        "studies", lambda sample: str(sample.metadata.get("study")), lambda sample: sample.metadata.get("study")
    )
    yield compare(
        "patients", lambda sample: str(sample.metadata.get("subject")), lambda sample: sample.metadata.get("subject")
    )
    yield compare("image and question", lambda sample: sample.id, question)
    yield compare(
        "image, question and answer",
        lambda sample: sample.id,
        lambda sample: (contents(sample), sample.question, sample.answer) if sample.question else None,
    )
    framed = {sample.metadata["frame_of"] for sample in train if "frame_of" in sample.metadata}
    if framed:
        yield _seen(
            f"{split}: framed version of the question in train", {sample.id: sample.id for sample in held_out}, framed
        )


def plain_question(text: str) -> str:
    """A question with case and blanks evened out."""
    return " ".join(text.casefold().split())


def contents_of(sample: Sample, fingerprints: Mapping[str, Fingerprint]) -> tuple[str, ...]:
    """What tells the images of a sample apart from others."""
    return tuple(_content(image, fingerprints) for image in sample.images)


def _content(image: str, fingerprints: Mapping[str, Fingerprint]) -> str:
    """What tells images apart: their content, or their names where they were not opened."""
    known = fingerprints.get(image)
    return (known.sha256 if known else None) or image


def _seen(what: str, keys: Mapping[str, Hashable], in_train: Collection[Hashable]) -> Leak:
    shared = [unit for unit, key in keys.items() if key in in_train]
    return Leak(what, len(shared), len(keys), tuple(shared[:_EXAMPLES]))


def _surplus(what: str, pairs: Iterable[tuple[Hashable, str]]) -> Leak:
    """How many of the pairs have a key that an earlier one has."""
    seen: set[Hashable] = set()
    examples: list[str] = []
    count = again = 0
    for key, name in pairs:
        count += 1
        if key in seen:
            again += 1
            examples += [name] if again <= _EXAMPLES else []
        seen.add(key)
    return Leak(what, again, count, tuple(examples))


def _keyed(fingerprints: Mapping[str, Fingerprint], name: str) -> list[tuple[Hashable, str]]:
    return [
        (getattr(fingerprint, name), image) for image, fingerprint in fingerprints.items() if getattr(fingerprint, name)
    ]
