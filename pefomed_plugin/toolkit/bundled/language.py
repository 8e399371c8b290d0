"""The language model: weights from transformers, LoRA from peft, of whichever family. It sees no images."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from ...errors import CheckpointError, ConfigError, one_line
from ...families import LanguageModelFamily
from ...lora import LoraSettings
from ..language_folder import LanguageFolder


def load_language_model(folder: LanguageFolder, dtype: torch.dtype, bits: str = "none") -> nn.Module:
    """A language model from its folder, frozen.

    Args:
        dtype: of the weights. What 4-bit weights compute in follows the run (``adapters.devices``).
        bits: ``none``, ``8bit`` or ``4bit``: what bitsandbytes makes of the linear modules, on this process's GPU.

    Raises:
        CheckpointError: its files cannot be read, or do not fill the model.
        ConfigError: quantised weights without a GPU or without bitsandbytes.
    """
    import transformers  # late: heavy

    transformers.utils.logging.disable_progress_bar()
    settings = quantised_loading(bits, dtype) if bits != "none" else {}
    model_class = getattr(transformers, folder.family.model_class)
    try:
        model, found = model_class.from_pretrained(
            str(folder.folder), dtype=dtype, local_files_only=True, output_loading_info=True, **settings
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder.folder} cannot be read as {folder.family.title}: {one_line(error)}") from error
    missing = [f"{name}: missing" for name in found["missing_keys"]]
    if missing:  # they would stay random
        raise CheckpointError(f"{folder.folder} does not fill the {folder.family.title}", missing)
    return model.requires_grad_(False)


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
        problems.append("the package bitsandbytes is missing; pip install bitsandbytes")
    if problems:
        raise ConfigError(f"model.llm_quantization: {bits} cannot be used here", problems)
    from transformers import BitsAndBytesConfig  # late: optional

    # LLM.int8 computes in fp16 whatever the run does (docs/memory.md), and says so with every product
    logging.getLogger("bitsandbytes.autograd._functions").addFilter(_says_no_cast)
    config = (
        BitsAndBytesConfig(load_in_8bit=True)
        if bits == "8bit"
        else BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    )
    return {"quantization_config": config, "device_map": {"": int(os.environ.get("LOCAL_RANK", "0"))}}


def _says_no_cast(record: logging.LogRecord) -> bool:
    return "inputs will be cast" not in record.getMessage()


def recompute_layers(model: Any) -> None:
    """Let transformers' own forward keep each layer's input only and compute the layer again in the backward pass."""
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def empty_language_model(family: LanguageModelFamily, config: Any) -> nn.Module:
    """The model of a transformers configuration without trained weights, frozen; costs nothing on the meta device."""
    import transformers  # late: heavy

    return getattr(transformers, family.model_class)(config).requires_grad_(False)


def add_lora(model: nn.Module, settings: LoraSettings) -> nn.Module:
    """The language model with trainable low-rank adapters (paper section 3.1: rank 64 on q_proj and v_proj).

    Raises:
        ConfigError: a target that the model does not have.
    """
    from peft import get_peft_model  # late: heavy

    # peft asks transformers by a name that transformers has deprecated; nothing a user could do about it
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    modules = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    unknown = settings.unknown_targets(modules)
    if unknown:
        raise ConfigError("LoRA cannot be put on what the language model does not have", unknown)
    return get_peft_model(model, settings.to_peft())


@contextmanager
def merged_lora(model: Any) -> Iterator[None]:
    """LoRA added to the weights it lies beside, in float32; on leaving, the weights are the very tensors they were.

    Costs a copy of those weights (2 GB for q_proj and v_proj of LLaMA-2-7B in fp16).

    Raises:
        ConfigError: the weights are quantised.
    """
    layers = [module for module in model.modules() if hasattr(module, "lora_A") and hasattr(module, "base_layer")]
    bases = [layer.base_layer for layer in layers]
    if not all(base.weight.is_floating_point() for base in bases):
        raise ConfigError("run.merge_lora: quantised weights cannot take LoRA up; set it to false")
    if not layers:
        yield
        return
    own = [base.weight.data for base in bases]
    with model.disable_adapter():
        try:
            for layer, base, weight in zip(layers, bases, own):
                with torch.no_grad():
                    delta = layer.get_delta_weight(layer.active_adapters[0])
                    base.weight.data = (weight.float() + delta.float()).to(weight.dtype)
            yield
        finally:
            for base, weight in zip(bases, own):
                base.weight.data = weight
