"""Whether a data set is recognised where a run looks for it."""

from __future__ import annotations

import json
import shutil

import pytest

from pefomed_plugin.doctor.data import check_data
from pefomed_plugin.doctor.findings import ERROR, OK
from pefomed_plugin.readers import DATASETS
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from pefomed_plugin.services.data.prepare import prepare
from pefomed_plugin.services.images.image_folder import may_hold_images
from tests.unit.services.small import LEAKY, write_rad


@pytest.fixture
def release(tmp_path):
    return write_rad(tmp_path / "release", LEAKY)


def test_a_release(release):
    (finding,) = check_data("vqa_rad", str(release))
    assert finding.state == OK and finding.found.endswith("layout")


def test_a_prepared_folder(release, tmp_path):
    prepare(VQA_RAD, release, tmp_path / "prepared", allow_mismatch=True)
    (finding,) = check_data("vqa_rad", str(tmp_path / "prepared"))
    assert finding.state == OK and "prepared" in finding.found
    (finding,) = check_data("slake", str(tmp_path / "prepared"))
    assert finding.state == ERROR and "prepared from vqa_rad" in finding.found
    assert finding.remedy.startswith("pefomed prepare slake")


def test_a_prepared_folder_whose_images_have_moved(release, tmp_path):
    prepare(VQA_RAD, release, tmp_path / "prepared", allow_mismatch=True)
    moved = release.rename(tmp_path / "moved")
    (finding,) = check_data("vqa_rad", str(tmp_path / "prepared"))
    assert finding.state == ERROR and "which is gone" in finding.found and "build_info.images" in finding.remedy
    assert check_data("vqa_rad", str(tmp_path / "prepared"), str(moved))[0].state == OK


def test_shards_with_one_missing(tmp_path):
    (tmp_path / "train-000000.tar").write_bytes(b"")
    (tmp_path / "index.json").write_text(json.dumps({"schema": 1}))
    (finding,) = check_data("roco", str(tmp_path))
    assert finding.state == ERROR and "pefomed shard" in finding.remedy


@pytest.mark.parametrize("name", DATASETS)
def test_an_empty_folder_says_what_is_looked_for_and_where_it_is_explained(name, tmp_path):
    (finding,) = check_data(name, str(tmp_path))
    assert (
        finding.state == ERROR and "none of the known layouts" in finding.found and finding.remedy.startswith("docs/")
    )


def test_a_folder_that_is_not_there(tmp_path):
    (finding,) = check_data("roco", str(tmp_path / "roco"))
    assert finding.state == ERROR and "no folder" in finding.found


def test_images_elsewhere_that_are_not_there(release, tmp_path):
    (finding,) = check_data("vqa_rad", str(release), str(tmp_path / "gone"))
    assert finding.state == ERROR and "build_info.images" in finding.found


def test_a_release_without_one_image(release, tmp_path):
    prepare(VQA_RAD, release, tmp_path / "prepared", allow_mismatch=True)
    images = (release / "images").rename(tmp_path / "elsewhere")
    (release / "images").mkdir()
    (release / "images" / "images.zip").write_bytes(b"not unpacked")
    for folder in (release, tmp_path / "prepared"):
        (finding,) = check_data("vqa_rad", str(folder))
        assert finding.state == ERROR and finding.found.startswith("not one image is below " + str(release))
        assert "docs/data/vqa_rad.md" in finding.remedy and "datasets.vqa_rad.build_info.images=" in finding.remedy
        assert check_data("vqa_rad", str(folder), str(images))[0].state == OK


def test_images_elsewhere_without_one_image(release, tmp_path):
    (tmp_path / "none").mkdir()
    (finding,) = check_data("vqa_rad", str(release), str(tmp_path / "none"))
    assert finding.state == ERROR and finding.found == f"not one image is below {tmp_path / 'none'}"


def test_one_image_is_enough_wherever_it_lies(release):
    shutil.rmtree(release / "images")
    (release / "images" / "deep" / "er").mkdir(parents=True)
    (release / "images" / "deep" / "er" / "a.JPG").write_bytes(b"")
    assert check_data("vqa_rad", str(release))[0].state == OK


@pytest.mark.parametrize("name", ["IM0001", "train-0.parquet", "a.tiff", "a.jfif"])
def test_what_may_be_an_image_is_given_the_benefit_of_the_doubt(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert may_hold_images(tmp_path)


def test_what_cannot_be_told_cheaply_is_not_said(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.txt").write_bytes(b"")
    assert not may_hold_images(tmp_path) and may_hold_images(tmp_path, limit=3)
