"""The yardstick: what MiniGPT-v2 computed on a tiny model (``tests/assets/golden``), and that model rebuilt here."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from pefomed_plugin.families.llama import load_tokenizer
from pefomed_plugin.lora import LoraSettings
from pefomed_plugin.toolkit.bundled import language
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from pefomed_plugin.toolkit.checkpoint import load_weights
from pefomed_plugin.toolkit.language_folder import open_language_folder
from pefomed_plugin.vision_encoders import encoder_of

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "golden"


@cache
def golden() -> dict[str, Any]:
    """Numbers, prompts and answers."""
    return json.loads((FOLDER / "golden.json").read_text(encoding="utf-8"))


@cache
def arrays() -> dict[str, torch.Tensor]:
    """Images (6, 3, 56, 56) and the tensors computed from them.

    The file holds every eighth row of the first channel of the images only. They are standard normal numbers of seed 3,
    drawn again here and checked against what the file does hold (``vit`` then shows that the rest is right as well).
    """
    stored = load_file(str(FOLDER / "arrays.safetensors"))
    images = torch.randn(6, 3, 56, 56, generator=torch.Generator().manual_seed(3))
    assert torch.equal(images[:, ::8, ::8], stored["images"]), "this torch draws other numbers for seed 3"
    return {**stored, "images": images}


def golden_model(
    weights: str = "initial.safetensors",
    lora_dropout: float = 0.0,
    lora: LoraSettings | None = None,
    lora_is_read: bool = False,
    folder: Path = FOLDER / "tiny_llama",
) -> MiniGPTv2:
    """The tiny model with the weights MiniGPT-v2 started from, float32 on the CPU; with other ``lora``, untrained."""
    settings = golden()["model"]
    model = MiniGPTv2(
        language.load_language_model(open_language_folder(folder), torch.float32),
        load_tokenizer(folder),
        lora or LoraSettings(settings["lora_r"], settings["lora_alpha"], ("q_proj", "v_proj"), lora_dropout),
        encoder=encoder_of({"vit": golden()["vit"], "image_size": settings["img_size"]}),
        max_txt_len=settings["max_txt_len"],
        end_sym=settings["end_sym"],
        chat_template=settings["chat_template"],
        lora_is_read=lora_is_read,
    )
    if lora is None:
        report = load_weights(model, load_file(str(FOLDER / weights)), weights)
        assert not report.missing, str(report)
    return model.eval()


def samples(*numbers: int) -> dict[str, Any]:
    """A batch of the six golden samples, all of them without ``numbers``."""
    chosen = list(numbers) or list(range(6))
    return {
        "image": arrays()["images"][chosen],
        "instruction_input": [golden()["instruction_input"][each] for each in chosen],
        "answer": [golden()["answer"][each] for each in chosen],
    }
