"""The table of figures: that it is sound, and that it tells right from wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.readers.expectations import ERROR, EXPECTATIONS, WARNING, Verdict, judge_images, judge_release
from pefomed_plugin.readers.layouts import Release, Skip
from pefomed_plugin.records import Sample


def sample(number: int, split: str, metadata: Mapping[str, Any], dataset: str = "any", **fields: Any) -> Sample:
    return Sample(
        id=str(number),
        dataset=dataset,
        split=split,
        image=fields.pop("image", f"{number}.png"),
        task="vqa",
        question="Q?",
        answer="A",
        metadata=metadata,
        **fields,
    )


def release(dataset: str, layout: str, samples: list[Sample], skips: int = 0) -> Release:
    return Release(dataset, layout, Path("."), samples, [Skip("train.json, record 0", "no caption")] * skips)


def verdicts(read: Release, miniature: bool = False) -> dict[str, Verdict]:
    return {each.check: each for each in judge_release(read, miniature)}


def test_the_table_is_sound() -> None:
    for expectation in EXPECTATIONS:
        assert expectation.severity in (ERROR, WARNING) and expectation.expected and len(expectation.check) <= 44, (
            expectation
        )
    assert {expectation.dataset for expectation in EXPECTATIONS} == {
        "roco",
        "clef2022",
        "medicat",
        "mimic_cxr",
        "vqa_rad",
        "slake",
        "path_vqa",
        "iu_xray",
    }


def test_a_verdict_shows_both_sides() -> None:
    found = verdicts(release("roco", "ROCOv2 Zenodo", [sample(1, "val", {})]))
    assert found["figures by split"] == Verdict(
        "figures by split", WARNING, "59,958 / 9,904 / 9,927 or 59,962 / 9,904 / 9,927", "0 / 1 / 0", False
    )


def test_a_miniature_is_asked_only_what_does_not_depend_on_size() -> None:
    read = release("vqa_rad", "re-release", [sample(1, "test", {"source_id": 1}, phrase_type="frame")])
    assert list(verdicts(read, miniature=True)) == ["framed questions in test"]
    assert not verdicts(read, miniature=True)["framed questions in test"].holds
    assert len(verdicts(read)) > 4


def test_a_layout_is_asked_what_it_can_show() -> None:
    assert list(verdicts(release("vqa_rad", "parquet", [sample(1, "train", {})]))) == ["questions by split"]
    kaggle = release("iu_xray", "Kaggle (split: x)", [sample(1, "train", {"study": 1})])
    assert "reports by split" not in verdicts(kaggle)


@pytest.mark.parametrize(
    ("dataset", "layout", "key", "check"),
    [
        ("mimic_cxr", "MIMIC-CXR-JPG, reports in files", "subject", "every patient in one split only"),
        ("iu_xray", "R2Gen", "study", "every study in one split only"),
    ],
)
def test_patients_and_studies_may_not_be_in_two_splits(dataset: str, layout: str, key: str, check: str) -> None:
    apart = [sample(1, "train", {key: "a"}), sample(2, "train", {key: "a"}), sample(3, "test", {key: "b"})]
    assert verdicts(release(dataset, layout, apart), miniature=True)[check].holds
    shared = [*apart, sample(4, "val", {key: "b"})]
    assert not verdicts(release(dataset, layout, shared), miniature=True)[check].holds


@pytest.mark.parametrize(
    ("ids", "holds"),
    [
        (["ROCO_00001", "ROCO_00003"], True),
        (["ROCO_00003", "ROCO_00001"], False),
        (["ROCO_00002", "ROCO_00002"], False),
        (["ROCO_87953"], False),
    ],
)
def test_roco_ids(ids: list[str], holds: bool) -> None:
    samples = [
        sample(number, "train", {"source_id": token_id, "kind": "radiology"}) for number, token_id in enumerate(ids)
    ]
    found = verdicts(release("roco", "official", samples))
    assert found["ids ascend, none above 87,952"].holds is holds


def test_path_vqa_numbers_only_where_the_release_has_them() -> None:
    check = "question_id starts with the split's digit"
    good = [sample(1, "train", {"source_id": 100001000}), sample(2, "test", {"source_id": 300001000})]
    assert verdicts(release("path_vqa", "official", good), miniature=True)[check].holds
    assert not verdicts(
        release("path_vqa", "official", [*good, sample(3, "val", {"source_id": 100002000})]), miniature=True
    )[check].holds
    assert check not in verdicts(release("path_vqa", "official", [sample(1, "train", {"source_id": "train_0001-0"})]))


def test_skipped_rows_count_as_rows() -> None:
    samples = [sample(number, "train", {"study": "a"}) for number in range(3)]
    read = release("medicat", "release", samples, skips=2)
    assert verdicts(read)["figures, skipped ones too"].found == "5"
    assert "articles" not in verdicts(read)  # some of them may be among the skipped


@pytest.mark.parametrize(
    ("layout", "faults", "severity", "holds"),
    [
        ("official", {}, WARNING, True),
        ("official", {"no such file": 2}, WARNING, False),
        ("R2Gen", {"no such file": 2}, ERROR, False),
        ("MIMIC-CXR-JPG", {"an HTML page, probably a download without credentials": 2}, ERROR, False),
    ],
)
def test_images(layout: str, faults: dict[str, int], severity: str, holds: bool) -> None:
    verdict = judge_images(release("any", layout, []), 1000, faults)
    assert (verdict.severity, verdict.holds, verdict.found) == (severity, holds, "1,000")
    assert verdict.expected == ("1,000" if holds else "1,002")
