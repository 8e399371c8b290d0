"""Qwen2, Qwen2.5 and Qwen3 (dense): ChatML, a byte-level tokenizer, sequences that begin with their text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..prompts import QWEN3_CHAT, QWEN25_CHAT
from .byte_level import FILE, ByteLevelTokenizer
from .family import LanguageModelFamily, Licence
from .sizes import ATTENTION, LanguageSize, shapes_of, size_from

_END, _TEXT_END = "<|im_end|>", "<|endoftext|>"
_APACHE = Licence(
    identifier="apache-2.0",
    title="Apache License 2.0",
    notice="The Qwen language model is licensed under the Apache License 2.0, Copyright Alibaba Cloud.",
    heading="Apache License Version 2.0",
)
_OTHERS = (
    Licence(
        identifier="other",
        title="Qwen Research License",
        notice=(
            "Qwen is licensed under the Qwen RESEARCH LICENSE AGREEMENT, Copyright (c) Alibaba Cloud. All Rights "
            "Reserved."
        ),
        obliges='Not for commercial use without a licence of Alibaba Cloud\'s; say "Built with Qwen".',
        heading="Qwen RESEARCH LICENSE",
    ),
    Licence(
        identifier="other",
        title="Qwen License",
        notice="Qwen is licensed under the Qwen LICENSE AGREEMENT, Copyright (c) Alibaba Cloud. All Rights Reserved.",
        obliges='Above 100 million users a month only with a licence of Alibaba Cloud\'s; say "Built with Qwen".',
        heading="Qwen LICENSE",
    ),
)


def load_tokenizer(folder: Path) -> ByteLevelTokenizer:
    """Tokenizer of a Qwen folder. Raises CheckpointError: the folder holds none."""
    return ByteLevelTokenizer(Path(folder) / FILE, end=_END, stops=(_END, _TEXT_END), pads=(_TEXT_END,))


def read_qwen2_size(config: Mapping[str, Any]) -> LanguageSize:
    """Proportions in a Qwen2's ``config.json``; queries, keys and values always have a bias."""
    return size_from(config, biases=("q_proj", "k_proj", "v_proj"))


def read_qwen3_size(config: Mapping[str, Any]) -> LanguageSize:
    """Proportions in a Qwen3's ``config.json``; a head is 128 wide where it does not say."""
    biases = ATTENTION if config.get("attention_bias") else ()
    return size_from({"head_dim": 128, **config}, biases=biases, qk_norm=True)


def qwen2_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor of a Qwen2 with this ``config.json``."""
    return shapes_of(read_qwen2_size(config))


def qwen3_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor of a Qwen3 with this ``config.json``."""
    return shapes_of(read_qwen3_size(config))


QWEN2 = LanguageModelFamily(
    name="qwen2",
    title="Qwen2.5",
    model_types=("qwen2",),
    model_class="Qwen2ForCausalLM",
    block="llama",
    prompt_style=QWEN25_CHAT,
    load_tokenizer=load_tokenizer,
    read_size=read_qwen2_size,
    tensor_shapes=qwen2_shapes,
    published_size=LanguageSize(
        vocab_size=152064,
        hidden_size=3584,
        intermediate_size=18944,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        head_dim=128,
        biases=("q_proj", "k_proj", "v_proj"),
    ),
    lora_targets=("q_proj", "v_proj"),
    licence=_APACHE,
    other_licences=_OTHERS,
    home="https://huggingface.co/Qwen/Qwen2.5-7B-Instruct",
    hub_names={
        896: "Qwen/Qwen2.5-0.5B-Instruct",
        1536: "Qwen/Qwen2.5-1.5B-Instruct",
        2048: "Qwen/Qwen2.5-3B-Instruct",
        3584: "Qwen/Qwen2.5-7B-Instruct",
        8192: "Qwen/Qwen2.5-72B-Instruct",
    },
    least_transformers="4.37",
)
QWEN3 = LanguageModelFamily(
    name="qwen3",
    title="Qwen3",
    model_types=("qwen3",),
    model_class="Qwen3ForCausalLM",
    block="qwen3",
    prompt_style=QWEN3_CHAT,
    load_tokenizer=load_tokenizer,
    read_size=read_qwen3_size,
    tensor_shapes=qwen3_shapes,
    published_size=LanguageSize(
        vocab_size=151936,
        hidden_size=4096,
        intermediate_size=12288,
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        qk_norm=True,
    ),
    lora_targets=("q_proj", "v_proj"),
    licence=_APACHE,
    home="https://huggingface.co/Qwen/Qwen3-8B",
    hub_names={
        1024: "Qwen/Qwen3-0.6B",
        2048: "Qwen/Qwen3-1.7B",
        2560: "Qwen/Qwen3-4B",
        4096: "Qwen/Qwen3-8B",
    },
    least_transformers="4.51",
)
