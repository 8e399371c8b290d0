"""Small weights folders and files that look like the real ones from outside: names and shapes, random values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from pefomed_plugin.doctor.weights import Sizes
from pefomed_plugin.families.llama import tensor_shapes
from pefomed_plugin.vision_encoders import VisionEncoder

SMALL = Sizes(hidden=32, encoder=VisionEncoder(embed_dim=8, depth=2, patch_size=4))
TOKENIZER = Path(__file__).resolve().parents[2] / "assets" / "golden" / "tiny_llama" / "tokenizer.model"


def make_llama(folder: Path, **changes: Any) -> Path:
    """A LLaMA folder of one safetensors file."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True)
    config = {
        "model_type": "llama",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "intermediate_size": 64,
        "vocab_size": 512,
        **changes,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "tokenizer.model").write_bytes(TOKENIZER.read_bytes())
    zeros = {name: torch.zeros(shape) for name, shape in tensor_shapes(config).items()}
    save_file(zeros, str(folder / "model.safetensors"))
    return folder


def vit_tensors() -> dict[str, torch.Tensor]:
    """Of a vision encoder of the small sizes, one block more than is used, as the released file has."""
    tensors = {
        "cls_token": torch.zeros(1, 1, 8),
        "pos_embed": torch.zeros(1, 5, 8),
        "patch_embed.proj.weight": torch.zeros(8, 3, 4, 4),
    }
    return {**tensors, **{f"blocks.{number}.attn.qkv.weight": torch.zeros(24, 8) for number in range(3)}}


def lora_tensors(
    rank: int = 4, spelling: str = "lora_A.weight", targets: Any = ("q_proj", "v_proj"), hidden: int = 32
) -> dict[str, torch.Tensor]:
    """Projection and LoRA of two layers, in a spelling of the keys."""
    prefix = "llama_model.base_model.model.model.layers."
    tensors = {"llama_proj.weight": torch.zeros(hidden, 32), "llama_proj.bias": torch.zeros(hidden)}
    for layer in range(2):
        for target in targets:
            for side, shape in (("lora_A", (rank, hidden)), ("lora_B", (hidden, rank))):
                name = f"{prefix}{layer}.self_attn.{target}.{spelling.replace('lora_A', side)}"
                tensors[name] = torch.zeros(shape)
    return tensors


def save(content: Any, path: Path) -> Path:
    """With torch."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, str(path))
    return path
