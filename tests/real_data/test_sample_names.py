"""The published releases name no image as the generated sample does: a drawing is never shown as a patient's image."""

from __future__ import annotations

from random import Random

import pytest

from pefomed_plugin.embedded import find_writer
from pefomed_plugin.readers import DATASETS

from .data import real_data

FEW = {
    "vqa_rad": {"train": 60, "test": 12},
    "slake": {"counts": (8, 2, 2)},
    "path_vqa": {"counts": (8, 2, 2)},
    "iu_xray": {"counts": (8, 2, 2)},
}


@pytest.mark.parametrize("name", FEW)
def test_generated_and_published_images_share_no_name(tmp_path, name):
    published = {sample.only_image for sample in DATASETS[name].read(real_data(name)).samples}
    (tmp_path / name).mkdir()
    find_writer(name)(tmp_path / name, Random(0), **FEW[name])
    generated = {sample.only_image for sample in DATASETS[name].read(tmp_path / name).samples}
    assert generated and published and not generated & published
