"""How many numbers each part of MiniGPT-v2 has, from its proportions alone. Loads no weights and needs no torch.

The counts equal those of the model that is built from the same configuration (``tests/conformance/test_real_size.py``).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ...config.model import ModelConfig, VitConfig
from ...errors import ConfigError, near_names, one_line


@dataclass(frozen=True)
class LlamaSize:
    """Proportions of the language model; the defaults are Llama-2-7b's as published in its ``config.json``."""

    vocab_size: int = 32000
    hidden_size: int = 4096
    """Width H."""
    intermediate_size: int = 11008
    """Width of the MLP."""
    num_hidden_layers: int = 32
    num_attention_heads: int = 32
    num_key_value_heads: int = 32
    head_dim: int = 128
    """Width of one head."""
    tie_word_embeddings: bool = False
    """Whether the output layer is the embedding."""

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
        """Numbers in the linear modules of all layers: what a quantised model holds in fewer bits."""
        return self.num_hidden_layers * sum(rows * columns for rows, columns in self.matrices().values())

    @property
    def elsewhere(self) -> int:
        """All other numbers: embedding, output layer, norms."""
        tables = 1 if self.tie_word_embeddings else 2
        return self.hidden_size * (tables * self.vocab_size + 2 * self.num_hidden_layers + 1)


@dataclass(frozen=True)
class VisionSize:
    """Proportions of the vision encoder; the defaults are EVA-CLIP ViT-g's as MiniGPT-v2 uses it."""

    patch_size: int = 14
    embed_dim: int = 1408
    """Width D."""
    depth: int = 39
    num_heads: int = 16
    mlp_ratio: float = 4.3637
    image_size: int = 448
    """Pixels a side."""

    @property
    def patches(self) -> int:
        """N: patches of an image; four of them make one visual token."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def mlp_width(self) -> int:
        """Hidden width of the MLP."""
        return int(self.embed_dim * self.mlp_ratio)

    @property
    def numbers(self) -> int:
        """All numbers of the encoder, the layer norm behind it included."""
        width, inner = self.embed_dim, self.mlp_width
        attention = 4 * width * width + 3 * width
        block = attention + 2 * width * inner + inner + width + 4 * width
        patches = (3 * self.patch_size**2 + 1) * width
        return self.depth * block + patches + (self.patches + 2) * width + 2 * width


@dataclass(frozen=True)
class ModelSize:
    """All parts of one model."""

    llama: LlamaSize
    vision: VisionSize
    lora_rank: int
    lora_targets: tuple[str, ...]
    published: bool = False
    """Whether the language model's sizes are the published ones, because its folder is not there."""

    @property
    def lora(self) -> int:
        """Numbers in the adapters."""
        matrices = self.llama.matrices()
        return (
            self.llama.num_hidden_layers
            * self.lora_rank
            * sum(sum(matrices[lora_target]) for lora_target in self.lora_targets)
        )

    @property
    def trained(self) -> int:
        """Numbers that are trained: projection and LoRA (56,627,200 in the paper)."""
        hidden = self.llama.hidden_size
        return 4 * self.vision.embed_dim * hidden + hidden + self.lora


def read_model_size(model: ModelConfig) -> ModelSize:
    """Sizes of the ``model`` section; those of ``llama_model`` where the folder is there.

    Raises:
        ConfigError: a LoRA target that does not exist, or a ``config.json`` that is none.
    """
    own = read_llama_size(model.llama_model)
    llama = own or LlamaSize()
    wrong = [
        f"model.lora_target_modules: no {target!r}; {near_names(target, llama.matrices())}"
        for target in model.lora_target_modules
        if target not in llama.matrices()
    ]
    if wrong:
        raise ConfigError(f"the model section has {len(wrong)} mistake(s)", wrong)
    return ModelSize(
        llama,
        VisionSize(**asdict(model.vit or VitConfig()), image_size=model.image_size),
        model.lora_r,
        model.lora_target_modules if model.lora_r > 0 else (),
        published=own is None,
    )


def read_llama_size(folder: str | None) -> LlamaSize | None:
    """Sizes in a LLaMA folder's ``config.json``; None where there is no such file.

    Raises:
        ConfigError: the file is damaged, or of another kind of model.
    """
    path = Path(str(folder)) / "config.json"
    if not folder or not path.is_file():
        return None
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        heads = given["num_attention_heads"]
        given = {"num_key_value_heads": heads, **given}
        given["head_dim"] = given.get("head_dim") or given["hidden_size"] // heads
        return LlamaSize(
            **{
                field_.name: given[field_.name]
                for field_ in fields(LlamaSize)
                if field_.name in given or field_.name != "tie_word_embeddings"
            }
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not the configuration of a LLaMA: {one_line(error)}") from error
