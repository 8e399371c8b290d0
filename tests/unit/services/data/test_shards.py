from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pefomed_plugin.errors import DataError, ImageError
from pefomed_plugin.records import Sample
from pefomed_plugin.services.data import shards
from pefomed_plugin.services.data.shard_index import brace_notation, read_shard_index
from pefomed_plugin.services.data.shards import write_shards
from pefomed_plugin.services.images.pixels import resize_square

from ..small import sample, small_image


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Seven training and two test samples; image 0 is in colour, the others grey."""
    images = tmp_path / "images"
    images.mkdir()
    for number in range(9):
        small_image(number, 40 + number).save(images / f"{number}.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 30, 3), np.uint8)).save(images / "0.png")
    return [sample(number, "train" if number < 7 else "test", answer=f"ä {number}") for number in range(9)]


def write(samples: list[Sample], tmp_path: Path, out: str = "out", **options: Any) -> Any:
    settings = {"image_size_px": 16, "per_shard": 3, **options}
    return write_shards(samples, tmp_path / "images", tmp_path / out, **settings)


def contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]


def test_shards_hold_every_sample_and_its_resized_image(samples: list[Sample], tmp_path: Path) -> None:
    made = write(samples, tmp_path)
    assert [(each.file, each.split, each.samples) for each in made] == [
        ("train-000000.tar", "train", 3),
        ("train-000001.tar", "train", 3),
        ("train-000002.tar", "train", 1),
        ("test-000000.tar", "test", 2),
    ]
    read = []
    for shard in made:
        inside = contents(tmp_path / "out" / shard.file)
        assert len(inside) == 2 * shard.samples
        for number in range(shard.samples):
            read.append(Sample.from_json(json.loads(inside[f"{number:06d}.json"])))
            stored = Image.open(io.BytesIO(inside[f"{number:06d}.png"])).convert("RGB")
            original = Image.open(tmp_path / "images" / read[-1].only_image).convert("RGB")
            assert stored.tobytes() == resize_square(original, 16).tobytes()
    assert read == samples
    assert read_shard_index(tmp_path / "out") == made


def test_the_image_is_what_the_toolkits_processor_would_make(samples: list[Sample], tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    from pefomed_plugin.toolkit.bundled.processors import Blip2ImageEvalProcessor

    write(samples, tmp_path)
    process = Blip2ImageEvalProcessor(image_size=16)
    stored = Image.open(io.BytesIO(contents(tmp_path / "out" / "train-000000.tar")["000000.png"])).convert("RGB")
    original = Image.open(tmp_path / "images" / "0.png").convert("RGB")
    assert process(stored).tolist() == process(original).tolist()


def test_bytes_do_not_depend_on_time_or_threads(samples: list[Sample], tmp_path: Path) -> None:
    one, two = write(samples, tmp_path, "one", workers=1), write(samples, tmp_path, "two", workers=4)
    assert one == two
    for each in one:
        assert (tmp_path / "one" / each.file).read_bytes() == (tmp_path / "two" / each.file).read_bytes()


def test_an_interrupted_run_keeps_finished_shards(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write(samples, tmp_path, "whole")
    encode = shards._encode
    encoded: list[Any] = []

    def stop_at_the_fifth(image: Image.Image, size_px: int) -> bytes:
        encoded.append(image)
        if len(encoded) == 5:
            raise KeyboardInterrupt
        return encode(image, size_px)

    monkeypatch.setattr(shards, "_encode", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        write(samples, tmp_path, workers=1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["index.json", "train-000000.tar"]
    with pytest.raises(DataError, match="unfinished; run pefomed shard again"):
        read_shard_index(tmp_path / "out")
    finished = (tmp_path / "out" / "train-000000.tar").stat().st_mtime_ns
    encoded[:] = [None] * 5
    assert write(samples, tmp_path) == whole
    assert len(encoded) == 5 + 6
    assert (tmp_path / "out" / "train-000000.tar").stat().st_mtime_ns == finished
    assert write(samples, tmp_path) == whole and len(encoded) == 5 + 6


@pytest.mark.parametrize("change", [{"image_size_px": 20}, {"per_shard": 2}, {"samples": 1}])
def test_shards_of_other_settings_are_not_mixed(samples: list[Sample], tmp_path: Path, change: dict[str, Any]) -> None:
    write(samples, tmp_path)
    settings = {key: value for key, value in change.items() if key != "samples"}
    others = [replace(samples[0], answer="changed"), *samples[1:]] if "samples" in change else samples
    with pytest.raises(DataError, match=rf"made otherwise \({next(iter(change))}.* differs\); delete it"):
        write(others, tmp_path, **settings)


def test_images_that_cannot_be_used_are_named_together_and_earlier_shards_kept(
    samples: list[Sample], tmp_path: Path
) -> None:
    (tmp_path / "images" / "3.png").unlink()
    (tmp_path / "images" / "5.png").write_bytes(b"<html>")
    with pytest.raises(ImageError, match=r"train-000001\.tar: 2 image\(s\) cannot be used") as caught:
        write(samples, tmp_path)
    assert "vqa_rad-3" in str(caught.value) and "HTML" in str(caught.value)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["index.json", "train-000000.tar"]
    small_image(3).save(tmp_path / "images" / "3.png")
    small_image(5).save(tmp_path / "images" / "5.png")
    assert len(write(samples, tmp_path)) == 4


def test_missing_and_damaged_shards_are_noticed_and_written_again(samples: list[Sample], tmp_path: Path) -> None:
    whole = write(samples, tmp_path)
    (tmp_path / "out" / "train-000001.tar").unlink()
    (tmp_path / "out" / "test-000000.tar").write_bytes(b"cut")
    with pytest.raises(DataError, match=r"train-000001\.tar: not there[\s\S]*test-000000\.tar: 3 bytes, not"):
        read_shard_index(tmp_path / "out")
    assert write(samples, tmp_path) == whole == read_shard_index(tmp_path / "out")


def test_damaged_index(samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*index\.json"):
        read_shard_index(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.json").write_text("{}")
    with pytest.raises(DataError, match="not an index of shards"):
        write(samples, tmp_path)


def test_brace_notation(samples: list[Sample], tmp_path: Path) -> None:
    made = write(samples, tmp_path)
    assert brace_notation(tmp_path, made, "train") == str(tmp_path / "train-{000000..000002}.tar")
    assert brace_notation(tmp_path, made, "test") == str(tmp_path / "test-{000000..000000}.tar")
    with pytest.raises(DataError, match="no val shards"):
        brace_notation(tmp_path, made, "val")


@pytest.mark.parametrize("wrong", [{"image_size_px": 0}, {"per_shard": 0}])
def test_impossible_sizes(samples: list[Sample], tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        write(samples, tmp_path, **wrong)
