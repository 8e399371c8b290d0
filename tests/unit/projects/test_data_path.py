"""Loading, measured: the arithmetic, and which images are taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from projects.benchmarks.data_path import figures
from projects.benchmarks.data_path.photographs import find_photographs, make_up, write_annotations


def results(**seconds: list[float]) -> dict[str, Any]:
    return {
        "what": "8 invented photographs",
        "photographs": 8,
        "image_size": 56,
        "batch_size": 8,
        "workers": 0,
        "differences": {"pixels": 0.0},
        "seconds": seconds,
    }


def folder_of(path: Path, count: int) -> Path:
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (30 + number, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path / f"{number}.png")
    return path


def test_ratios_are_of_the_same_round() -> None:
    # the second round was ten times as slow for both: the machine's doing, not the way's
    found = figures.ratios({"checkout": [4.0, 40.0, 4.0], "pixels": [1.0, 10.0, 2.0]}, "checkout")
    assert found == {"checkout": 1.0, "pixels": 4.0}


def test_quartiles_of_one_value_are_that_value() -> None:
    assert figures.quartiles([3.0]) == (3.0, 3.0, 3.0)
    assert figures.quartiles([1.0, 2.0, 3.0])[1] == 2.0


def test_the_table_gives_rates_and_factors() -> None:
    lines = figures.table(results(checkout=[4.0, 4.0], plain=[2.0, 2.0], pixels=[0.1, 0.1]))
    assert lines[2].count("|") == lines[3].count("|") == lines[-1].count("|")
    assert lines[-1] == "| pixels | 80 | 80 - 80 | 40.0 | 20.0 | 0 |"


def test_a_target_counts_only_beside_a_checkout() -> None:
    slow = {"pixels": [1.0], "features": [0.1]}
    assert figures.missed(results(plain=[10.0], **slow)) == []
    assert figures.missed(results(checkout=[10.0], **slow)) == ["pixels: 10.0 times the checkout, 15 wanted"]


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2 photographs, 3 are wanted; set --images"):
        find_photographs(folder_of(tmp_path, 2), 3, tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nowhere: no such folder; set --images"):
        find_photographs(tmp_path / "nowhere", 1, tmp_path)


def test_the_same_images_are_taken_every_time(tmp_path: Path) -> None:
    folder_of(tmp_path, 5)
    first, second = (find_photographs(tmp_path, 3, tmp_path) for _ in range(2))
    assert first == second
    assert len(set(first.names)) == 3


def test_a_made_up_image_is_a_photograph_of_the_stated_size(tmp_path: Path) -> None:
    (name,) = make_up(tmp_path, 1)
    with Image.open(tmp_path / name) as image:
        assert (image.size, image.mode) == ((1024, 1024), "RGB")


def test_annotations_lead_the_checkout_to_the_same_files_in_the_same_order(tmp_path: Path) -> None:
    photographs = find_photographs(folder_of(tmp_path, 4), 4, tmp_path)
    write_annotations(photographs, tmp_path / "annotations.json")
    rows = json.loads((tmp_path / "annotations.json").read_text(encoding="utf-8"))
    # its data set puts key and suffix together and takes the rows of split 1
    assert [key + Path(row["imageURL"]).suffix for key, row in rows.items()] == photographs.names
    assert {row["split"] for row in rows.values()} == {1}
