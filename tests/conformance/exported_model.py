"""The golden model as a transformers folder, and what our own model says to the same prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from pefomed_plugin.adapters.exports.contents import find_lora, read_contents
from pefomed_plugin.adapters.exports.transformers_folder import Parts, write_transformers, write_with_adapter
from pefomed_plugin.adapters.exports.writing import fresh_folder
from pefomed_plugin.prompts import LLAMA2_CHAT, PROMPT_TEMPLATES
from pefomed_plugin.toolkit.language_folder import open_language_folder
from pefomed_plugin.vision_encoders import encoder_of
from tests.conformance.golden import FOLDER, golden


def golden_parts(folder: Path) -> Parts:
    """What MiniGPT-v2 itself wrote after the golden training; the vision encoder as a released file."""
    initial = load_file(str(FOLDER / "initial.safetensors"))
    vision = {key.partition("visual_encoder.")[2]: one for key, one in initial.items() if "visual_encoder." in key}
    torch.save({key: one.clone() for key, one in vision.items()}, folder / "eva_vit.pth")
    contents = read_contents(FOLDER / "checkpoint_upstream.pth")
    settings = golden()["model"]
    return Parts(
        contents,
        find_lora(contents),
        open_language_folder(FOLDER / "tiny_llama"),
        encoder_of({"vit": golden()["vit"], "image_size": settings["img_size"]}),
        folder / "eva_vit.pth",
        PROMPT_TEMPLATES,
        LLAMA2_CHAT.turn,
        settings["end_sym"],
    )


def export_golden(folder: Path, with_adapter: bool = False) -> Path:
    """The folder ``hub`` in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / "hub"
    parts = golden_parts(folder)
    with fresh_folder(out) as partial:
        if with_adapter:
            write_with_adapter(parts, partial, str(out / "base"))
        else:
            write_transformers(parts, partial)
    return out


def loaded(folder: Path, **settings: Any) -> Any:
    """Model and processor, as anybody loads them."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(str(folder), trust_remote_code=True, **settings)
    return model.eval(), AutoProcessor.from_pretrained(str(folder), trust_remote_code=True)
