"""Defects of a MiniGPT-4 checkout (d94738a) that the plugin steps around, one function each, file and line cited.

Nothing of the checkout is edited; names of its modules are replaced in memory. Each function may be called again.
"""

import logging
from pathlib import Path
from typing import Any, Mapping

from ..errors import CheckpointError
from .checkpoint import load_weights, read_weights


def register_everything() -> None:
    """``minigpt4/models/__init__.py`` and others fill the registry only when imported; its ``train.py`` does that."""
    import minigpt4.common.optims
    import minigpt4.models
    import minigpt4.processors
    import minigpt4.runners
    import minigpt4.tasks  # noqa: F401


def keep_output_paths_changeable() -> None:
    """``common/registry.py:194`` refuses a path name that is already registered, so a process can run only once."""
    from minigpt4.common.registry import Registry

    def register_path(cls: type, name: str, path: str) -> None:
        Registry.mapping["paths"][name] = str(path)

    Registry.register_path = classmethod(register_path)


def build_model_from_local_files() -> None:
    """``models/eva_vit.py:429`` downloads the ViT from a fixed address and knows one size; ``models/minigpt_v2.py:135``
    loads ``ckpt`` with ``strict=False`` and drops what it does not find, and passes no LoRA dropout on."""
    from minigpt4.models import base_model, minigpt_v2

    model_class = minigpt_v2.MiniGPTv2
    if getattr(model_class, "_pefomed_from_config", None) is not None:
        return
    model_class._pefomed_from_config = model_class.from_config.__func__
    init_llm = base_model.BaseModel.init_llm

    def from_config(cls: type, cfg: Mapping[str, Any]) -> Any:
        base_model.create_eva_vit_g = _local_vit(cfg)

        def with_dropout(self: Any, *arguments: Any, **options: Any) -> Any:
            options["lora_dropout"] = cfg.get("lora_dropout", options.get("lora_dropout"))
            return init_llm(self, *arguments, **options)

        base_model.BaseModel.init_llm = with_dropout
        model = model_class._pefomed_from_config(cls, {**cfg, "ckpt": ""})
        if cfg.get("ckpt"):
            logging.info("%s", load_weights(model, read_weights(Path(cfg["ckpt"])), str(cfg["ckpt"])))
        return model

    model_class.from_config = classmethod(from_config)


def load_float32_without_a_gpu() -> None:
    """``models/base_model.py:180`` loads LLaMA in fp16 always and peft's cast of ``lm_head`` keeps that type; the CPU
    has no fp16 arithmetic; ``configs/models/minigpt_v2.yaml:9`` does the same to the ViT."""
    import torch
    from minigpt4.models import base_model

    llama = base_model.LlamaForCausalLM
    if torch.cuda.is_available() or getattr(llama, "_pefomed_from_pretrained", None) is not None:
        return
    llama._pefomed_from_pretrained = llama.from_pretrained.__func__

    def from_pretrained(cls: type, *arguments: Any, **options: Any) -> Any:
        return llama._pefomed_from_pretrained(cls, *arguments, **{**options, "torch_dtype": torch.float32})

    llama.from_pretrained = classmethod(from_pretrained)


def _local_vit(cfg: Mapping[str, Any]) -> Any:
    """``create_eva_vit_g`` with the sizes of ``model.vit`` and the weights of ``model.vit_weights``."""
    from functools import partial

    import torch
    from minigpt4.models import eva_vit
    from torch import nn

    size = {"patch_size": 14, "embed_dim": 1408, "depth": 39, "num_heads": 16, "mlp_ratio": 4.3637,
            **dict(cfg.get("vit") or {})}

    def create(img_size: int = 224, drop_path_rate: float = 0.4, use_checkpoint: bool = False,
               precision: str = "fp16") -> nn.Module:
        model = eva_vit.VisionTransformer(
            img_size=img_size, use_mean_pooling=False, qkv_bias=True, drop_path_rate=drop_path_rate,
            norm_layer=partial(nn.LayerNorm, eps=1e-6), use_checkpoint=use_checkpoint, **size)
        state = read_weights(Path(str(cfg["vit_weights"])))
        eva_vit.interpolate_pos_embed(model, state)
        missing = model.load_state_dict(state, strict=False).missing_keys
        if missing:
            raise CheckpointError("{} does not fit the vision encoder (set model.vit to its size)".format(
                cfg["vit_weights"]), ["{}: not in the file".format(each) for each in missing])
        if precision == "fp16" and torch.cuda.is_available():
            eva_vit.convert_weights_to_fp16(model)
        return model

    return create


def apply_workarounds() -> None:
    """All of them, in order; safe to call again."""
    register_everything()
    keep_output_paths_changeable()
    build_model_from_local_files()
    load_float32_without_a_gpu()
