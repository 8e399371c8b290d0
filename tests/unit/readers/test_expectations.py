"""What data sets declare of their releases: that it is sound, and that it tells right from wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.readers import DATASETS
from pefomed_plugin.readers.expectations import ERROR, WARNING, Check, check_images, check_release
from pefomed_plugin.readers.layouts import Release, Skip
from pefomed_plugin.records import Sample


def sample(number: int, split: str, metadata: Mapping[str, Any], dataset: str = "any", **fields: Any) -> Sample:
    return Sample(
        id=str(number),
        dataset=dataset,
        split=split,
        images=(fields.pop("image", f"{number}.png"),),
        task="vqa",
        question="Q?",
        answer="A",
        metadata=metadata,
        **fields,
    )


def release(dataset: str, layout: str, samples: list[Sample], skips: int = 0) -> Release:
    return Release(dataset, layout, Path("."), samples, [Skip("train.json, record 0", "no caption")] * skips)


def checks(read: Release, miniature: bool = False) -> dict[str, Check]:
    expectations = DATASETS[read.dataset].expectations
    return {check.check: check for check in check_release(expectations, read, miniature)}


@pytest.mark.parametrize("name", [name for name in DATASETS.own if name != "medical_custom"])
def test_what_is_declared_is_sound(name: str) -> None:
    assert DATASETS[name].expectations
    for expectation in DATASETS[name].expectations:
        assert expectation.severity in (ERROR, WARNING) and expectation.expected and len(expectation.check) <= 44, (
            expectation
        )


def test_a_check_shows_both_sides() -> None:
    found = checks(release("roco", "ROCOv2 Zenodo", [sample(1, "val", {})]))
    assert found["figures by split"] == Check(
        "figures by split", WARNING, "59,958 / 9,904 / 9,927 or 59,962 / 9,904 / 9,927", "0 / 1 / 0", False
    )


def test_a_miniature_is_asked_only_what_does_not_depend_on_size() -> None:
    read = release("vqa_rad", "re-release", [sample(1, "test", {"source_id": 1}, phrase_type="frame")])
    assert list(checks(read, miniature=True)) == ["framed questions in test"]
    assert not checks(read, miniature=True)["framed questions in test"].holds
    assert len(checks(read)) > 4


def test_a_layout_is_asked_what_it_can_show() -> None:
    assert list(checks(release("vqa_rad", "parquet", [sample(1, "train", {})]))) == ["questions by split"]
    kaggle = release("iu_xray", "Kaggle (split: x)", [sample(1, "train", {"study": 1})])
    assert "reports by split" not in checks(kaggle)


@pytest.mark.parametrize(
    ("dataset", "layout", "key", "check"),
    [
        ("mimic_cxr", "MIMIC-CXR-JPG, reports in files", "subject", "every patient in one split only"),
        ("iu_xray", "R2Gen", "study", "every study in one split only"),
    ],
)
def test_patients_and_studies_may_not_be_in_two_splits(dataset: str, layout: str, key: str, check: str) -> None:
    apart = [sample(1, "train", {key: "a"}), sample(2, "train", {key: "a"}), sample(3, "test", {key: "b"})]
    assert checks(release(dataset, layout, apart), miniature=True)[check].holds
    shared = [*apart, sample(4, "val", {key: "b"})]
    assert not checks(release(dataset, layout, shared), miniature=True)[check].holds


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
    found = checks(release("roco", "official", samples))
    assert found["ids ascend, none above 87,952"].holds is holds


def test_path_vqa_numbers_only_where_the_release_has_them() -> None:
    check = "question_id starts with the split's digit"
    good = [sample(1, "train", {"source_id": 100001000}), sample(2, "test", {"source_id": 300001000})]
    assert checks(release("path_vqa", "official", good), miniature=True)[check].holds
    assert not checks(
        release("path_vqa", "official", [*good, sample(3, "val", {"source_id": 100002000})]), miniature=True
    )[check].holds
    assert check not in checks(release("path_vqa", "official", [sample(1, "train", {"source_id": "train_0001-0"})]))


def test_skipped_rows_count_as_rows() -> None:
    samples = [sample(number, "train", {"study": "a"}) for number in range(3)]
    read = release("medicat", "release", samples, skips=2)
    assert checks(read)["figures, skipped ones too"].found == "5"
    assert "articles" not in checks(read)  # some of them may be among the skipped


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
    read = release("any", layout, [])
    read.holds_every_image = layout == "R2Gen"
    check = check_images(read, 1000, faults)
    assert (check.severity, check.holds, check.found) == (severity, holds, "1,000")
    assert check.expected == ("1,000" if holds else "1,002")
