"""A tiny language model of each family and its tokenizer, trained here on descriptions of scenes.

The folder is what ``Llama-2-7b-chat-hf`` or ``Qwen3-8B`` is to a real run. The settings of the tokenizer are theirs.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from ..families import DEFAULT_FAMILY, FAMILIES
from ..families.llama import PAD_TOKEN
from . import lessons
from .tiny_tokenizer import LLAMA3_KIND, QWEN2_KIND, QWEN3_KIND, TokenizerKind, write_tokenizer

PIECES = 640
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 128,
    "intermediate_size": 344,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 1024,
    "rms_norm_eps": 1e-6,
    "initializer_range": 0.09,
    "tie_word_embeddings": False,
    "vocab_size": PIECES,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,
    "torch_dtype": "float32",
    "use_cache": True,
}
"""The initial spread is 1 / sqrt(hidden size): with LLaMA's 0.02 so narrow a model stays on a plateau for long."""
_BYTE_LEVEL: dict[str, Any] = {
    **{key: value for key, value in CONFIG.items() if key not in ("bos_token_id", "eos_token_id", "pad_token_id")},
    "num_key_value_heads": 2,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": CONFIG,
    "llama3": {
        **_BYTE_LEVEL,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 256,
        },
    },
    "qwen2": {**_BYTE_LEVEL, "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "tie_word_embeddings": True},
    "qwen3": {**_BYTE_LEVEL, "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "head_dim": 48},
}
"""Family -> ``config.json``: what sets it apart from LLaMA-2 in small too."""
KINDS: dict[str, TokenizerKind] = {"llama3": LLAMA3_KIND, "qwen2": QWEN2_KIND, "qwen3": QWEN3_KIND}
STEPS, PAGES_A_STEP, PEAK_RATE, WARMUP_STEPS = 300, 8, 2.5e-3, 20


def write_language(folder: Path, seed: int, steps: int = STEPS, family: str = DEFAULT_FAMILY.name) -> None:
    """Train tokenizer and model and write ``config.json``, ``model.safetensors``, the tokenizer and its settings.

    Raises:
        ImportError: torch, transformers, safetensors, sentencepiece or tokenizers is missing.
    """
    from safetensors.torch import save_file  # late: optional

    folder.mkdir(parents=True)
    if family in KINDS:
        style = FAMILIES.find(family).prompt_style
        texts = lessons.texts(Random(f"{seed} pieces"), pages=1500, style=style)
        write_tokenizer(folder, KINDS[family], texts, PIECES)
    else:
        (folder / "tokenizer.model").write_bytes(train_tokenizer(seed))
    tokenizer = FAMILIES.find(family).load_tokenizer(folder)
    config = {**CONFIGS[family], "vocab_size": tokenizer.pieces}
    if family in KINDS:
        ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        config.update(ids, pad_token_id=tokenizer.pad_token_id)
    weights = train_language(config, tokenizer, seed, steps, family).state_dict()
    if config["tie_word_embeddings"]:
        weights.pop(FAMILIES.find(family).output_layer)
    save_file(
        {key: weight.contiguous() for key, weight in weights.items()},
        str(folder / "model.safetensors"),
        metadata={"format": "pt"},
    )
    if family in KINDS:
        ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": list(tokenizer.stop_token_ids)}
        _write(folder, {"config.json": config, "generation_config.json": ends})
        return
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    files = {
        "config.json": config,
        "generation_config.json": {"bos_token_id": 1, "eos_token_id": 2},
        "special_tokens_map.json": special,
        "tokenizer_config.json": {
            **special,
            "tokenizer_class": "LlamaTokenizer",
            "add_bos_token": True,
            "add_eos_token": False,
            "clean_up_tokenization_spaces": False,
            "legacy": True,
            "model_max_length": config["max_position_embeddings"],
            "sp_model_kwargs": {},
        },
    }
    _write(folder, files)


def _write(folder: Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def train_tokenizer(seed: int) -> bytes:
    """SentencePiece model of at most ``PIECES`` pieces, trained on the lessons."""
    return train_pieces(lessons.texts(Random(f"{seed} pieces"), pages=1500), PIECES)


def train_pieces(texts: Iterator[str], pieces: int) -> bytes:
    """SentencePiece model of LLaMA's kind, of at most ``pieces`` pieces."""
    from sentencepiece import SentencePieceTrainer  # late: optional

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=texts,
        model_writer=model,
        model_type="bpe",
        vocab_size=pieces,
        hard_vocab_limit=False,
        character_coverage=1.0,
        num_threads=1,
        split_digits=True,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        user_defined_symbols=[PAD_TOKEN],
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        minloglevel=2,
    )
    return model.getvalue()


def train_language(
    config: dict[str, Any], tokenizer: Any, seed: int, steps: int, family: str = DEFAULT_FAMILY.name
) -> Any:
    """A language model trained on the answers of freshly drawn lessons: AdamW, linear warm-up, cosine.

    Args:
        tokenizer: of the family.
    """
    import torch  # late: heavy
    import transformers  # late: optional

    model_class = getattr(transformers, FAMILIES.find(family).model_class)
    style = FAMILIES.find(family).prompt_style
    rng = Random(f"{seed} lessons")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_class(model_class.config_class(**config))
    with torch.no_grad():
        model.lm_head.weight.copy_(model.model.embed_tokens.weight)  # most answers repeat words of the description
    if hasattr(model.model, "_prepare_decoder_attention_mask"):
        # transformers before 4.36, which a MiniGPT-4 checkout pins, adds masks to the scores and takes no whole one
        model.model._prepare_decoder_attention_mask = lambda mask, *_: torch.zeros(mask.shape).masked_fill(
            ~mask, torch.finfo(torch.float32).min
        )
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.01)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = _rate(step, steps)
        pages = [lessons.draw_page(rng, tokenizer.encode, style) for _ in range(PAGES_A_STEP)]
        batch = lessons.collate(pages, tokenizer.bos_token_id, tokenizer.eos_token_id)
        labels = batch.pop("labels")[:, 1:]
        asked = labels != lessons.IGNORED
        hidden = model.model(**batch, use_cache=False).last_hidden_state[:, :-1]
        loss = torch.nn.functional.cross_entropy(model.lm_head(hidden[asked]), labels[asked])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model


def _rate(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    return PEAK_RATE * warm * max(0.02, 0.5 * (1.0 + math.cos(math.pi * step / steps)))
