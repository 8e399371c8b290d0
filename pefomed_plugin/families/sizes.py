"""How many parameters each part of MiniGPT-v2 has, from its proportions alone. Loads no weights and needs no torch.

The counts equal those of the model that is built from the same configuration (``tests/conformance/test_real_size.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..vision_encoders import VisionEncoder

KEY_BLOCK = 64
"""Columns in which memory for keys and values is taken: lengths are rounded up to them, so that few shapes occur."""


ATTENTION, MLP = ("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "up_proj", "down_proj")
"""Linear modules of a decoder layer."""


@dataclass(frozen=True)
class LanguageSize:
    """Proportions of a language model whose layers are LLaMA's, under the names of its ``config.json``."""

    vocab_size: int
    hidden_size: int
    """Width H."""
    intermediate_size: int
    """Width of the MLP."""
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    """Width of one head."""
    tie_word_embeddings: bool = False
    """Whether the output layer is the embedding."""
    biases: tuple[str, ...] = ()
    """Linear modules that have a bias."""
    qk_norm: bool = False
    """Whether each head of queries and of keys is normalised (Qwen3)."""

    @property
    def query_width(self) -> int:
        """Width of all queries of a token."""
        return self.num_attention_heads * self.head_dim

    @property
    def key_width(self) -> int:
        """Width of all keys of a token; the values are as wide."""
        return self.num_key_value_heads * self.head_dim

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Linear modules of one layer: name -> (inputs, outputs)."""
        hidden, inner = self.hidden_size, self.intermediate_size
        return {
            "q_proj": (hidden, self.query_width),
            "k_proj": (hidden, self.key_width),
            "v_proj": (hidden, self.key_width),
            "o_proj": (self.query_width, hidden),
            "gate_proj": (hidden, inner),
            "up_proj": (hidden, inner),
            "down_proj": (inner, hidden),
        }

    @property
    def in_matrices(self) -> int:
        """Parameters in the linear modules of all layers: what a quantised model holds in fewer bits."""
        return self.num_hidden_layers * sum(rows * columns for rows, columns in self.matrices().values())

    @property
    def elsewhere(self) -> int:
        """All other parameters: embedding, output layer, norms, biases."""
        tables = 1 if self.tie_word_embeddings else 2
        layer = 2 * self.hidden_size + sum(self.matrices()[name][1] for name in self.biases)
        layer += 2 * self.head_dim if self.qk_norm else 0
        return self.hidden_size * (tables * self.vocab_size + 1) + self.num_hidden_layers * layer


def size_from(config: Mapping[str, Any], biases: tuple[str, ...] = (), qk_norm: bool = False) -> LanguageSize:
    """Proportions under the names that LLaMA's, Qwen2's and Qwen3's ``config.json`` share.

    Raises:
        KeyError, TypeError, ValueError: one is missing or no number.
    """
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
        biases=biases,
        qk_norm=qk_norm,
    )


def shapes_of(size: LanguageSize) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor of a model of these proportions, as transformers names LLaMA's and Qwen's."""
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (size.vocab_size, size.hidden_size)}
    for layer in range(size.num_hidden_layers):
        prefix = f"model.layers.{layer}."
        for name, (inputs, outputs) in size.matrices().items():
            part = "self_attn" if name in ATTENTION else "mlp"
            shapes[f"{prefix}{part}.{name}.weight"] = (outputs, inputs)
            if name in size.biases:
                shapes[f"{prefix}{part}.{name}.bias"] = (outputs,)
        for norm in ("q_norm", "k_norm") if size.qk_norm else ():
            shapes[f"{prefix}self_attn.{norm}.weight"] = (size.head_dim,)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"{prefix}{norm}.weight"] = (size.hidden_size,)
    shapes["model.norm.weight"] = (size.hidden_size,)
    if not size.tie_word_embeddings:
        shapes["lm_head.weight"] = (size.vocab_size, size.hidden_size)
    return shapes


@dataclass(frozen=True)
class ModelSize:
    """All parts of one model."""

    language: LanguageSize
    vision: VisionEncoder
    lora_rank: int
    lora_targets: tuple[str, ...]
    published: bool = False
    """Whether the language model's sizes are the published ones, because its folder is not there."""
    dora: bool = False
    """Whether each row of an adapted matrix has a length of its own."""
    whole: int = 0
    """Parameters of the modules that are trained whole (``modules_to_save``)."""
    starts: bool = False
    """Whether checkpoints hold what the adapters began as besides (PiSSA, OLoRA)."""
    ranks: Mapping[str, int] = field(default_factory=dict)
    """Module -> rank, where ranks differ."""

    @property
    def pairs(self) -> int:
        """Parameters of A and B of all adapters."""
        matrices = {
            target.rpartition(".")[2]: self.language.matrices()[target.rpartition(".")[2]]
            for target in self.lora_targets
        }
        if self.ranks:
            adapted = {module: module.rpartition(".")[2] for module in self.ranks}
            return sum(self.ranks[module] * sum(matrices[name]) for module, name in adapted.items() if name in matrices)
        return self.language.num_hidden_layers * self.lora_rank * sum(map(sum, matrices.values()))

    @property
    def lora(self) -> int:
        """Parameters in the adapters."""
        outputs = sum(self.language.matrices()[target.rpartition(".")[2]][1] for target in self.lora_targets)
        return self.pairs + self.dora * self.language.num_hidden_layers * outputs

    @property
    def trained(self) -> int:
        """Trainable parameters: projection, LoRA (56,627,200 in the paper) and modules that are trained whole."""
        hidden = self.language.hidden_size
        return self.vision.grouped_width * hidden + hidden + self.lora + self.whole
