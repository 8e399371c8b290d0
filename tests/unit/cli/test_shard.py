"""``pefomed shard`` on a prepared folder, and what it says about using the shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.origins import mark_generated
from pefomed_plugin.services.data.shard_index import read_image_size, read_shard_index
from tests.unit.services.small import LEAKY, write_rad


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """Four training and three test samples; one of the four images is cut short."""
    source = write_rad(tmp_path / "release", LEAKY)
    mark_generated(source, {})
    image = source / "images" / "synpic2.png"
    image.write_bytes(image.read_bytes()[:-200])
    assert (
        main(["prepare", "vqa_rad", "--source", str(source), "--out", str(tmp_path / "prepared"), "--allow-truncated"])
        == 0
    )
    return tmp_path / "prepared"


def shard(*arguments: object) -> int:
    return main(["shard", *map(str, arguments)])


def test_shards_and_how_to_name_them(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    capsys.readouterr()
    assert shard(prepared, "--out", tmp_path / "shards", "--image-size", 16, "--per-shard", 3) == 0
    shown = capsys.readouterr().out
    assert [(each.file, each.samples) for each in read_shard_index(tmp_path / "shards")] == [
        ("train-000000.tar", 3),
        ("train-000001.tar", 1),
        ("test-000000.tar", 3),
    ]
    assert read_image_size(tmp_path / "shards") == 16
    assert f"--options datasets.vqa_rad.build_info.storage={tmp_path / 'shards'}\n" in shown
    assert "train-{000000..000001}.tar'" in shown, "quoted, or the shell would expand it"


def test_images_are_treated_as_they_were_prepared(prepared: Path, tmp_path: Path) -> None:
    """The cut image was allowed by ``prepare``; ``shard`` takes its word."""
    assert shard(prepared, "--out", tmp_path / "shards", "--image-size", 16) == 0
    assert sum(each.samples for each in read_shard_index(tmp_path / "shards")) == 7


def test_another_size_into_the_same_folder(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    shard(prepared, "--out", tmp_path / "shards", "--image-size", 16)
    assert shard(prepared, "--out", tmp_path / "shards", "--image-size", 20) == 2
    assert "made otherwise (image_size_px differs)" in capsys.readouterr().err


def test_a_release_has_to_be_prepared_first(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert shard(write_rad(tmp_path / "rad", LEAKY), "--out", tmp_path / "shards") == 2
    assert "prepare the data set first" in capsys.readouterr().err


def test_shards_lie_in_no_prepared_folder(prepared: Path, capsys: pytest.CaptureFixture) -> None:
    """It would be both, and a run would take it for one of them."""
    assert shard(prepared, "--out", prepared, "--image-size", 16) == 2
    assert "holds what pefomed prepare wrote" in capsys.readouterr().err
    assert not list(prepared.glob("*.tar"))
