"""The miniature releases: the same bytes for a seed, recognised by their readers, quirks and all."""

from __future__ import annotations

import hashlib
import json
import re
from multiprocessing import current_process
from random import Random

import pytest
from PIL import Image

from pefomed_plugin import embedded
from pefomed_plugin.errors import DataError
from pefomed_plugin.readers import DATASETS

FEW = {
    "roco": {"counts": (6, 2, 2)},
    "clef2022": {"counts": (3, 2)},
    "medicat": {"count": 8},
    "mimic_cxr": {"counts": (4, 1, 1)},
    "vqa_rad": {"train": 12, "test": 6},
    "slake": {"counts": (3, 1, 1)},
    "path_vqa": {"counts": (3, 1, 1)},
    "iu_xray": {"counts": (3, 1, 1)},
}


def write(folder, name, seed=0):
    folder.mkdir(parents=True)
    embedded.find_writer(name)(folder, Random(f"{seed} {name}"), **FEW[name])
    return folder


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", FEW)
def test_the_same_seed_gives_the_same_bytes_and_the_reader_knows_them(tmp_path, name):
    one, two = write(tmp_path / "one" / name, name), write(tmp_path / "two" / name, name)
    assert digests(one) == digests(two)
    release = DATASETS[name].read(one)
    assert release.samples
    assert {sample.dataset for sample in release.samples} == {name}


HIGHEST_NUMBERS = {
    "roco": (r"ROCO_(\d+)\.jpg", 87_952),
    "clef2022": (r"_(\d+)\.jpg", 91_920 + 7_601),
    "vqa_rad": (r"synpic(\d+)\.jpg", 100_228),
    "slake": (r"xmlab(\d+)/", 641),
    "path_vqa": (r"_(\d+)\.jpg", 9_999),
    "iu_xray": (r"CXR(\d+)_", 3_999),
}
"""Of the published releases (docs/data): number in an image's name, and what none of them exceeds."""


@pytest.mark.parametrize("name", HIGHEST_NUMBERS)
def test_no_drawing_has_the_name_of_a_real_image(tmp_path, name):
    pattern, highest = HIGHEST_NUMBERS[name]
    images = {image for sample in DATASETS[name].read(write(tmp_path / name, name)).samples for image in sample.images}
    numbered = [match for match in (re.search(pattern, image) for image in images) if match]
    old_names = {image for image in images if "made-up" in image}  # ROCO's, from before 2022
    assert len(numbered) + len(old_names) == len(images) and numbered
    assert min(int(match.group(1)) for match in numbered) > highest


def test_another_seed_gives_other_images(tmp_path):
    assert digests(write(tmp_path / "a", "clef2022")) != digests(write(tmp_path / "b", "clef2022", seed=1))


def test_vqa_rad_keeps_its_test_images_out_of_training_and_has_the_quirks(tmp_path):
    folder = write(tmp_path / "vqa_rad", "vqa_rad")
    train, test = (json.loads((folder / name).read_text()) for name in ("trainset.json", "testset.json"))
    assert not {row["image_name"] for row in train} & {row["image_name"] for row in test}
    assert sorted(row["qid"] for row in train + test) == list(range(1, len(train) + len(test) + 1))
    assert any(row["answer_type"] == "CLOSED " for row in train)
    assert any(isinstance(row["answer"], int) for row in train)
    assert any(row["phrase_type"] == "frame" for row in train)
    assert not any(row["phrase_type"] == "frame" for row in test)
    assert 3 * sum(row["answer_type"] == "CLOSED" for row in test) <= len(test) + 3


def test_path_vqa_has_a_cmyk_image_and_medicat_transparent_ones(tmp_path):
    assert Image.open(write(tmp_path / "p", "path_vqa") / "images/train/train_90001.jpg").mode == "CMYK"
    modes = {
        Image.open(path).mode for path in (write(tmp_path / "m", "medicat") / "release/figures").iterdir() if path.name
    }
    assert {"RGBA", "P"} <= modes


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="is not empty and holds no sample"):
        embedded.make_sample(tmp_path, parts=("clef2022",))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_process_that_may_start_no_others_makes_the_sample_itself(tmp_path, monkeypatch):
    """One of several of ``pefomed serve --data-parallel``, or of a pool: such processes are daemons."""
    monkeypatch.setitem(current_process()._config, "daemon", True)
    made = []
    monkeypatch.setattr(embedded, "_write_part", lambda out, name, seed: made.append(name))
    embedded.make_sample(tmp_path / "sample", parts=("clef2022", "tiny"))
    assert made == ["tiny", "clef2022"]
