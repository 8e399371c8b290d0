"""IU-Xray as released: R2Gen's annotation and Kaggle's tables, alone and together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pefomed_plugin.readers.iu_xray import IU_XRAY
from pefomed_plugin.readers.views import NOT_SHOWN, count_views
from tests.real_data.data import real_data


def test_real_annotation_has_its_published_figures() -> None:
    folder = real_data("iu_xray")
    images, studies = IU_XRAY.read(folder), IU_XRAY.read(folder, per="study")
    assert images.layout == "R2Gen" and not images.skips
    assert {name: len(part) for name, part in images.splits().items()} == {"train": 4138, "val": 592, "test": 1180}
    assert {name: len(part) for name, part in studies.splits().items()} == {"train": 2069, "val": 296, "test": 590}
    redacted = [sum("XXXX" in sample.answer for sample in part) for part in studies.splits().values()]
    long = [sum(len(sample.answer.split()) > 50 for sample in part) for part in studies.splits().values()]
    assert (redacted, long) == ([907, 108, 212], [212, 26, 39])
    assert len({sample.metadata["study"] for sample in images.samples}) == 2955


def test_real_tables_give_the_same_reports_and_split(tmp_path: Path) -> None:
    folder = real_data("iu_xray")
    for name in ("indiana_reports.csv", "indiana_projections.csv", "annotation.json"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "images/images_normalized").mkdir(parents=True)
    joined, released = IU_XRAY.read(tmp_path, per="study"), IU_XRAY.read(folder, per="study")
    assert joined.layout == "Kaggle (split: annotation.json)"
    found = {sample.metadata["r2gen_id"]: (sample.split, sample.answer) for sample in joined.samples}
    assert found == {sample.metadata["study"]: (sample.split, sample.answer) for sample in released.samples}
    assert (len(joined.samples), sum(sample.metadata["same_series"] for sample in joined.samples)) == (2955, 2943)
    assert Counter(skip.reason for skip in joined.skips) == {"not in annotation.json": 3851 - 2955}


def test_real_tables_alone_lack_what_the_release_lacks(tmp_path: Path) -> None:
    folder = real_data("iu_xray")
    for name in ("indiana_reports.csv", "indiana_projections.csv"):
        (tmp_path / name).symlink_to(folder / name)
    missing = {"findings": 514, "impression": 31, "both": 25}
    for section, count in missing.items():
        release = IU_XRAY.read(tmp_path, section=section, per="study")
        assert (len(release.samples), len(release.skips)) == (3851 - count, count)
    images = IU_XRAY.read(tmp_path, section="both").samples
    by_study: dict[str, set] = {}
    for image in images:
        by_study.setdefault(image.metadata["study"], set()).add(image.split)
    assert all(len(splits) == 1 for splits in by_study.values())


def test_real_studies_by_their_views(tmp_path: Path) -> None:
    folder = real_data("iu_xray")
    for name in ("indiana_reports.csv", "indiana_projections.csv", "annotation.json"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "images/images_normalized").mkdir(parents=True)
    both = {"per": "study", "views": ["frontal", "lateral"]}
    shown = IU_XRAY.read(tmp_path, **both)
    assert {name: count_views(part) for name, part in shown.splits().items()} == {
        "train": {"frontal + lateral": 2059, "one image": 10},
        "val": {"frontal + lateral": 294, "one image": 2},
        "test": {"frontal + lateral": 590},
    }
    assert shown.notes == {NOT_SHOWN: 189}
    left = IU_XRAY.read(tmp_path, **both, missing_views="skip")
    reasons = Counter(skip.reason for skip in left.skips)
    assert (len(left.samples), reasons["no frontal image"], reasons["no lateral image"]) == (2943, 8, 4)
    unnamed = IU_XRAY.read(folder, per="study", views="all")
    assert count_views(unnamed.samples) == {"image 1 + image 2": 2955}
