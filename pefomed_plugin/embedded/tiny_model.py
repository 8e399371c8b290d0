"""The tiny model of the embedded default: a LLaMA folder, a ViT, and the checkpoint from which fine-tuning starts.

The same files, in the same formats, as ``Llama-2-7b-chat-hf``, ``eva_vit_g.pth`` and ``minigptv2_checkpoint.pth`` of a
real run. Nothing of them comes from a released model.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from ..environment import tiny_part
from ..families import DEFAULT_FAMILY, FAMILIES
from ..json_text import parse_json
from ..lora import FAMILY
from ..origins import mark_generated
from . import code_digest
from .tiny_language import CONFIGS, STEPS, write_language
from .tiny_vision import WIDTH, random_vit

LORA_RANK = 16
LORA_TARGETS = ("q_proj", "v_proj")
STAMP = "made_from.json"
"""Written last, into the folder: seed, code and steps."""


def make_tiny_model(out: Path, seed: int = 0, steps: int = STEPS, family: str = DEFAULT_FAMILY.name) -> dict[str, Path]:
    """Write ``out/tiny`` (another family: ``out/tiny_qwen3``), unless it is there from the same seed and code.

    Args:
        out: parent folder.
        seed: of the weights and of the lessons.
        steps: of the language model's training; less than the default answers badly, which suffices for tests.
        family: of the language model, one of ``tiny_language.CONFIGS``.

    Returns:
        ``llama`` (folder), ``vit`` and ``checkpoint``.

    Raises:
        ImportError: torch, transformers, safetensors or sentencepiece is missing.
    """
    folder, made_from = Path(out) / tiny_part(family), {"seed": seed, "code": code_digest(), "steps": steps}
    paths = {"llama": folder / "llama", "vit": folder / "eva_vit.pth", "checkpoint": folder / "minigptv2_tiny.pth"}
    if _stamp(folder) == made_from:
        return paths
    import torch  # late: heavy

    fresh = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        write_language(fresh / "llama", seed, steps, family)
        torch.save(random_vit(seed), fresh / paths["vit"].name)
        named = {} if family == DEFAULT_FAMILY.name else {FAMILY: family}
        torch.save({"model": untrained_tensors(seed, family), **named}, fresh / paths["checkpoint"].name)
        mark_generated(fresh, {"part": folder.name, "seed": seed})
        (fresh / STAMP).write_text(json.dumps(made_from) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return paths


def _stamp(folder: Path) -> Any:
    path = folder / STAMP
    return parse_json(path.read_bytes()) if path.is_file() else None


def untrained_tensors(seed: int, family: str = DEFAULT_FAMILY.name) -> dict[str, Any]:
    """What fine-tuning trains, as yet untrained, in MiniGPT-v2's key names.

    The projection begins as torch's ``Linear`` does; LoRA as in its paper (A random, B zero), so that the language
    model is at first unchanged.
    """
    import torch  # late: heavy

    draw = torch.Generator().manual_seed(seed + 1)
    size = FAMILIES.find(family).read_size(CONFIGS[family])
    hidden = size.hidden_size

    def uniform(rows: int, columns: int) -> Any:
        return (torch.rand(rows, columns, generator=draw) * 2.0 - 1.0) * columns**-0.5

    tensors = {"llama_proj.weight": uniform(hidden, 4 * WIDTH), "llama_proj.bias": torch.zeros(hidden)}
    for layer in range(size.num_hidden_layers):
        for target in LORA_TARGETS:
            prefix = f"llama_model.base_model.model.model.layers.{layer}.self_attn.{target}."
            tensors[prefix + "lora_A.weight"] = uniform(LORA_RANK, hidden)
            tensors[prefix + "lora_B.weight"] = torch.zeros(size.matrices()[target][1], LORA_RANK)
    return tensors
