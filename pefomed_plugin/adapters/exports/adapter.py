"""LoRA as a PEFT adapter folder with the projection beside it. Builds no model, needs no peft."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import torch

from .contents import ADAPTER_CONFIG, ADAPTER_WEIGHTS, PROJECTOR, Contents, Lora, projector_of
from .writing import noted_of, save_tensors


def write_adapter(contents: Contents, lora: Lora, base_model: str | None, folder: Path) -> None:
    """Write ``adapter_model.safetensors``, ``adapter_config.json`` and ``projector.safetensors`` into ``folder``.

    Args:
        base_model: name on the Hugging Face hub, or path, of the language model; None where there is none to name.
        folder: exists, and is empty.

    Raises:
        CheckpointError: the file has no projection, or the folder cannot be written.
    """
    projector = projector_of(contents)
    lora = lora.for_whole_weights()
    save_tensors(adapter_tensors(lora), folder / ADAPTER_WEIGHTS, noted_of(contents))
    save_tensors(projector, folder / PROJECTOR, noted_of(contents))
    (folder / ADAPTER_CONFIG).write_text(
        json.dumps(adapter_config(lora, base_model), indent=2) + "\n", encoding="utf-8"
    )


def adapter_tensors(lora: Lora, named: Callable[[str], str] = str) -> dict[str, torch.Tensor]:
    """Tensors of an adapter file; ``named`` gives the name that a module has in the model it is for."""
    tensors = {
        f"base_model.model.{named(module)}.lora_{side}.weight": tensor
        for module, pair in lora.pairs.items()
        for side, tensor in zip("AB", pair)
    }
    for module, magnitude in lora.parts.magnitudes.items():
        # as peft writes it, without .weight
        tensors[f"base_model.model.{named(module)}.lora_magnitude_vector"] = magnitude
    tensors.update({f"base_model.model.{named(key)}": tensor for key, tensor in lora.whole.items()})
    return tensors


def adapter_config(lora: Lora, base_model: str | None) -> dict[str, Any]:
    """What peft needs: keys that its older versions do not know stand only where they say something."""
    settings = {
        key: value
        for key, value in lora.settings.record().items()
        if value or key not in ("use_rslora", "rank_pattern", "alpha_pattern")
    }
    return {
        **settings,
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "inference_mode": True,
        "fan_in_fan_out": False,
        "modules_to_save": list(lora.settings.modules_to_save) or None,
    }
