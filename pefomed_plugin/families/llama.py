"""LLaMA-2, the language model of MiniGPT-v2 and of the paper."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..prompts import LLAMA2_CHAT
from .family import LanguageModelFamily, Licence
from .sizes import LanguageSize

PAD_TOKEN = "$$"
"""MiniGPT-v2's padding token, a piece of LLaMA's vocabulary that its training text never holds."""


class SegmentTokenizer:
    """LLaMA's SentencePiece model as MiniGPT-v2 uses it: every text segment tokenised apart, no special token added.

    Token ids and texts equal those of the slow tokenizer of transformers 4.30 (``golden/``); the tokenizers of later
    versions differ behind a special token and in undecodable bytes.
    """

    def __init__(self, model_file: Path) -> None:
        from sentencepiece import SentencePieceProcessor  # late: optional

        self._pieces = SentencePieceProcessor(model_file=str(model_file))
        self.pieces: int = self._pieces.vocab_size()
        """Size of the vocabulary."""
        self.bos_token_id: int = self._pieces.bos_id()
        self.eos_token_id: int = self._pieces.eos_id()
        self.pad_token_id: int = self._pieces.piece_to_id(PAD_TOKEN)
        self._special = {"<s>": self.bos_token_id, "</s>": self.eos_token_id}

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        """Token ids, with ``<s>`` in front if asked for; ``<s>`` and ``</s>`` in the text are the special tokens."""
        ids: list[int] = [self.bos_token_id] if add_special_tokens else []
        for part in re.split("(</?s>)", text):
            if part in self._special:
                ids.append(self._special[part])
            elif part:
                ids.extend(self._pieces.encode(part))
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special tokens left out."""
        special = {*self._special.values(), self._pieces.unk_id()}
        return self._pieces.decode([token_id for token_id in ids if token_id not in special])


def load_tokenizer(folder: Path) -> SegmentTokenizer:
    """Tokenizer of a LLaMA folder.

    Raises:
        CheckpointError: the folder holds no ``tokenizer.model``.
    """
    path = Path(folder) / "tokenizer.model"
    if not path.is_file():
        raise CheckpointError(
            f"{folder} holds no tokenizer; looked for tokenizer.model, LLaMA-2's (a LLaMA-3 has none and is not read)"
        )
    return SegmentTokenizer(path)


def read_size(config: Mapping[str, Any]) -> LanguageSize:
    """Proportions in a LLaMA's ``config.json``."""
    heads = int(config["num_attention_heads"])
    hidden = int(config["hidden_size"])
    return LanguageSize(
        vocab_size=int(config["vocab_size"]),
        hidden_size=hidden,
        intermediate_size=int(config["intermediate_size"]),
        num_hidden_layers=int(config["num_hidden_layers"]),
        num_attention_heads=heads,
        num_key_value_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        tie_word_embeddings=bool(config.get("tie_word_embeddings", False)),
    )


def tensor_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor of a LLaMA with this ``config.json``."""
    size = read_size(config)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (size.vocab_size, size.hidden_size)}
    with_bias = {"self_attn": bool(config.get("attention_bias")), "mlp": bool(config.get("mlp_bias"))}
    for layer in range(size.num_hidden_layers):
        prefix = f"model.layers.{layer}."
        for name, (inputs, outputs) in size.matrices().items():
            part = "self_attn" if name in ("q_proj", "k_proj", "v_proj", "o_proj") else "mlp"
            shapes[f"{prefix}{part}.{name}.weight"] = (outputs, inputs)
            if with_bias[part]:
                shapes[f"{prefix}{part}.{name}.bias"] = (outputs,)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{prefix}{norm}.weight"] = (size.hidden_size,)
    shapes["model.norm.weight"] = (size.hidden_size,)
    if not size.tie_word_embeddings:
        shapes["lm_head.weight"] = (size.vocab_size, size.hidden_size)
    return shapes


LLAMA = LanguageModelFamily(
    name="llama",
    title="LLaMA",
    model_types=("llama",),
    model_class="LlamaForCausalLM",
    block="llama",
    prompt_style=LLAMA2_CHAT,
    load_tokenizer=load_tokenizer,
    read_size=read_size,
    tensor_shapes=tensor_shapes,
    published_size=LanguageSize(
        vocab_size=32000,
        hidden_size=4096,
        intermediate_size=11008,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=32,
        head_dim=128,
    ),
    lora_targets=("q_proj", "v_proj"),
    licence=Licence(
        identifier="llama2",
        title="LLAMA 2 Community License",
        notice=(
            "Llama 2 is licensed under the LLAMA 2 Community License, Copyright (c) Meta Platforms, Inc. All Rights "
            "Reserved."
        ),
        files=("LICENSE*", "USE_POLICY*", "Notice*", "NOTICE*"),
    ),
    home="https://huggingface.co/meta-llama/Llama-2-7b-chat-hf",
    hub_names={
        4096: "meta-llama/Llama-2-7b-chat-hf",
        5120: "meta-llama/Llama-2-13b-chat-hf",
        8192: "meta-llama/Llama-2-70b-chat-hf",
    },
    recomputed=("rotary_emb.inv_freq",),
    upstream_names=(("lm_head.0.", "lm_head."),),
    companions=(
        "config.json",
        "generation_config.json",
        "tokenizer.model",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
    ),
)
