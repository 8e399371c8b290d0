"""k folds of a data set whose test parts share no image, study or patient with their training parts. Writes nothing.

Groups are what holds together; whole groups go to the fold that lacks most of what they hold, the largest first, so
that the folds have the same size and the same shares of answer types as far as the groups allow.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from ...errors import DataError
from ...records import Sample
from ..images.fingerprints import Fingerprint

IMAGE, STUDY, PATIENT = "image", "study", "patient"
GROUPINGS: Mapping[str, tuple[str, ...]] = {IMAGE: (), STUDY: ("study",), PATIENT: ("study", "subject")}
"""What groups are made by -> the metadata that hold samples together, beside their images."""
_NEEDED = {STUDY: "study", PATIENT: "subject"}


@dataclass(frozen=True)
class Fold:
    """One of k ways to part a data set."""

    number: int
    """From 1."""
    train: Sequence[Sample]
    test: Sequence[Sample]
    groups: int
    """Of its test part."""


def make_folds(
    samples: Sequence[Sample], k: int, by: str, seed: int, fingerprints: Mapping[str, Fingerprint]
) -> list[Fold]:
    """Part all samples, of whatever split, k times: every sample is tested once and trained on k - 1 times.

    A sample that restates another one (``frame_of``: VQA-RAD) is trained on and not tested.

    Args:
        by: ``IMAGE``, ``STUDY`` or ``PATIENT``; a patient's studies and a study's images stay together.
        seed: of the order in which groups of one size are dealt out.
        fingerprints: of images that were opened: equal ones, and those that look alike, are one.

    Raises:
        DataError: samples that do not say their study or patient, or fewer groups than folds.
    """
    needed = _NEEDED.get(by)
    without = [sample.id for sample in samples if needed and needed not in sample.metadata]
    if without:
        raise DataError(
            f"cannot group by {by}: {len(without):,} of {len(samples):,} samples do not say theirs (metadata "
            f"{needed!r}); group by another, or leave these samples out of the data",
            without,
        )
    groups = group_samples(samples, GROUPINGS[by], fingerprints)
    tested = [sample for sample in samples if "frame_of" not in sample.metadata]
    kinds = {sample.id: sample.answer_type or sample.task for sample in tested}
    held: dict[int, Counter[str]] = defaultdict(Counter)
    for sample, group in zip(samples, groups):
        if sample.id in kinds:
            held[group][kinds[sample.id]] += 1
    if len(held) < k:
        raise DataError(f"{len(held)} group(s) by {by} cannot make {k} folds; choose a smaller -k")
    fold_of = deal_out(held, k, seed)
    folds = []
    for number in range(k):
        inside = [fold_of.get(group) == number for group in groups]
        test = [sample for sample, is_in in zip(samples, inside) if is_in and sample.id in kinds]
        train = [sample for sample, is_in in zip(samples, inside) if not is_in]
        count = sum(fold == number for fold in fold_of.values())
        folds.append(Fold(number + 1, _as_split(train, "train"), _as_split(test, "test"), count))
    return folds


def group_samples(samples: Sequence[Sample], keys: Sequence[str], fingerprints: Mapping[str, Fingerprint]) -> list[int]:
    """The group of each sample: samples are of one where a chain of shared images or metadata leads from one to the
    other."""
    leader: dict[Hashable, Hashable] = {}

    def find(node: Hashable) -> Hashable:
        root = node
        while leader.setdefault(root, root) != root:
            root = leader[root]
        while leader[node] != root:
            leader[node], node = root, leader[node]
        return root

    def tell(sample: Sample) -> Iterable[Hashable]:
        for image in sample.images:
            yield "image", image
            known = fingerprints.get(image)
            if known and known.sha256:
                yield "content", known.sha256
            if known and known.dhash:
                yield "looks", known.dhash
        for key in keys:
            if key in sample.metadata:
                yield key, str(sample.metadata[key])

    nodes = [list(tell(sample)) for sample in samples]
    for held in nodes:
        for node in held[1:]:
            leader[find(node)] = find(held[0])
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(find(held[0]), len(numbers)) for held in nodes]


def deal_out(held: Mapping[int, Counter[str]], k: int, seed: int) -> dict[int, int]:
    """Group -> fold, from 0. The largest first, each to the fold that has least of its kinds, weighed by how rare they
    are."""
    totals: Counter[str] = Counter()
    for kinds in held.values():
        totals.update(kinds)
    whole = sum(totals.values())
    order = sorted(held)
    Random(f"folds {seed}").shuffle(order)
    order.sort(key=lambda group: -sum(held[group].values()))
    have: list[Counter[str]] = [Counter() for _ in range(k)]
    fold_of = {}
    for group in order:
        kinds, size = held[group], sum(held[group].values())

        def cost(fold: int, kinds: Counter[str] = kinds, size: int = size) -> float:
            shares = sum(have[fold][kind] * n / totals[kind] ** 2 for kind, n in kinds.items())
            return shares + sum(have[fold].values()) * size / whole**2

        chosen = min(range(k), key=lambda fold: (cost(fold), fold))
        have[chosen].update(kinds)
        fold_of[group] = chosen
    return fold_of


def _as_split(samples: Iterable[Sample], split: str) -> list[Sample]:
    return [sample if sample.split == split else replace(sample, split=split) for sample in samples]
