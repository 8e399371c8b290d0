"""A whole run with SigLIP's architecture on the embedded default: trained, cached, answered, recorded, resumed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import save_file

from pefomed_plugin.embedded.tiny_vision import random_weights
from pefomed_plugin.toolkit.checkpoint import read_checkpoint
from pefomed_plugin.vision_encoders import encoder_of

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
NAME = "timm/vit_base_patch16_siglip_224"
VIT = {"embed_dim": 96, "depth": 2, "num_heads": 4, "mlp_ratio": 4.0}
"""As the YAML has it for the tiny model."""
WHOLE = encoder_of({"vit_model": NAME}).name
"""With the tag of timm's default weights."""
OPTIONS = [
    f"model.vit_model={NAME}",
    "model.image_size=128",
    "model.lora_r=8",
    "datasets.vqa_rad.limit={train: 48, test: 8}",
    "datasets.vqa_rad.batch_size=8",
    "run.iters_per_epoch=30",
    "run.image_cache=features",
    "run.valid_splits=[]",
]


@pytest.fixture(scope="module")
def run(small_sample: Path, tmp_path_factory: Any) -> Any:
    """Function from further options to the process of ``train.py``."""
    folder = tmp_path_factory.mktemp("siglip")
    encoder = encoder_of({"vit_model": NAME, "vit": VIT, "image_size": 128})
    save_file(random_weights(encoder, 0), str(folder / "vit.safetensors"))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PEFOMED_")}
    environ = {**clean, "PEFOMED_SAMPLE": str(small_sample), "OMP_NUM_THREADS": "1"}

    def start(*options: str) -> tuple[Path, subprocess.CompletedProcess[str]]:
        own = [f"model.vit_weights={folder / 'vit.safetensors'}", f"run.output_dir={folder / 'run'}"]
        own += [f"run.cache_dir={folder / 'cache'}", "model.ckpt=null"]
        command = [sys.executable, "train.py", "--cfg-path", "projects/pefomed/stage2_vqa_rad.yaml", "--options"]
        done = subprocess.run(
            [*command, *OPTIONS, *own, *options],
            cwd=str(ROOT),
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return folder / "run", done

    return start


def test_it_learns_and_everything_says_with_what(run: Any) -> None:
    out, done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    losses = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    steps = [line["loss"] for line in losses if "iteration" in line and "loss" in line]
    assert sum(steps[-8:]) < 0.8 * sum(steps[:8]), "the loss has not fallen"
    record = read_checkpoint(out / "checkpoint_last.pth")["vision_encoder"]
    assert (record["name"], record["image_size"], record["mean"]) == (WHOLE, 128, [0.5, 0.5, 0.5])
    assert record["given"] == VIT and len(record["weights"]) == 16
    config = yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8"))
    assert config["datasets"]["vqa_rad"]["vis_processor"]["eval"]["mean"] == [0.5, 0.5, 0.5]
    assert len((out / "results" / "vqa_rad-test" / "predictions.jsonl").read_text().splitlines()) == 8
    assert f" model.vit_model={WHOLE} model.image_size=128`" in (out / "README.md").read_text(encoding="utf-8")
    _, done = run("run.resume=auto", "model.image_size=112", "model.vit.patch_size=14")
    assert done.returncode != 0
    assert "was trained with the vision encoder" in done.stdout + done.stderr
    assert "patch_size: 16 then, 14 now" in done.stdout + done.stderr
