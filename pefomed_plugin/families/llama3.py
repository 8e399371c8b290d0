"""LLaMA-3, 3.1, 3.2 and 3.3: LLaMA's layer with a byte-level tokenizer, other turns and other angles."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..prompts import LLAMA3_CHAT
from .byte_level import FILE, ByteLevelTokenizer, is_byte_level, special_tokens
from .family import LanguageModelFamily, Licence
from .sizes import ATTENTION, MLP, LanguageSize, shapes_of, size_from
from .unsupported import rope_type

_BEGIN, _END, _TEXT_END = "<|begin_of_text|>", "<|eot_id|>", "<|end_of_text|>"


def is_llama3(config: Mapping[str, Any], folder: Path | None) -> bool:
    """Whether a ``config.json`` of type ``llama`` is a LLaMA-3's: by its angles, or by its tokenizer."""
    if rope_type(config) == "llama3":
        return True
    return is_byte_level(folder) and {_BEGIN, _END} <= special_tokens(folder)


def load_tokenizer(folder: Path) -> ByteLevelTokenizer:
    """Tokenizer of a LLaMA-3 folder. Raises CheckpointError: the folder holds none."""
    return ByteLevelTokenizer(
        Path(folder) / FILE,
        end=_END,
        stops=(_END, _TEXT_END, "<|eom_id|>"),
        pads=("<|finetune_right_pad_id|>", _TEXT_END),
        bos=_BEGIN,
    )


def read_size(config: Mapping[str, Any]) -> LanguageSize:
    """Proportions in a LLaMA-3's ``config.json``."""
    attention = ATTENTION if config.get("attention_bias") else ()
    return size_from(config, biases=(*attention, *(MLP if config.get("mlp_bias") else ())))


def tensor_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor of a LLaMA-3 with this ``config.json``."""
    return shapes_of(read_size(config))


def _licence(version: str, built_with: str) -> Licence:
    name = "Meta Llama 3" if version == "3" else f"Llama {version}"
    return Licence(
        identifier=f"llama{version}",
        title=f"{name} Community License",
        notice=(
            f"{name} is licensed under the {name} Community License, Copyright (c) Meta Platforms, Inc. All Rights "
            "Reserved."
        ),
        obliges=f"{built_with}. The name of a model made from it that is passed on begins with {built_with[11:]}.",
        heading=f"{name} COMMUNITY LICENSE",
    )


LLAMA3 = LanguageModelFamily(
    name="llama3",
    title="LLaMA-3",
    model_types=("llama",),
    model_class="LlamaForCausalLM",
    block="llama",
    prompt_style=LLAMA3_CHAT,
    load_tokenizer=load_tokenizer,
    read_size=read_size,
    tensor_shapes=tensor_shapes,
    published_size=LanguageSize(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
    ),
    lora_targets=("q_proj", "v_proj"),
    licence=_licence("3.1", "Built with Llama"),
    other_licences=(
        _licence("3.2", "Built with Llama"),
        _licence("3.3", "Built with Llama"),
        _licence("3", "Built with Meta Llama 3"),
    ),
    home="https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct",
    hub_names={
        2048: "meta-llama/Llama-3.2-1B-Instruct",
        3072: "meta-llama/Llama-3.2-3B-Instruct",
        4096: "meta-llama/Llama-3.1-8B-Instruct",
        8192: "meta-llama/Llama-3.3-70B-Instruct",
    },
    recognises=is_llama3,
    least_transformers="4.43",
)
