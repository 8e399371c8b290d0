"""VQA-RAD (osf.io/89kps; Lau et al. 2018): official JSON, its re-release ``data_RAD``, and the parquet copy.

The re-release numbers the 2,248 official records 1 to 3,515: each record, and behind it its framed version, which
always belongs to train. The paper's split is this one: 3,064 train, 451 test. Both layouts give the same samples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..records import CLOSED, OPEN
from .expectations import ERROR, WARNING, Expectation, in_layout, kept
from .layouts import Layout, Release, require
from .rows import add_question, load_rows, optional_text, read_parquet_copy
from .spec import PUBLIC, DatasetSpec, Field

DATASET = "vqa_rad"
OFFICIAL_FILE = "VQA_RAD Dataset Public.json"
_REQUIRED = ("qid", "image_name", "question", "answer", "answer_type")
_PHRASES = {"freeform": "train", "para": "train", "test_freeform": "test", "test_para": "test"}
_SPELLING = {"ATRIB": "ATTRIB", "PRSE": "PRES"}


def _read_official(root: Path) -> Release:
    """The 2,248 records, numbered as the re-release was made (aioz-ai/MICCAI19-MedVQA, issue 6)."""
    release = Release(DATASET, "official", root / "VQA_RAD Image Folder")
    number, seen = 0, set()
    for position, row in enumerate(load_rows(root / OFFICIAL_FILE, release)):
        where = _where(OFFICIAL_FILE, position, row)
        if not require(row, (*_REQUIRED, "phrase_type", "question_frame"), where, release.problems):
            continue
        phrase = str(row["phrase_type"]).strip()
        if phrase not in _PHRASES:
            release.problems.append(
                f"{where}: phrase_type {row['phrase_type']!r} is none of {', '.join(_PHRASES)}; compare with the "
                "original release"
            )
            continue
        if str(row["qid"]) in seen:
            # A doubled record would shift the number, hence the id, of every one behind it.
            release.problems.append(f"{where}: this qid occurs twice; delete one of the two records")
        seen.add(str(row["qid"]))
        official: dict[str, Any] = {"official_qid": row["qid"], "linked_id": row.get("qid_linked_id")}
        number += 1
        _add(
            release,
            where,
            {**row, "phrase_type": phrase.replace("test_", "")},
            split=_PHRASES[phrase],
            number=number,
            extras=official,
        )
        if _is_given(row["question_frame"]):
            framed: dict[str, Any] = {**row, "question": row["question_frame"], "phrase_type": "frame"}
            number += 1
            _add(release, where, framed, split="train", number=number, extras={**official, "frame_of": _id(number - 1)})
    return release


def _read_re_release(root: Path) -> Release:
    release = Release(DATASET, "re-release", root / "images")
    found: list[tuple[str, str, dict[str, Any]]] = []
    for split, name in (("train", "trainset.json"), ("test", "testset.json")):
        for position, row in enumerate(load_rows(root / name, release)):
            where = _where(name, position, row)
            if require(row, _REQUIRED, where, release.problems):
                found.append((split, where, row))
    by_number = {str(row["qid"]): row for _, _, row in found}
    for split, where, row in found:
        _add(release, where, row, split=split, number=row["qid"], extras=_frame_of(row, by_number))
    return release


def _add(
    release: Release, where: str, row: Mapping[str, Any], *, split: str, number: Any, extras: Mapping[str, Any]
) -> None:
    add_question(
        release,
        where,
        key=number,
        split=split,
        image=row["image_name"],
        question=row["question"],
        answer=row["answer"],
        answer_type=str(row["answer_type"]),
        organ=optional_text(row.get("image_organ")),
        question_type=normalise_types(row.get("question_type")),
        phrase_type=optional_text(row.get("phrase_type")),
        metadata={"source_id": number, **extras},
    )


def _frame_of(row: Mapping[str, Any], by_number: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A framed row follows the one it restates; image and answer confirm that it does."""
    if row.get("phrase_type") != "frame" or not isinstance(row["qid"], int):
        return {}
    before = by_number.get(str(row["qid"] - 1))
    if before is None or any(before[key] != row[key] for key in ("image_name", "answer")):
        return {}
    return {"frame_of": _id(row["qid"] - 1)}


def _id(number: int) -> str:
    return f"{DATASET}-{number}"


def _is_given(question_frame: Any) -> bool:
    # The release writes the word NULL where there is no framed version.
    return bool(question_frame) and question_frame != "NULL"


def _where(name: str, position: int, row: Mapping[str, Any]) -> str:
    return f"{name}, record {position} (qid {row.get('qid', 'missing')})"


def normalise_types(types: str | None) -> str | None:
    """Question types in alphabetical order, misspellings corrected: ``PRES, ATRIB`` -> ``ATTRIB, PRES``."""
    if not types:
        return None
    corrected = {_SPELLING.get(part.strip().upper(), part.strip().upper()) for part in str(types).split(",")}
    return ", ".join(sorted(part for part in corrected if part)) or None


def _phrases(release: Release) -> tuple[int, ...]:
    counts = Counter((sample.split, sample.phrase_type) for sample in release.samples)
    return tuple(counts[split, phrase] for split in ("train", "test") for phrase in ("freeform", "para"))


def _answer_types(release: Release) -> tuple[int, ...]:
    counts = Counter((sample.split, sample.answer_type) for sample in release.samples)
    return tuple(counts[split, flag] for split in ("train", "test") for flag in (CLOSED, OPEN))


_read_parquet = partial(read_parquet_copy, DATASET, splits={"train": "train", "test": "test"})
"""flaviagiammarino/vqa-rad: lower-cased, de-duplicated, without ids, types or framed questions."""

_WITH_IDS, _PARQUET = in_layout("official", "re-release"), in_layout("parquet")

VQA_RAD = DatasetSpec(
    DATASET,
    "VQA-RAD",
    layouts=(
        Layout("official", (OFFICIAL_FILE,), _read_official),
        Layout("re-release", ("trainset.json", "testset.json"), _read_re_release),
        Layout("parquet", ("data/train-*.parquet", "data/test-*.parquet"), _read_parquet),
    ),
    tasks=("vqa",),
    stage=2,
    splits={"train": 3_064, "test": 451},
    images=314,
    longest=(134, 118),
    mean_length=(38, 8),
    expectations=(
        Expectation("questions by split", ERROR, ((3_064, 0, 451),), kept, _WITH_IDS),
        Expectation("freeform, para in train; in test", ERROR, ((1_206, 591, 308, 143),), _phrases, _WITH_IDS),
        Expectation(
            "qids are 1 to 3,515",
            ERROR,
            (True,),
            lambda release: {sample.metadata["source_id"] for sample in release.samples} == set(range(1, 3516)),
            _WITH_IDS,
        ),
        Expectation(
            "framed questions in test",
            ERROR,
            (0,),
            lambda release: sum(sample.split == "test" and sample.phrase_type == "frame" for sample in release.samples),
            _WITH_IDS,
            full=False,
        ),
        Expectation("closed, open in train; in test", ERROR, ((1_823, 1_241, 272, 179),), _answer_types, _WITH_IDS),
        Expectation(
            "images referenced",
            WARNING,
            (314,),
            lambda release: len({image for sample in release.samples for image in sample.images}),
            _WITH_IDS,
        ),
        Expectation("questions by split", WARNING, ((1_793, 0, 451),), kept, _PARQUET),
    ),
    fields=(
        Field(
            "question_type",
            "question type",
            {
                "ABN": "abnormality",
                "ATTRIB": "other attribute",
                "COLOR": "color",
                "COUNT": "count",
                "MODALITY": "modality",
                "ORGAN": "organ system",
                "OTHER": "other",
                "PLANE": "imaging plane",
                "POS": "position",
                "PRES": "presence",
                "SIZE": "size",
            },
        ),
        Field("organ", "organ", {"ABD": "abdomen", "CHEST": "chest", "HEAD": "head"}),
        Field("phrase_type", "phrasing", {"frame": "framed", "freeform": "free-form", "para": "paraphrased"}),
    ),
    audience=PUBLIC,
    licence_id="cc0-1.0",
    licence="CC0 1.0",
    citation="Lau et al., A dataset of clinically generated visual questions and answers about radiology images, "
    "Scientific Data 5:180251, 2018, doi:10.1038/sdata.2018.251",
    url="https://osf.io/89kps",
    quirks=(
        "All 203 test images are in train, and 284 of 451 test questions are there in their framed version with the "
        "answer.",
        "465 training samples repeat an earlier one.",
    ),
    specialty="radiology",
    languages=lambda options: ("en",),
    sample_writer="pefomed_plugin.embedded.releases_vqa:write_vqa_rad",
    page="docs/data/vqa_rad.md",
)
"""Duplicates are kept: the paper's 3,064 training rows count them. ``metadata``: ``source_id``, the re-release's qid;
``answer_type_from``; ``frame_of``, the sample that a framed question restates (where that one is in test, the release
leaks it); from the official file also ``official_qid`` and ``linked_id``, which a question and its paraphrase share."""
