"""The language model: weights from transformers, LoRA from peft, of whichever family. It sees no images."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from ...errors import CheckpointError, ConfigError, one_line
from ...families import LanguageModelFamily, check_transformers
from ...families.exported import LANGUAGE
from ...lora import LoraSettings
from ..language_folder import LanguageFolder
from ..lora_tensors import merged_weight


def load_language_model(folder: LanguageFolder, dtype: torch.dtype, bits: str = "none") -> nn.Module:
    """A language model from its folder, frozen.

    Args:
        dtype: of the weights. What 4-bit weights compute in follows the run (``adapters.devices``).
        bits: ``none``, ``8bit`` or ``4bit``: what bitsandbytes makes of the linear modules, on this process's GPU.

    How its ``generation_config.json`` would have it sampled is not taken over: answers are what our own settings say
    (Qwen2.5's repetition penalty of 1.05 would change greedy ones).

    Raises:
        CheckpointError: its files cannot be read, or do not fill the model; transformers is too old for the family.
        ConfigError: quantised weights without a GPU or without bitsandbytes.
    """
    import transformers  # late: heavy

    check_transformers(folder.family)
    transformers.utils.logging.disable_progress_bar()
    settings = quantised_loading(bits, dtype) if bits != "none" else {}
    model_class = getattr(transformers, folder.family.model_class)
    if folder.is_part:
        own = {key: value for key, value in folder.config.items() if key != "model_type"}
        settings.update(config=model_class.config_class(**own), key_mapping={rf"^{re.escape(LANGUAGE)}": "model."})
    try:
        with quiet_transformers(folder.is_part):
            model, found = model_class.from_pretrained(
                str(folder.folder), dtype=dtype, local_files_only=True, output_loading_info=True, **settings
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{folder.folder} cannot be read as {folder.family.title}: {one_line(error)}") from error
    missing = [f"{name}: missing" for name in found["missing_keys"]]
    if missing:  # they would stay random
        raise CheckpointError(f"{folder.folder} does not fill the {folder.family.title}", missing)
    model.generation_config = transformers.GenerationConfig()
    return model.requires_grad_(False)


@contextmanager
def quiet_transformers(quiet: bool) -> Iterator[None]:
    """Without its list of tensors that are no part of the language model."""
    import transformers  # late: heavy

    before = transformers.logging.get_verbosity()
    if quiet:
        transformers.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)


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

    A and B begin as peft has them; those that begin as a part of the weights, in ``begin_as_parts``.

    Raises:
        ConfigError: a target or a module to train whole that the model does not have.
    """
    from peft import get_peft_model  # late: heavy

    # peft asks transformers by a name that transformers has deprecated; nothing a user could do about it
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
    names = [name for name, _ in model.named_modules()]
    modules = {name.rpartition(".")[2] for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    unknown = settings.unknown_targets(modules)
    unknown += [
        f"model.peft.modules_to_save: no {name!r}"
        for name in settings.modules_to_save
        if not any(own.endswith(name) for own in names)
    ]
    if unknown:
        raise ConfigError("LoRA cannot be put on what the language model does not have", unknown)
    adapted = get_peft_model(model, settings.to_peft())
    for parameter in adapted.parameters():
        if parameter.requires_grad:  # what is trained whole is a copy, in the precision of its frozen original
            parameter.data = parameter.data.float()
    return adapted


def lora_layers(model: nn.Module) -> dict[str, Any]:
    """peft's layers of the adapters, by the name of their module in the language model, in its order."""
    prefix = "base_model.model."
    return {
        name[len(prefix) :]: module
        for name, module in model.named_modules()
        if hasattr(module, "lora_A") and hasattr(module, "base_layer")
    }


def begin_as_parts(model: nn.Module, settings: LoraSettings) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Let A and B begin as a part of the weights they stand beside, which then lie without it (PiSSA, OLoRA).

    The same on every rank and machine, up to what its linear algebra rounds: the random numbers are those of one seed.

    Returns:
        What they begin as, in float32 on the CPU, for ``take_away`` and for checkpoints.
    """
    starts = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, layer in lora_layers(model).items():
            adapter, own = layer.active_adapters[0], layer.base_layer.weight.data
            layer.base_layer.weight.data = own.clone()
            if str(settings.init_lora_weights) == "olora":
                layer.olora_init(adapter)
            else:
                layer.pissa_init(adapter, settings.init_lora_weights)
            layer.base_layer.weight.data = own
            starts[name] = tuple(
                side[adapter].weight.data.to("cpu", torch.float32, copy=True) for side in (layer.lora_A, layer.lora_B)
            )
    take_away(model, starts)
    return starts


def take_away(
    model: nn.Module,
    starts: Mapping[str, tuple[torch.Tensor, torch.Tensor]],
    before: Mapping[str, tuple[torch.Tensor, torch.Tensor]] | None = None,
) -> None:
    """Take scale B A of ``starts`` from the weights, in float32, and give back that of ``before``.

    Where both are the same, bit for bit, nothing is touched, so that a run goes on with the very weights it had.

    Raises:
        ConfigError: the weights are quantised.
    """
    if not all(layer.base_layer.weight.is_floating_point() for layer in lora_layers(model).values()):
        raise ConfigError("what LoRA began as (PiSSA, OLoRA) cannot be taken out of quantised weights; load them whole")
    for name, layer in lora_layers(model).items():
        scale, weight = layer.scaling[layer.active_adapters[0]], layer.base_layer.weight
        own, other = starts[name], (before or {}).get(name)
        if other is not None and all(torch.equal(*sides) for sides in zip(own, other)):
            continue
        a, b = (side.to(weight.device, torch.float32) for side in own)
        left = weight.data.float() - scale * (b @ a)
        if other is not None:
            a, b = (side.to(weight.device, torch.float32) for side in other)
            left = left + scale * (b @ a)
        weight.data = left.to(weight.dtype)


@contextmanager
def merged_lora(model: Any) -> Iterator[None]:
    """LoRA added to the weights it lies beside, in float32; on leaving, the weights are the very tensors they were.

    Costs a copy of those weights (2 GB for q_proj and v_proj of LLaMA-2-7B in fp16). What is trained whole stays.

    Raises:
        ConfigError: the weights are quantised.
    """
    layers = list(lora_layers(model).values())
    bases = [layer.base_layer for layer in layers]
    if not all(base.weight.is_floating_point() for base in bases):
        raise ConfigError("run.merge_lora: quantised weights cannot take LoRA up; set it to false")
    own = [base.weight.data for base in bases]
    try:
        for layer, base, weight in zip(layers, bases, own):
            with torch.no_grad():
                base.weight.data = _merged(layer, weight)
            layer.enable_adapters(False)
        yield
    finally:
        for layer, base, weight in zip(layers, bases, own):
            base.weight.data = weight
            layer.enable_adapters(True)


def _merged(layer: Any, weight: torch.Tensor) -> torch.Tensor:
    adapter = layer.active_adapters[0]
    pair = (layer.lora_A[adapter].weight, layer.lora_B[adapter].weight)
    magnitudes = getattr(layer, "lora_magnitude_vector", {})
    magnitude = magnitudes[adapter].weight if adapter in magnitudes else None
    return merged_weight(weight, pair, layer.scaling[adapter], magnitude=magnitude)
