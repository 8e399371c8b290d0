"""The language model: LLaMA-2 from transformers with LoRA from peft, and its tokenizer. Knows nothing of images."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import CheckpointError, ConfigError, one_line

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
    _require_folder(folder, ("tokenizer.model",), "tokenizer")
    return SegmentTokenizer(Path(folder) / "tokenizer.model")


def load_llama(folder: Path, dtype: torch.dtype, bits: str = "none") -> nn.Module:
    """LLaMA from a Hugging Face folder (safetensors or bin), frozen.

    Args:
        dtype: of the weights; of what is computed with them where they are quantised.
        bits: ``none``, ``8bit`` or ``4bit``: what bitsandbytes makes of the linear modules, on this process's GPU.

    Raises:
        CheckpointError: the folder is not a LLaMA checkpoint, or its files cannot be read.
        ConfigError: quantised weights without a GPU or without bitsandbytes.
    """
    from transformers import LlamaForCausalLM  # late: optional
    from transformers.utils import logging  # late: optional

    logging.disable_progress_bar()
    settings = quantised_loading(bits, dtype) if bits != "none" else {}
    _require_folder(folder, ("config.json",), "LLaMA configuration")
    _require_folder(folder, ("*.safetensors", "*.bin"), "weights")
    try:
        llama = LlamaForCausalLM.from_pretrained(str(folder), dtype=dtype, local_files_only=True, **settings)
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder} cannot be read as LLaMA: {one_line(error)}") from error
    return llama.requires_grad_(False)


def quantised_loading(bits: str, dtype: torch.dtype) -> dict[str, Any]:
    """Arguments of ``from_pretrained`` for 8 bits (LLM.int8) or 4 (NF4, doubly quantised, as QLoRA section 3).

    Nothing else of the model is cast: embedding, output layer and norms stay as they are, LoRA is float32 as always.

    Raises:
        ConfigError: there is no GPU, or bitsandbytes is missing; both are said.
    """
    problems = []
    if not torch.cuda.is_available():
        problems.append(
            "torch sees no GPU; check the driver, or set model.llm_quantization=none (model.low_resource=false)"
        )
    if find_spec("bitsandbytes") is None:
        problems.append("the package bitsandbytes is missing; pip install 'pefomed_plugin[quant]'")
    if problems:
        raise ConfigError(f"model.llm_quantization: {bits} cannot be used here", problems)
    from transformers import BitsAndBytesConfig  # late: optional

    config = (
        BitsAndBytesConfig(load_in_8bit=True)
        if bits == "8bit"
        else BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    )
    return {"quantization_config": config, "device_map": {"": int(os.environ.get("LOCAL_RANK", "0"))}}


def recompute_layers(llama: Any) -> None:
    """Let transformers' own forward keep each layer's input only and compute the layer again in the backward pass."""
    enable = getattr(llama, "activation_checkpointing_enable", None) or llama.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def empty_llama(config: Any) -> nn.Module:
    """LLaMA of a transformers configuration without trained weights, frozen; on the meta device it costs nothing."""
    from transformers import LlamaForCausalLM  # late: optional

    return LlamaForCausalLM(config).requires_grad_(False)


def add_lora(llama: nn.Module, rank: int, alpha: int, dropout: float, targets: Sequence[str]) -> nn.Module:
    """LLaMA with trainable low-rank adapters (paper section 3.1: rank 64 on q_proj and v_proj)."""
    from peft import LoraConfig, get_peft_model  # late: optional

    # peft asks transformers by a name that transformers has deprecated; nothing a user could do about it
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, bias="none", task_type="CAUSAL_LM", target_modules=list(targets)
    )
    return get_peft_model(llama, config)


@contextmanager
def merged_lora(llama: Any) -> Iterator[None]:
    """LoRA added to the weights it lies beside, in float32; on leaving, the weights are the very tensors they were.

    Costs a copy of those weights (2 GB for q_proj and v_proj of LLaMA-2-7B in fp16).

    Raises:
        ConfigError: the weights are quantised.
    """
    layers = [module for module in llama.modules() if hasattr(module, "lora_A") and hasattr(module, "base_layer")]
    bases = [layer.base_layer for layer in layers]
    if not all(bas.weight.is_floating_point() for bas in bases):
        raise ConfigError("run.merge_lora: quantised weights cannot take LoRA up; set it to false")
    if not layers:
        yield
        return
    own = [bas.weight.data for bas in bases]
    with llama.disable_adapter():
        try:
            for layer, base, weight in zip(layers, bases, own):
                with torch.no_grad():
                    delta = layer.get_delta_weight(layer.active_adapters[0])
                    base.weight.data = (weight.float() + delta.float()).to(weight.dtype)
            yield
        finally:
            for base, weight in zip(bases, own):
                base.weight.data = weight


def _require_folder(folder: Path, patterns: Sequence[str], what: str) -> None:
    folder = Path(folder)
    if not folder.is_dir():
        raise CheckpointError(f"no LLaMA folder {folder}; set PEFOMED_LLAMA (model.llama_model) to it")
    if not any(next(folder.glob(pattern), None) for pattern in patterns):
        raise CheckpointError(f"{folder} holds no {what}; looked for {', '.join(patterns)}")
