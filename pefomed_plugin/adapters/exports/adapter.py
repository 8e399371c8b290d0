"""LoRA as a PEFT adapter folder with the projection beside it. Builds no model, needs no peft."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .contents import ADAPTER_CONFIG, ADAPTER_WEIGHTS, PROJECTOR, Contents, Lora, projector_of
from .writing import noted_of, save_tensors

BASES = {
    4096: "meta-llama/Llama-2-7b-chat-hf",
    5120: "meta-llama/Llama-2-13b-chat-hf",
    8192: "meta-llama/Llama-2-70b-chat-hf",
}
"""LLaMA width -> the model on the Hugging Face hub that MiniGPT-v2 builds upon in that size."""


def llama_width(contents: Contents) -> int | None:
    """Width of the LLaMA a checkpoint belongs to, from its projection; None where it has none."""
    weight = contents.tensors.get("llama_proj.weight")
    return int(weight.shape[0]) if weight is not None else None


def write_adapter(contents: Contents, lora: Lora, alpha: int, base_model: str | None, folder: Path) -> None:
    """Write ``adapter_model.safetensors``, ``adapter_config.json`` and ``projector.safetensors`` into ``folder``.

    Args:
        base_model: name on the Hugging Face hub, or path, of the LLaMA; None where there is none to name.
        folder: exists, and is empty.

    Raises:
        CheckpointError: the file has no projection, or the folder cannot be written.
    """
    projector = projector_of(contents)
    pairs = {
        f"base_model.model.{module}.lora_{side}.weight": tensor
        for module, pair in lora.pairs.items()
        for side, tensor in zip("AB", pair)
    }
    save_tensors(pairs, folder / ADAPTER_WEIGHTS, noted_of(contents))
    save_tensors(projector, folder / PROJECTOR)
    (folder / ADAPTER_CONFIG).write_text(
        json.dumps(adapter_config(contents, lora, alpha, base_model), indent=2) + "\n", encoding="utf-8"
    )


def adapter_config(contents: Contents, lora: Lora, alpha: int, base_model: str | None) -> dict[str, Any]:
    """The keys that every version of peft knows; those of one version make older ones warn or fail."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "inference_mode": True,
        "r": lora.rank,
        "lora_alpha": alpha,
        "lora_dropout": (contents.config.get("model") or {}).get("lora_dropout", 0.0),
        "target_modules": list(lora.targets),
        "bias": "none",
        "fan_in_fan_out": False,
        "modules_to_save": None,
    }
