"""What ``run.images`` changes: which image a question is asked about."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pefomed_plugin.config.run import read_run_config
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.records import Sample

LEAST = {"task": "medical_vqa", "output_dir": "out"}


def dataset(root: Path) -> Any:
    from pefomed_plugin.adapters.data.datasets import MedicalDataset

    samples: list[Sample] = []
    for number in range(3):
        name = f"image{number}.png"
        Image.new("RGB", (8, 8), (50 * number, 0, 0)).save(root / name)
        samples.append(Sample(f"s{number}", "vqa_rad", "test", name, "vqa", "Is it red?", "yes"))
    return MedicalDataset("vqa_rad", samples, root, lambda image: image.getpixel((0, 0)), str, draws_instructions=False)


def test_blind_shows_every_question_the_same_grey(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    made = dataset(tmp_path)
    assert [made[number]["image"] for number in range(3)] == [(0, 0, 0), (50, 0, 0), (100, 0, 0)]
    made.blind_images()
    assert {made[number]["image"] for number in range(3)} == {(128, 128, 128)}
    assert made[1]["image_id"] == "s1"


def test_shuffled_shows_no_question_its_own(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    made = dataset(tmp_path)
    made.shuffle_images(seed=0)
    assert all(made[number]["image"] != (50 * number, 0, 0) for number in range(3))


def test_the_option_knows_three_values() -> None:
    assert read_run_config({**LEAST, "images": "blind"}).images == "blind"
    with pytest.raises(ConfigError, match="'none' is none of own, shuffled, blind"):
        read_run_config({**LEAST, "images": "none"})
