"""One unsplit file in training, validation and test: whole patients or studies, by a seed and nothing else.

Groups are put in the order of a digest of seed and group, and cut there: the same data and seed give the same splits,
whatever the order of the rows and the salt that patients' other names are made with.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...errors import ConfigError, DataError
from ...records import SPLITS, Sample
from ..data.folds import IMAGE, PATIENT, STUDY, group_samples
from .pseudonyms import Pseudonyms

RECORD = "record"
SPLIT_BY = (PATIENT, STUDY, IMAGE, RECORD)
_METADATA = {PATIENT: "subject", STUDY: "study"}
_SHARES = re.compile(r"\d{1,3}(/\d{1,3}){1,2}")
_ONE_FOR_ALL = ". If ids were taken out, and one stands for all patients, --split-by study"


@dataclass(frozen=True)
class Parting:
    """How to part unsplit records."""

    shares: Mapping[str, int]
    """Split -> share of the groups, of 100; a single one takes everything."""
    by: str
    seed: int


def read_shares(text: str) -> dict[str, int]:
    """``80/10/10`` (train, val, test), ``80/20`` (train, test), or the one split that takes everything (``test``).

    Raises:
        ConfigError: anything else.
    """
    if text in SPLITS:
        return {text: 100}
    numbers = [int(part) for part in text.split("/")] if _SHARES.fullmatch(text) else []
    if sum(numbers) != 100 or 0 in numbers:
        raise ConfigError(
            f"--split {text}: write shares that make 100, as 80/10/10 (train, val, test) or 80/20 (train, test), or "
            "the split that takes everything: train, val or test"
        )
    return dict(zip(SPLITS if len(numbers) == 3 else (SPLITS[0], SPLITS[-1]), numbers))


def part(
    samples: Sequence[Sample], places: Sequence[str], parting: Parting, pseudonyms: Pseudonyms | None = None
) -> tuple[list[Sample], list[str]]:
    """The samples, each in its split, and in words what went where.

    Args:
        places: file and record of each sample, for messages.
        pseudonyms: by which patients, studies and images got the names that samples have.

    Raises:
        DataError: samples that do not say their patient or study, or too few groups for the splits.
    """
    if len(parting.shares) == 1:
        only = next(iter(parting.shares))
        return [replace(sample, split=only) for sample in samples], [f"split: all {len(samples):,} records in {only}"]
    needed = _METADATA.get(parting.by)
    lacking = [place for sample, place in zip(samples, places) if needed and not sample.metadata.get(needed)]
    if lacking:
        raise DataError(
            f"cannot split by {parting.by}: {len(lacking):,} of {len(samples):,} records do not say theirs; fill it, "
            f"name its column (--map {parting.by}=COLUMN), or split by another",
            [f"{place}: no {parting.by}" for place in lacking],
        )
    if parting.by == RECORD:
        groups = list(range(len(samples)))
    else:  # a patient's studies stay together, and so do records that show one image
        keys = ("subject", "study") if parting.by == PATIENT else ("study",) if parting.by == STUDY else ()
        groups = group_samples(samples, keys, {})
    names = _names_of(samples, groups, needed, pseudonyms)
    order = sorted(names, key=lambda group: _digest(parting.seed, names[group]))
    counts = _counts(len(order), parting)
    cut: dict[int, str] = {}
    for split, count in counts.items():
        cut.update(dict.fromkeys(order[len(cut) : len(cut) + count], split))
    parted = [replace(sample, split=cut[group]) for sample, group in zip(samples, groups)]
    told = ", ".join(
        f"{split} {sum(sample.split == split for sample in parted):,} records of {count:,} {_plural(parting.by, count)}"
        for split, count in counts.items()
    )
    shares = "/".join(map(str, parting.shares.values()))
    return parted, [f"split {shares} by {parting.by}, seed {parting.seed}: {told}"]


def _names_of(
    samples: Sequence[Sample], groups: Sequence[int], needed: str | None, pseudonyms: Pseudonyms | None
) -> dict[int, str]:
    """Group -> what it is called whatever the order of the rows and the salt: the first of its patients, studies,
    images or texts."""
    names: dict[int, str] = {}
    for sample, group in zip(samples, groups):
        own = str(sample.metadata[needed] if needed else f"{sample.images} {sample.question} {sample.answer}")
        own = pseudonyms.in_clear(own) if pseudonyms else own
        names[group] = min(names.get(group, own), own)
    return names


def _counts(groups: int, parting: Parting) -> dict[str, int]:
    """Split -> groups, by the largest remainders.

    Raises:
        DataError: a split would have none.
    """
    exact = {split: groups * share / 100 for split, share in parting.shares.items()}
    counts = {split: int(value) for split, value in exact.items()}
    rest = sorted(exact, key=lambda split: counts[split] - exact[split])
    for split in rest[: groups - sum(counts.values())]:
        counts[split] += 1
    empty = [split for split, count in counts.items() if not count]
    if empty:
        least = -(-100 // min(parting.shares.values()))
        leave = "leaves" if groups == 1 else "leave"
        hint = _ONE_FOR_ALL if groups == 1 and parting.by == PATIENT else ""
        raise DataError(
            f"--split {'/'.join(map(str, parting.shares.values()))}: {groups:,} {_plural(parting.by, groups)} {leave} "
            f"{' and '.join(empty)} empty; such shares need some {least}, or choose larger ones, or --split test to "
            f"test on all{hint}"
        )
    return counts


def _digest(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _plural(by: str, count: int) -> str:
    return by if count == 1 else "studies" if by == STUDY else by + "s"
