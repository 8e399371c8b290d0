"""Which questions the whole run is measured on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from projects.benchmarks.whole_run import copy_slice


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Images a to i with 1 to 9 questions."""
    folder = tmp_path / "vqa_rad"
    (folder / "images").mkdir(parents=True)
    for name in "abcdefghit":
        (folder / "images" / f"{name}.jpg").write_bytes(b"x")
    rows = [{"image_name": f"{name}.jpg"} for number, name in enumerate("abcdefghi", 1) for _ in range(number)]
    (folder / "trainset.json").write_text(json.dumps(rows))
    (folder / "testset.json").write_text(json.dumps([{"image_name": "t.jpg"}]))
    return folder


def test_images_are_taken_at_equal_distances_and_questions_in_whole_batches(release: Path, tmp_path: Path) -> None:
    assert copy_slice(release, tmp_path / "out", 3, 5) == [2, 5, 8]
    rows = json.loads((tmp_path / "out" / "trainset.json").read_text())
    assert {row["image_name"] for row in rows} == {"b.jpg", "e.jpg", "h.jpg"}
    assert copy_slice(release, tmp_path / "out", 3, 4) == [2, 5, 5], "12 of 15: the last three of the file go"
    assert sorted(path.name for path in (tmp_path / "out" / "images").iterdir()) == ["b.jpg", "e.jpg", "h.jpg", "t.jpg"]


def test_fewer_questions_than_a_batch_are_refused(release: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="1 images have 5 questions, fewer than a batch; set --images higher"):
        copy_slice(release, tmp_path / "out", 1, 6)
