"""One tiny model for all tests of trying a model; hardly trained, so that it says something else to every prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pefomed_plugin import load
from pefomed_plugin.embedded.tiny_model import make_tiny_model
from tests.unit.services.small import small_image

MODEL_SECTION = {
    "image_size": 112,
    "vit": {"embed_dim": 96, "depth": 2, "num_heads": 4, "mlp_ratio": 4.0},
    "lora_r": 16,
    "lora_alpha": 16,
}


@pytest.fixture(scope="session")
def files(tmp_path_factory: Any) -> dict[str, Path]:
    """``llama``, ``vit``, and ``checkpoint``: one that says what it was trained with, LoRA not zero."""
    paths = make_tiny_model(tmp_path_factory.mktemp("tiny"), steps=2)
    tensors = torch.load(paths["checkpoint"], weights_only=True)["model"]
    draw = torch.Generator().manual_seed(0)
    tensors = {
        key: tensor + 0.3 * torch.randn(tensor.shape, generator=draw) if "lora_B" in key else tensor
        for key, tensor in tensors.items()
    }
    path = paths["checkpoint"].with_name("checkpoint_last.pth")
    torch.save({"model": tensors, "epoch": 0, "config": {"model": MODEL_SECTION, "run": {"task": "medical_vqa"}}}, path)
    return {**paths, "checkpoint": path}


@pytest.fixture(scope="session")
def model(files: dict[str, Path]) -> Any:
    """The model itself; a test that changes a setting of it sets it back."""
    return load(files["checkpoint"], llama=files["llama"], vit=files["vit"])


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder with two images, one of them in a sub-folder."""
    folder = tmp_path / "scans"
    (folder / "old").mkdir(parents=True)
    small_image(1).save(folder / "a.png")
    small_image(2).save(folder / "old" / "b.jpg")
    return folder
