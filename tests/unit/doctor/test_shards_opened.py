"""Shards are opened by the doctor, a few of each split."""

from __future__ import annotations

from pathlib import Path

from pefomed_plugin.config.datasets import read_dataset_config
from pefomed_plugin.config.run import RunConfig
from pefomed_plugin.doctor.findings import ERROR, OK
from pefomed_plugin.doctor.images import check_images
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from pefomed_plugin.services.data.shards import write_shards
from tests.unit.services.small import LEAKY, write_rad


def test_a_damaged_shard_is_told(tmp_path: Path) -> None:
    release = write_rad(tmp_path / "vqa_rad", LEAKY)
    samples = [*VQA_RAD.read(release).splits()["train"]]
    write_shards(samples, release / "images", tmp_path / "shards", 16, per_shard=2)
    section = read_dataset_config("vqa_rad", {"build_info": {"storage": str(tmp_path / "shards")}})
    run = RunConfig(task="medical_vqa", output_dir="out")
    (found,) = check_images("vqa_rad", section, run)
    assert found.state == OK and "samples in" in found.found and "opened" in found.found
    for path in (tmp_path / "shards").rglob("*.tar"):
        path.write_bytes(path.read_bytes()[:700])
    assert {finding.state for finding in check_images("vqa_rad", section, run)} == {ERROR}
