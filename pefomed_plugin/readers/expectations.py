"""What is known of each release (counts, vocabularies, disjointness), and whether a release that was read agrees.

A table of figures with the function that takes each from the samples; a mismatch is a verdict, never an exception.
Looks at samples and skips only; knows nothing of pixels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ..records import CLOSED, OPEN, SPLITS, Sample
from .layouts import Release

ERROR = "E"
WARNING = "W"

Applies = Callable[[Release], bool]
Found = Callable[[Release], Any]
_MEDICAT_NAME = re.compile(r"[0-9a-f]{40}_\d+-Figure.*\.png")
_HIGHEST_ROCO_ID = 87_952


@dataclass(frozen=True)
class Expectation:
    """One figure of one data set's release."""

    dataset: str
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
class Verdict:
    """An expectation and what was found."""

    check: str
    severity: str
    expected: str
    found: str
    holds: bool


def judge_release(release: Release, miniature: bool = False) -> list[Verdict]:
    """Every expectation that this release can show, in the order of the table.

    Args:
        miniature: the folder holds a sample in the layout of the release, so that only what does not depend on its
            size is asked.
    """
    return [
        judge(expectation, expectation.found(release))
        for expectation in EXPECTATIONS
        if expectation.dataset == release.dataset
        and expectation.applies(release)
        and not (miniature and expectation.full)
    ]


def judge(expectation: Expectation, found: Any) -> Verdict:
    """``expectation`` against a value."""
    return Verdict(
        expectation.check,
        expectation.severity,
        " or ".join(map(_shown, expectation.expected)),
        _shown(found),
        found in expectation.expected,
    )


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " / ".join(map(_shown, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}"


def judge_images(release: Release, usable: int, faults: Mapping[str, int]) -> Verdict:
    """Whether every image that samples name can be used; how bad it is when not depends on the release.

    Args:
        usable: distinct images that open.
        faults: cause -> distinct images, for the others.
    """
    total = usable + sum(faults.values())
    unforgivable = release.layout == "R2Gen" or any("HTML" in fault for fault in faults)
    return Verdict(
        "images that can be used", ERROR if unforgivable else WARNING, _shown(total), _shown(usable), usable == total
    )


def _by_split(samples: Iterable[Sample]) -> tuple[int, ...]:
    counts = Counter(sample.split for sample in samples)
    return tuple(counts[split] for split in SPLITS)


def _kept(release: Release) -> tuple[int, ...]:
    return _by_split(release.samples)


def _rows(release: Release) -> int:
    return len(release.samples) + len(release.skips)


def _distinct(key: Callable[[Sample], Any]) -> Found:
    """By split, how many different values there are."""

    def count(release: Release) -> tuple[int, ...]:
        values = {(sample.split, key(sample)) for sample in release.samples}
        counts = Counter(split for split, _ in values)
        return tuple(counts[split] for split in SPLITS)

    return count


def _disjoint(key: Callable[[Sample], Any]) -> Found:
    """Whether no value occurs in two splits."""

    def ask(release: Release) -> bool:
        pairs = {(sample.split, key(sample)) for sample in release.samples}
        return len(pairs) == len({value for _, value in pairs})

    return ask


def _image(sample: Sample) -> str:
    return sample.image


def _meta(name: str) -> Callable[[Sample], Any]:
    return lambda sample: sample.metadata.get(name)


def _layout(*beginnings: str) -> Applies:
    return lambda release: release.layout.startswith(beginnings)


def _has(name: str) -> Applies:
    return lambda release: any(name in sample.metadata for sample in release.samples)


def _roco_kind(kind: str) -> Found:
    return lambda release: _by_split(sample for sample in release.samples if sample.metadata.get("kind") == kind)


def _has_roco_kind(kind: str) -> Applies:
    return lambda release: _layout("official", "Kaggle")(release) and any(_roco_kind(kind)(release))


def _roco_ids_ascend(release: Release) -> bool:
    last: dict[Any, int] = {}
    for sample in release.samples:
        part, number = (
            (sample.split, sample.metadata.get("kind")),
            int(str(sample.metadata["source_id"])[len("ROCO_") :]),
        )
        if not last.get(part, 0) < number <= _HIGHEST_ROCO_ID:
            return False
        last[part] = number
    return True


def _medicat_names(release: Release) -> bool:
    names = [sample.image.rpartition("/")[2] for sample in release.samples]
    return sum(bool(_MEDICAT_NAME.fullmatch(name)) for name in names) >= 0.99 * len(names)


def _rad_phrases(release: Release) -> tuple[int, ...]:
    counts = Counter((sample.split, sample.phrase_type) for sample in release.samples)
    return tuple(counts[split, phrase] for split in ("train", "test") for phrase in ("freeform", "para"))


def _rad_answer_types(release: Release) -> tuple[int, ...]:
    counts = Counter((sample.split, sample.answer_type) for sample in release.samples)
    return tuple(counts[split, flag] for split in ("train", "test") for flag in (CLOSED, OPEN))


def _rad_numbers(release: Release) -> bool:
    return {sample.metadata["source_id"] for sample in release.samples} == set(range(1, 3516))


def _slake_rows(*reasons: str) -> Found:
    """Rows of the three files: samples, and rows skipped for one of these reasons."""

    def count(release: Release) -> tuple[int, ...]:
        skipped = [skip.where for skip in release.skips if skip.reason.startswith(reasons)]
        return tuple(
            kept + sum(where.startswith(file) for where in skipped)
            for kept, file in zip(_kept(release), ("train", "validat", "test"))
        )

    return count


def _is_english(release: Release) -> bool:
    return {sample.metadata.get("language") for sample in release.samples} == {"en"}


def _path_has_numbers(release: Release) -> bool:
    return all(str(sample.metadata.get("source_id")).isdigit() for sample in release.samples)


def _path_numbers(release: Release) -> bool:
    first = {"train": "1", "val": "2", "test": "3"}
    return all(str(sample.metadata["source_id"])[0] == first[sample.split] for sample in release.samples)


def _iu_images(release: Release) -> tuple[int, ...]:
    counts: Counter = Counter()
    for sample in release.samples:
        counts[sample.split] += len(sample.metadata.get("images", [sample.image]))
    return tuple(counts[split] for split in SPLITS)


def _iu_studies_read(release: Release) -> int:
    return len({sample.metadata["study"] for sample in release.samples}) + len(release.skips)


_RAD, _RAD_PARQUET = _layout("official", "re-release"), _layout("parquet")
_PATH, _PATH_PARQUET = _layout("official", "repository"), _layout("parquet")
_MIMIC = _layout("MIMIC-CXR-JPG")
_SLAKE_SPLITS, _SLAKE_ENGLISH = (9_835, 2_099, 2_094), (4_919, 1_053, 1_061)

EXPECTATIONS: tuple[Expectation, ...] = (
    Expectation(
        "roco",
        "radiology figures by split",
        WARNING,
        ((65_448, 8_180, 8_179),),
        _roco_kind("radiology"),
        _has_roco_kind("radiology"),
    ),
    Expectation(
        "roco",
        "non-radiology figures by split",
        WARNING,
        ((4_895, 611, 612),),
        _roco_kind("non-radiology"),
        _has_roco_kind("non-radiology"),
    ),
    Expectation(
        "roco",
        "ids ascend, none above 87,952",
        ERROR,
        (True,),
        _roco_ids_ascend,
        _layout("official", "Kaggle"),
    ),
    Expectation(
        "roco",
        "figures by split",
        WARNING,
        ((65_423, 8_175, 8_176), (65_419, 8_175, 8_176)),
        _kept,
        _layout("ROCO parquet"),
    ),
    Expectation(
        "roco", "figures by split", WARNING, ((59_958, 9_904, 9_927), (59_962, 9_904, 9_927)), _kept, _layout("ROCOv2")
    ),
    Expectation("clef2022", "rows by split", WARNING, ((83_275, 7_645, 0),), _kept),
    Expectation("medicat", "figures, skipped ones too", WARNING, (217_060,), _rows),
    Expectation(
        "medicat",
        "articles",
        WARNING,
        (131_410,),
        lambda release: sum(_distinct(_meta("study"))(release)),
        lambda release: not release.skips,
    ),
    Expectation("medicat", "99 % named <40 hex>_<n>-Figure<m>.png", WARNING, (True,), _medicat_names, full=False),
    Expectation("mimic_cxr", "images, skipped ones too", ERROR, (377_110,), _rows, _MIMIC),
    Expectation(
        "mimic_cxr",
        "images by split",
        ERROR,
        ((368_960, 2_991, 5_159),),
        _kept,
        lambda release: _MIMIC(release) and not release.skips,
    ),
    Expectation("mimic_cxr", "records by split", WARNING, ((270_790, 2_130, 3_858),), _kept, _layout("R2Gen")),
    Expectation(
        "mimic_cxr",
        "every patient in one split only",
        ERROR,
        (True,),
        _disjoint(_meta("subject")),
        _has("subject"),
        full=False,
    ),
    Expectation("vqa_rad", "questions by split", ERROR, ((3_064, 0, 451),), _kept, _RAD),
    Expectation("vqa_rad", "freeform, para in train; in test", ERROR, ((1_206, 591, 308, 143),), _rad_phrases, _RAD),
    Expectation("vqa_rad", "qids are 1 to 3,515", ERROR, (True,), _rad_numbers, _RAD),
    Expectation(
        "vqa_rad",
        "framed questions in test",
        ERROR,
        (0,),
        lambda release: sum(sample.split == "test" and sample.phrase_type == "frame" for sample in release.samples),
        _RAD,
        full=False,
    ),
    Expectation(
        "vqa_rad", "closed, open in train; in test", ERROR, ((1_823, 1_241, 272, 179),), _rad_answer_types, _RAD
    ),
    Expectation(
        "vqa_rad",
        "images referenced",
        WARNING,
        (314,),
        lambda release: len({sample.image for sample in release.samples}),
        _RAD,
    ),
    Expectation("vqa_rad", "questions by split", WARNING, ((1_793, 0, 451),), _kept, _RAD_PARQUET),
    Expectation("slake", "rows in the files", ERROR, (_SLAKE_SPLITS, _SLAKE_ENGLISH), _slake_rows("language", "empty")),
    Expectation("slake", "English rows", ERROR, (_SLAKE_ENGLISH,), _slake_rows("empty"), _is_english),
    Expectation(
        "slake",
        "English rows without an answer",
        WARNING,
        (1,),
        lambda release: sum(skip.reason == "empty answer" for skip in release.skips),
        _is_english,
    ),
    Expectation("slake", "images by split", ERROR, ((450, 96, 96),), _distinct(_image), _is_english),
    Expectation("slake", "every image in one split only", ERROR, (True,), _disjoint(_image), _is_english, full=False),
    Expectation("path_vqa", "questions by split", ERROR, ((19_755, 6_279, 6_761),), _kept, _PATH),
    Expectation("path_vqa", "questions by split", ERROR, ((19_654, 6_259, 6_719),), _kept, _PATH_PARQUET),
    Expectation("path_vqa", "images referenced by split", WARNING, ((2_599, 832, 858),), _distinct(_image), _PATH),
    Expectation(
        "path_vqa",
        "closed questions in test",
        WARNING,
        (3_391,),
        lambda release: sum(sample.split == "test" and sample.answer_type == CLOSED for sample in release.samples),
        _PATH,
    ),
    Expectation(
        "path_vqa",
        "question_id starts with the split's digit",
        WARNING,
        (True,),
        _path_numbers,
        _path_has_numbers,
        full=False,
    ),
    Expectation(
        "iu_xray", "reports by split", ERROR, ((2_069, 296, 590),), _distinct(_meta("study")), _layout("R2Gen")
    ),
    Expectation("iu_xray", "images by split", ERROR, ((4_138, 592, 1_180),), _iu_images, _layout("R2Gen")),
    Expectation("iu_xray", "every study in one split only", ERROR, (True,), _disjoint(_meta("study")), full=False),
    Expectation("iu_xray", "reports, skipped ones too", WARNING, (3_955,), _iu_studies_read, _layout("OpenI")),
    Expectation("iu_xray", "reports, skipped ones too", WARNING, (3_851,), _iu_studies_read, _layout("Kaggle")),
)
"""In the order of the data sets of the paper; figures of the releases as counted in their files."""
