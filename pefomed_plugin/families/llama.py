"""LLaMA-2, the language model of MiniGPT-v2 and of the paper."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..prompts import LLAMA2_CHAT
from .byte_level import is_byte_level
from .family import LanguageModelFamily, Licence
from .llama3 import is_llama3
from .sizes import ATTENTION, MLP, LanguageSize, shapes_of, size_from

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
        self.stop_token_ids = (self.eos_token_id,)
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

    def plain(self, text: str) -> str:
        """The text: MiniGPT-v2 takes ``</s>`` in a question for the special token."""
        return text


def load_tokenizer(folder: Path) -> SegmentTokenizer:
    """Tokenizer of a LLaMA folder.

    Raises:
        CheckpointError: the folder holds no ``tokenizer.model``.
    """
    path = Path(folder) / "tokenizer.model"
    if not path.is_file():
        raise CheckpointError(
            f"{folder} holds no tokenizer; looked for tokenizer.model, LLaMA-2's, and for tokenizer.json, LLaMA-3's"
        )
    return SegmentTokenizer(path)


def read_size(config: Mapping[str, Any]) -> LanguageSize:
    """Proportions in a LLaMA's ``config.json``."""
    attention = ATTENTION if config.get("attention_bias") else ()
    return size_from(config, biases=(*attention, *(MLP if config.get("mlp_bias") else ())))


def tensor_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor of a LLaMA with this ``config.json``."""
    return shapes_of(read_size(config))


def _recognises(config: Mapping[str, Any], folder: Path | None) -> bool:
    return not is_llama3(config, folder) and not is_byte_level(folder)


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
    ),
    home="https://huggingface.co/meta-llama/Llama-2-7b-chat-hf",
    hub_names={
        4096: "meta-llama/Llama-2-7b-chat-hf",
        5120: "meta-llama/Llama-2-13b-chat-hf",
        8192: "meta-llama/Llama-2-70b-chat-hf",
    },
    recomputed=("rotary_emb.inv_freq",),
    upstream_names=(("lm_head.0.", "lm_head."),),
    recognises=_recognises,
)
