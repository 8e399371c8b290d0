"""Whether a data set is recognised where a run looks for it."""

from __future__ import annotations

import json

import pytest

from pefomed_plugin.doctor.data import check_data
from pefomed_plugin.doctor.findings import ERROR, OK
from pefomed_plugin.readers import DATASETS
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from pefomed_plugin.services.data.prepare import prepare
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
