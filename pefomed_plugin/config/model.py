"""The ``model`` section: weights, vision encoder and language model of MiniGPT-v2, each key with its default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Optional, Union

from ..errors import ConfigError, PefomedError
from ..lora import LoraSettings
from ..vision_encoders import DEFAULT_ENCODER, LARGEST_IMAGE, LIMITS, encoder_of
from .fields import option, read_whole
from .run import PRECISIONS

QUANTISATIONS = ("none", "8bit", "4bit")


@dataclass(frozen=True)
class VitConfig:
    """``model.vit``: the encoder's proportions where they are not its own. Null, in all keys: its own (ViT-g's)."""

    patch_size: Optional[int] = option(
        "Pixels a side of one patch (14).", None, minimum=1, maximum=LIMITS["patch_size"]
    )
    embed_dim: Optional[int] = option("Width (1408).", None, minimum=1, maximum=LIMITS["embed_dim"])
    depth: Optional[int] = option(
        "Blocks that are used, from the first (39; the released weights hold one more).",
        None,
        minimum=1,
        maximum=LIMITS["depth"],
    )
    num_heads: Optional[int] = option(
        "Attention heads (16); the width is a multiple of them.", None, minimum=1, maximum=LIMITS["num_heads"]
    )
    mlp_ratio: Optional[float] = option(
        "Hidden width of the MLP over the width (4.3637).", None, above=0, maximum=LIMITS["mlp_ratio"]
    )
    group: Optional[int] = option(
        "Patches that follow each other and become one visual token (4).", None, minimum=1, maximum=LIMITS["group"]
    )


@dataclass(frozen=True)
class PeftConfig:
    """``model.peft``: variants of LoRA, under peft's names. Null, in all keys: as the checkpoint has it, else plain."""

    renamed: ClassVar[Mapping[str, str]] = {
        "r": "its name is model.lora_r, MiniGPT-v2's",
        "lora_alpha": "its name is model.lora_alpha, MiniGPT-v2's",
        "lora_dropout": "its name is model.lora_dropout, MiniGPT-v2's",
        "target_modules": "its name is model.lora_target_modules, MiniGPT-v2's (all-linear is understood there)",
        "loraplus_lr_ratio": "its name is model.peft.lora_plus_ratio",
    }

    use_rslora: Optional[bool] = option("Scale by alpha over the root of the rank.", None)
    use_dora: Optional[bool] = option("Weight-decomposed: the length of each row is trained by itself.", None)
    init_lora_weights: Optional[Union[bool, str]] = option(
        "How A and B begin: `true`, `gaussian`, `pissa`, `pissa_niter_4` (or another number), `olora`.", None
    )
    modules_to_save: Optional[tuple[str, ...]] = option(
        "Ends of names of modules that are trained whole: `lm_head`, `embed_tokens`, `norm`.", None
    )
    rank_pattern: Optional[dict[str, int]] = option("Ends of module names -> another rank.", None, minimum=1)
    alpha_pattern: Optional[dict[str, float]] = option("Ends of module names -> another alpha.", None, above=0)
    lora_plus_ratio: Optional[float] = option(
        "LoRA+: the learning rate of B over that of all else; its authors': 16.", None, above=0, maximum=10_000
    )

    def problems(self, where: str) -> list[str]:
        """What is wrong with keys that are valid one by one."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        try:
            LoraSettings.of({"r": 1, "lora_alpha": 1, "target_modules": ["any"], **given})
        except ConfigError as error:
            return [f"{where}.{problem}" for problem in error.problems]
        return []


@dataclass(frozen=True)
class ModelConfig:
    """The ``model`` section of ``minigpt_v2``."""

    renamed: ClassVar[Mapping[str, str]] = {
        "lora_use_rslora": "its name is model.peft.use_rslora now",
        "lora_rank_pattern": "its name is model.peft.rank_pattern now",
        "lora_alpha_pattern": "its name is model.peft.alpha_pattern now",
        "lora_bias": "it said nothing and is gone; leave it out",
    }

    arch: str = option("Registry name of the model.", "minigpt_v2", filled=True)
    model_type: str = option(
        "Which of the model's own default files is read; a checkout has several.", "pretrain", filled=True
    )

    llama_model: Optional[str] = option("Folder of Llama-2-7b-chat-hf.", None, follows="oc.env:PEFOMED_LLAMA")
    vit_weights: Optional[str] = option(
        "File `eva_vit_g.pth`; of another `vit_model` its file or folder.", None, follows="oc.env:PEFOMED_VIT"
    )
    ckpt: Optional[str] = option(
        "MiniGPT-v2 or PeFoMed `.pth`: projection and LoRA to start from; null: untrained.",
        None,
        follows="oc.env:PEFOMED_CKPT",
    )

    vit_model: str = option(
        "The vision encoder: `eva_clip_g`, `timm/NAME`, `biomedclip` (docs/vision-encoders.md).",
        DEFAULT_ENCODER,
        filled=True,
    )
    vit: Optional[VitConfig] = option("The encoder's proportions where they are not its own.", None)
    image_size: int = option(
        "Pixels a side of an image; of another `vit_model` than ViT-g its own, where nothing is said.",
        448,
        minimum=1,
        maximum=LARGEST_IMAGE,
    )
    vit_precision: str = option(
        "What the frozen vision encoder computes in on a GPU, whatever the run does (but fp32 in an fp32 run).",
        "fp16",
        choices=PRECISIONS,
    )
    freeze_vit: bool = option("Upstream's; the vision encoder is always frozen here.", True)
    drop_path_rate: float = option(
        "Upstream's; the frozen encoder drops nothing, so it stays 0.", 0.0, minimum=0, maximum=0
    )
    vit_on_cpu: bool = option(
        "Keep the frozen encoder on the CPU: 1.8 GiB less on the GPU, slower (docs/memory.md).", False
    )
    use_grad_checkpoint: bool = option("Upstream's; saves nothing, because the encoder is frozen.", False)

    llm_precision: str = option(
        "In which the frozen language model is loaded on a GPU; 16 bits become those of `run.precision`.",
        "fp16",
        choices=PRECISIONS,
    )
    max_txt_len: int = option("Longest answer in training, in tokens.", 1024, minimum=1)
    max_context_len: int = option("Longest prompt, in tokens.", 3800, minimum=1)
    end_sym: Optional[str] = option("What ends an answer; null: as the language model's family has it.", None)
    prompt_template: Optional[str] = option("The turn around a prompt; null: as the family has it.", None)
    chat_template: bool = option("Whether `prompt_template` is used.", True)
    lora_r: Optional[int] = option(
        "Rank of LoRA; 0: none. Null, here and in all `lora_` keys: as the checkpoint has it, else the paper's 64.",
        None,
        minimum=0,
        maximum=65_536,
    )
    lora_alpha: Optional[float] = option("LoRA is scaled by this over the rank; the paper's: 16.", None, above=0)
    lora_dropout: Optional[float] = option("Dropout in front of LoRA; the paper's: 0.05.", None, minimum=0, below=1)
    lora_target_modules: Optional[tuple[str, ...]] = option(
        "Linear modules of a decoder layer that LoRA stands beside; `all-linear`: each. LLaMA's: q_proj, v_proj.",
        None,
        filled=True,
    )
    peft: Optional[PeftConfig] = option("What of LoRA MiniGPT-v2 has no name for.", None)
    use_grad_checkpoint_llm: bool = option(
        "Keep only the input of each layer: a third more arithmetic, few activations.", False
    )
    compile_layers: bool = option(
        "Let torch compile the decoder's layers but the last for training, and on a GPU a step of answering: a minute "
        "at the start, then faster steps.",
        False,
    )
    decoder: str = option(
        "`packed`: our own order of work, in which questions share an image; `plain`: that of transformers.",
        "packed",
        choices=("packed", "plain"),
    )
    llm_quantization: str = option(
        "The frozen weights in fewer bits, on a GPU, with the extra `quant`.", "none", choices=QUANTISATIONS
    )
    low_resource: bool = option("Upstream's way to say `llm_quantization: 8bit`.", False)
    other: Optional[Mapping[str, Any]] = None
    """Keys of a checkout's own default file, which are handed on as they are."""

    @property
    def quantisation(self) -> str:
        """``none``, ``8bit`` or ``4bit``, whichever key says it."""
        return "8bit" if self.low_resource else self.llm_quantization

    def problems(self, where: str) -> list[str]:
        """What is wrong with keys that are valid one by one."""
        found: list[str] = []
        try:
            found += encoder_of(vars(self)).problems(where)
        except PefomedError as error:
            found += error.problems or [error.summary]
        if self.low_resource and self.llm_quantization == "4bit":
            found.append(
                f"{where}.low_resource: true is upstream's way to say llm_quantization: 8bit, but "
                f"{where}.llm_quantization is 4bit; leave one of them out"
            )
        asked = [key for key, value in vars(self.peft).items() if value not in (None, False, ())] if self.peft else []
        if self.lora_r == 0 and asked:
            found.append(
                f"{where}.peft.{asked[0]}: {where}.lora_r is 0, which trains nothing of the language model; leave one "
                "out"
            )
        if not self.freeze_vit:
            found.append(f"{where}.freeze_vit: the vision encoder is never trained; leave it true")
        return found


def read_model_config(section: Any) -> ModelConfig:
    """The ``model`` section. Raises ConfigError as ``read_whole``."""
    return read_whole(ModelConfig, section, "model")
