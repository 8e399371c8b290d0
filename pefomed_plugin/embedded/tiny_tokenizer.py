"""Byte-level tokenizers for tiny models: ``tokenizer.json`` with the settings of LLaMA-3's and Qwen's, trained here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_CHATML = (
    "{%% for message in messages %%}"
    "{%% if loop.first and message['role'] != 'system' %%}%s{%% endif %%}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%% endfor %%}"
    "{%% if add_generation_prompt %%}{{ '<|im_start|>assistant\\n' }}%s{%% endif %%}"
)


@dataclass(frozen=True)
class TokenizerKind:
    """What one family's tokenizer has besides its pieces."""

    split: str
    """Pattern of what is tokenised apart."""
    special: tuple[str, ...]
    """Special tokens; their ids follow those of the pieces."""
    shown: tuple[str, ...] = ()
    """Further tokens of their own that are part of a text."""
    normal_form: bool = False
    """Whether texts are brought into Unicode's NFC first."""
    names: Mapping[str, str | None] | None = None
    """``bos_token``, ``eos_token`` and ``pad_token`` of ``tokenizer_config.json``."""
    chat_template: str = ""
    """Of plain messages, what the published one says of them."""


LLAMA3_KIND = TokenizerKind(
    split=_WORDS + r"\p{N}{1,3}" + _REST,
    special=(
        "<|begin_of_text|>",
        "<|end_of_text|>",
        "<|reserved_special_token_0|>",
        "<|finetune_right_pad_id|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eom_id|>",
        "<|eot_id|>",
    ),
    names={"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<|finetune_right_pad_id|>"},
    chat_template=(
        "{{ bos_token }}{% for message in messages %}"
        "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim "
        "+ '<|eot_id|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
    ),
)
_QWEN_NAMES = {"bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
QWEN2_KIND = TokenizerKind(
    split=_WORDS + r"\p{N}" + _REST,
    special=("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>"),
    normal_form=True,
    names=_QWEN_NAMES,
    chat_template=_CHATML
    % (
        "{{ '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.' "
        "+ '<|im_end|>\\n' }}",
        "",
    ),
)
QWEN3_KIND = TokenizerKind(
    split=QWEN2_KIND.split,
    special=QWEN2_KIND.special,
    shown=("<think>", "</think>"),
    normal_form=True,
    names=_QWEN_NAMES,
    chat_template=_CHATML
    % (
        "",
        "{% if enable_thinking is defined and enable_thinking is false %}"
        "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}",
    ),
)


def write_tokenizer(folder: Path, kind: TokenizerKind, texts: Iterable[str], pieces: int) -> int:
    """Train and write ``tokenizer.json`` and ``tokenizer_config.json``; how many ids there are.

    Args:
        pieces: at most, the 256 bytes among them and special tokens not.

    Raises:
        ImportError: the package tokenizers is missing.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers  # late

    tokenizer: Any = Tokenizer(models.BPE())
    if kind.normal_form:
        tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(kind.split), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=pieces, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    spellings = re.compile("|".join(map(re.escape, (*kind.special, *kind.shown))))
    tokenizer.train_from_iterator((part for text in texts for part in spellings.split(text)), trainer)
    tokenizer.add_special_tokens(list(kind.special))
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in kind.shown])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **(kind.names or {}),
        "chat_template": kind.chat_template,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1024,
    }
    text = json.dumps(settings, indent=2) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
    return int(tokenizer.get_vocab_size())
