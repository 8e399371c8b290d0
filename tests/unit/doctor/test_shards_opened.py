"""Shards are opened by the doctor, a few of each split."""

from __future__ import annotations

from pathlib import Path

from pefomed_plugin.config.datasets import DatasetConfig, read_dataset_config
from pefomed_plugin.config.run import RunConfig
from pefomed_plugin.doctor.findings import ERROR, NOTE, OK, WARNING
from pefomed_plugin.doctor.images import check_images
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from pefomed_plugin.services.data.shards import write_shards
from tests.unit.services.small import LEAKY, write_rad


def section_of(folder: Path, image_size: int, name: str = "vqa_rad") -> DatasetConfig:
    size = {"name": "blip2_image_eval", "image_size": image_size}
    return read_dataset_config(
        name, {"build_info": {"storage": str(folder)}, "vis_processor": {"train": size, "eval": size}}
    )


def test_shards_that_a_run_would_refuse_are_told(tmp_path: Path) -> None:
    release = write_rad(tmp_path / "vqa_rad", LEAKY)
    write_shards(VQA_RAD.read(release).samples, release / "images", tmp_path / "shards", 16)
    run = RunConfig(task="medical_vqa", output_dir="out")
    (found,) = check_images("vqa_rad", section_of(tmp_path / "shards", 32), run)
    assert found.state == ERROR and "of 16 pixels" in found.found and "--image-size 32" in found.found
    (found,) = check_images("slake", section_of(tmp_path / "shards", 16, "slake"), run)
    assert found.state == ERROR and "was made from vqa_rad, not from slake" in found.found


def test_a_damaged_shard_is_told(tmp_path: Path) -> None:
    release = write_rad(tmp_path / "vqa_rad", LEAKY)
    samples = [*VQA_RAD.read(release).splits()["train"]]
    write_shards(samples, release / "images", tmp_path / "shards", 16, per_shard=2)
    section = section_of(tmp_path / "shards", 16)
    run = RunConfig(task="medical_vqa", output_dir="out", test_splits=("test",))
    found, lacking = check_images("vqa_rad", section, run)
    assert found.state == OK and "samples in" in found.found and "opened" in found.found
    assert (lacking.what, lacking.state) == ("vqa_rad, test", NOTE) and "no such split" in lacking.found
    trains = RunConfig(task="medical_vqa", output_dir="out", train_splits=("val",))
    assert check_images("vqa_rad", section, trains)[0].state == WARNING, "nothing of them would be trained on"
    for path in (tmp_path / "shards").rglob("*.tar"):
        path.write_bytes(path.read_bytes()[:700])
    assert check_images("vqa_rad", section, run)[0].state == ERROR
