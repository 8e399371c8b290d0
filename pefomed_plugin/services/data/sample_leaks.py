"""What training has of each sample of a held-out split: the findings of ``leakage``, sample by sample."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Callable

from ...provenance import samples_sha256
from ...readers import Release
from ...readers.prepared import FINGERPRINTS, is_prepared
from ...records import Sample
from ...scoring.leaks import FINDINGS, LEAKS, SampleLeaks, TrainingFacts, read_leaks, samples_digest, write_leaks
from ..console import progress
from ..images.fingerprints import Fingerprint, fingerprint_images, read_fingerprints
from .leakage import contents_of, plain_question


def examine_leaks(held_out: Sequence[Sample], release: Release, data: Path, *, open_images: bool = True) -> SampleLeaks:
    """What the training split of ``release`` has of each of ``held_out``.

    Args:
        held_out: of one split, at least one.
        release: read from ``data``, with a training split.
        data: where fingerprints of the images lie if the data were prepared; else the images are opened.

    Raises:
        DataError: the fingerprints are of another version.
    """
    train = release.splits()["train"]
    known = _prepared_fingerprints(data)
    images = {image for sample in (*train, *held_out) for image in sample.images}
    missing = sorted(images - known.keys())
    if open_images and missing:
        with progress(f"{release.dataset}: images", len(missing)) as advance:
            known = {**known, **fingerprint_images(release.image_root, missing, progress=advance)}
    return find_sample_leaks(held_out, train, {image: known[image] for image in images & known.keys()})


def note_leaks(folder: Path, held_out: Sequence[Sample], train: Sequence[Sample], data: Path | None) -> str:
    """Write ``leaks.json`` beside answers where the training split is at hand, without opening an image.

    What is there already stays where it is of the same samples and training split and was found by opening images.

    Args:
        held_out: the samples that were answered, of one split.
        train: empty: nothing is written.
        data: where both come from, whose images are known if it is a prepared folder; None: not known.

    Returns:
        What was found, in a sentence for the user.
    """
    if not train:
        return f"no training split at hand: what training has of these samples is not examined ({LEAKS} is not written)"
    there = read_leaks(folder)
    about = (samples_digest(held_out), samples_sha256(train))
    if there and there.training.images_opened and about == (there.samples_sha256, there.training.sha256):
        return f"{leaks_in_words(there)} ({LEAKS} of before)"
    leaks = find_sample_leaks(held_out, train, _prepared_fingerprints(data) if data else {})
    write_leaks(folder, leaks)
    return leaks_in_words(leaks)


def leaks_in_words(leaks: SampleLeaks) -> str:
    """``in training: framed twin of 284, ... of 451 samples``, with what is not known."""
    counts = {FINDINGS[name][1]: len(ids) for name, ids in leaks.found.items() if ids}
    found = ", ".join(f"{word} of {count:,}" for word, count in counts.items()) or "nothing found"
    unknown = max(map(len, leaks.unknown.values()), default=0)
    hint = (
        f"; not told of up to {unknown:,}, whose images were not opened (pefomed leaks opens them)" if unknown else ""
    )
    return f"of {leaks.n:,} samples training has: {found}{hint}"


def _prepared_fingerprints(data: Path) -> dict[str, Fingerprint]:
    """Of the images of a prepared folder; of anything else none."""
    path = data / FINGERPRINTS
    return read_fingerprints(path) if is_prepared(data) and path.is_file() else {}


def find_sample_leaks(
    held_out: Sequence[Sample], train: Sequence[Sample], fingerprints: Mapping[str, Fingerprint]
) -> SampleLeaks:
    """What training has of each sample, in one pass over both.

    Images are the same where their names or contents are. That they are not is only known where every image was opened;
    else it is not told.

    Args:
        held_out: of one split, at least one.
        train: at least one.
        fingerprints: of the images of both; empty: none was opened.
    """
    training = _Training(train, fingerprints)
    framed = {sample.metadata["frame_of"] for sample in train if "frame_of" in sample.metadata}
    is_asked = any(sample.question for sample in held_out)
    findings: dict[str, Sequence[bool | None] | str] = {
        "twin": [sample.id in framed for sample in held_out] if framed else "training holds no framed questions",
        "question_in_training": list(map(training.asks, held_out)) if is_asked else "nothing is asked",
        "image_in_training": [_any(training.has, sample.images) for sample in held_out],
        "near_duplicate": [_any(training.has_alike, sample.images) for sample in held_out]
        if fingerprints
        else "no image was opened",
        "study_in_training": _shared(held_out, train, "study"),
        "patient_in_training": _shared(held_out, train, "subject"),
    }
    return SampleLeaks.of(held_out, TrainingFacts(len(train), samples_sha256(train), bool(fingerprints)), findings)


class _Training:
    """Images and questions of a training split; what cannot be told of one is None."""

    def __init__(self, train: Sequence[Sample], fingerprints: Mapping[str, Fingerprint]) -> None:
        self._fingerprints = fingerprints
        self._names = {image for sample in train for image in sample.images}
        seen = {image: fingerprints[image] for image in self._names if image in fingerprints}
        self._digests = {known.sha256 for known in seen.values() if known.sha256}
        self._looks = {known.dhash for known in seen.values() if known.dhash}
        self._all_opened = all(image in seen and seen[image].sha256 for image in self._names)
        self._asked: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        """Plain question -> names and contents of the images that it is asked of."""
        for sample in train:
            if sample.question:
                self._asked[plain_question(sample.question)] |= {sample.images, contents_of(sample, fingerprints)}

    def has(self, image: str) -> bool | None:
        """Whether the image is there, under this name or another."""
        found = self._fingerprints.get(image)
        if image in self._names or (found and found.sha256 in self._digests):
            return True
        return False if self._all_opened and found and found.sha256 else None

    def has_alike(self, image: str) -> bool | None:
        """Whether another image is there that looks like it."""
        found, same = self._fingerprints.get(image), self.has(image)
        if same or found is None or same is None:
            return False if same else None
        return found.dhash in self._looks if found.dhash else False

    def asks(self, sample: Sample) -> bool | None:
        """Whether the question is asked there of the same images."""
        if not sample.question:
            return None
        about = self._asked.get(plain_question(sample.question), set())
        if sample.images in about or contents_of(sample, self._fingerprints) in about:
            return True
        is_certain = self._all_opened and all(image in self._fingerprints for image in sample.images)
        return False if is_certain or not about else None


def _any(of: Callable[[str], bool | None], images: Iterable[str]) -> bool | None:
    """True where it is true of one; None where it is not known of one."""
    found = [of(image) for image in images]
    return True if True in found else None if None in found else False


def _shared(held_out: Sequence[Sample], train: Sequence[Sample], key: str) -> Sequence[bool | None] | str:
    known = {str(sample.metadata[key]) for sample in train if key in sample.metadata}
    complete = all(key in sample.metadata for sample in train)
    if not known or not any(key in sample.metadata for sample in held_out):
        return f"the data do not say which {key} a sample is of"
    return [
        None
        if key not in sample.metadata
        else True
        if str(sample.metadata[key]) in known
        else (False if complete else None)
        for sample in held_out
    ]
