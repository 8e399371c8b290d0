"""``pefomed predict --api`` against ``pefomed serve`` gives the answers of ``pefomed evaluate``, letter for letter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.storage import read_predictions

from .trying.conftest import MODEL_SECTION
from .trying.serving import Served

pytest.importorskip("openai")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def pefomed(environ: dict[str, str], *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pefomed_plugin.cli", *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def answers(path: Path) -> dict[str, Any]:
    return {record.id: record.prediction for record in read_predictions(path)}


def make_checkpoint(tiny: Path, path: Path) -> None:
    """The tiny model with a LoRA of noise: it says something else to every prompt."""
    import torch

    tensors = torch.load(tiny / "minigptv2_tiny.pth", weights_only=True)["model"]
    draw = torch.Generator().manual_seed(0)
    for name, tensor in tensors.items():
        if "lora_B" in name:
            tensors[name] = tensor + 0.6 * torch.randn(tensor.shape, generator=draw)
    torch.save({"model": tensors, "epoch": 0, "config": {"model": MODEL_SECTION}}, path)


def test_served_answers_are_evaluations(sample: Path, tmp_path: Path) -> None:
    environ, tiny, checkpoint = {"PEFOMED_SAMPLE": str(sample)}, sample / "tiny", tmp_path / "noisy.pth"
    make_checkpoint(tiny, checkpoint)
    places = ("--llama", str(tiny / "llama"), "--vit", str(tiny / "eva_vit.pth"))
    with Served("--ckpt", str(checkpoint), *places, **environ) as server:
        asking = {**environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none"}
        for name in ("vqa_rad", "iu_xray"):
            out, served = tmp_path / name, tmp_path / f"{name}_served"
            options = (f"run.output_dir={out}", f"model.ckpt={checkpoint}")
            pefomed(environ, "evaluate", "--cfg-path", f"eval_configs/pefomed_{name}.yaml", "--options", *options)
            size = ("--image-size", "112")
            pefomed(asking, "predict", name, str(sample / name), "--api", server.model, *size, "--out", str(served))
            expected = answers(out / "results" / f"{name}-test" / "predictions.jsonl")
            found = answers(served / "predictions.jsonl")
            assert len(expected) > 20 and len(set(expected.values())) > 3
            assert "" in expected.values() if name == "vqa_rad" else max(map(len, expected.values())) > 800
            assert found == expected, "those that end at the task's limit and the empty ones too"
