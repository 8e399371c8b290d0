"""MiniGPT-v2 of the ``model`` section of a run: which files fill it, in which precision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...config.model import read_model_config
from ...services.console import say
from ...vision_encoders import encoder_of, recorded_encoder
from ..checkpoint import read_checkpoint
from ..language_folder import open_language_folder
from ..language_weights import fingerprint
from ..start import lora_of_section, settle_model
from .language import load_language_model

if TYPE_CHECKING:
    from .minigpt_v2 import MiniGPTv2

_PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_OPTIONS = (
    "prompt_template",
    "max_txt_len",
    "max_context_len",
    "end_sym",
    "chat_template",
    "use_grad_checkpoint_llm",
    "decoder",
    "compile_layers",
    "vit_on_cpu",
)


def build_model(model_class: type[MiniGPTv2], cfg: Mapping[str, Any], lora_is_read: bool) -> MiniGPTv2:
    """As ``MiniGPTv2.from_config``."""
    section = {**cfg, **settle_model(cfg)}
    if cfg.get("ckpt") and not lora_is_read:
        names = read_checkpoint(Path(str(cfg["ckpt"])), lazily=True)["model"]
        lora_is_read = any(".lora_initial_" in name for name in names)
    folder = open_language_folder(Path(str(section["llama_model"])))
    tokenizer = folder.family.load_tokenizer(folder.folder)
    on_gpu = torch.cuda.is_available()
    model = model_class(
        load_language_model(
            folder,
            _PRECISIONS[cfg.get("llm_precision", "fp16")] if on_gpu else torch.float32,
            read_model_config(cfg).quantisation,
        ),
        tokenizer,
        lora_of_section(section),
        encoder=encoder_of(section),
        vit_weights=Path(str(section["vit_weights"])),
        lora_is_read=lora_is_read,
        family=folder.family,
        **{key: section[key] for key in _OPTIONS if section.get(key) is not None},
    )
    model.language_weights = fingerprint(folder)
    if cfg.get("use_grad_checkpoint"):
        say(
            "model.use_grad_checkpoint saves nothing here: the vision encoder is frozen and keeps no activations; "
            "model.use_grad_checkpoint_llm is the one that saves memory"
        )
    if on_gpu and not model.vit_on_cpu:
        model.visual_encoder.to(_PRECISIONS[cfg.get("vit_precision", "fp16")])
    if cfg.get("ckpt"):
        _load_checkpoint(model, str(cfg["ckpt"]))
    return model


def _load_checkpoint(model: MiniGPTv2, path: str) -> None:
    report = model.load_checkpoint(path)
    if report.anew:
        say(str(report))
    then = recorded_encoder(read_checkpoint(Path(path), lazily=True), path)
    now = model.encoder.image_size
    if then and then.image_size != now:
        say(f"{path} was trained on images of {then.image_size} pixels; this run has {now}")
