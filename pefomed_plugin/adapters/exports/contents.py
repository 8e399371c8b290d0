"""What a weights file holds: tensors under one spelling, its LoRA, where it comes from. Builds no model.

Reads checkpoints of this plugin, of MiniGPT-v2 and of PeFoMed, ``.safetensors`` files, and exported folders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ...errors import CheckpointError
from ...families import DEFAULT_FAMILY, FAMILIES, LanguageModelFamily
from ...families.exported import is_exported_folder
from ...lora import FAMILY, RECORD, LoraSettings, settle
from ...readers.textfiles import read_json_object
from ...toolkit.checkpoint import read_checkpoint
from ...toolkit.exported_folder import projection_file
from ...toolkit.lora_tensors import LORA_PREFIX, LoraParts, Pairs, layers_of, lora_parts, stated_lora, whole_tensors
from ...toolkit.tensor_names import canonical
from ...vision_encoders import VIT_G, VisionEncoder, recorded_encoder

ADAPTER_WEIGHTS, ADAPTER_CONFIG, PROJECTOR = "adapter_model.safetensors", "adapter_config.json", "projector.safetensors"
BASE, ADAPTER = "base", "adapter"
"""Folders of a transformers export whose LoRA is not merged."""

SPELLINGS = {
    "minigpt4": "MiniGPT-v2's, of peft 0.2 (lora_A.weight)",
    "peft": "today's peft (lora_A.default.weight)",
    "adapter": "a PEFT adapter's (base_model.model... without llama_model)",
    "mixed": "mixed",
    "none": "no LoRA in it",
}


@dataclass(frozen=True)
class Contents:
    """A weights file, read."""

    path: Path
    content: Mapping[str, Any]
    """As a checkpoint's: ``model`` (names as in the file), and what else there is."""

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        """Tensors by canonical name (see ``toolkit.checkpoint``), in the file's order."""
        return {canonical(key): tensor for key, tensor in self.content["model"].items()}

    @property
    def config(self) -> Mapping[str, Any]:
        """Configuration of the run that wrote it; empty where it does not say."""
        config = self.content.get("config")
        return config if isinstance(config, dict) else {}

    @property
    def family(self) -> LanguageModelFamily:
        """Of the language model it was trained on; MiniGPT-v2's where the file does not say."""
        return FAMILIES.find(str(self.content.get(FAMILY, DEFAULT_FAMILY.name)))

    @property
    def encoder(self) -> VisionEncoder:
        """The vision encoder it was trained with; MiniGPT-v2's where the file does not say.

        Raises:
            CheckpointError: what the file says is damaged.
        """
        return recorded_encoder(self.content, str(self.path)) or VIT_G

    @property
    def width(self) -> int | None:
        """Of the language model it was trained on, by its projection; None where it has none."""
        weight = self.tensors.get("llama_proj.weight")
        return int(weight.shape[0]) if weight is not None else None

    @property
    def training(self) -> Mapping[str, Any]:
        """What this plugin noted of the run: version, toolkit, iteration, seed, ... and the epoch."""
        own = self.content.get("pefomed")
        epoch = self.content.get("epoch")
        return {**({"epoch": epoch} if epoch is not None else {}), **(own if isinstance(own, dict) else {})}


@dataclass(frozen=True)
class Lora:
    """The adapters of a file: W + scale B A for each adapted W, and what is trained whole beside them."""

    settings: LoraSettings
    alpha_from: str
    """Where its alpha, which no tensor tells, is taken from; in words."""
    parts: LoraParts
    whole: Mapping[str, torch.Tensor]
    """Tensors of modules that are trained whole, by their name in the language model (``lm_head.weight``)."""

    @property
    def pairs(self) -> Pairs:
        """A and B by module."""
        return self.parts.pairs

    @property
    def layers(self) -> int:
        """How many decoder layers have adapters."""
        return len(layers_of(self.pairs))

    @property
    def tensors(self) -> int:
        """How many tensors of the language model are others by it."""
        return len(self.pairs) + len(self.whole)

    def for_whole_weights(self) -> Lora:
        """The same beside weights as they are published, for those who know nothing of what they were parted from.

        W - s B0 A0 + s B A is W + (s B | -s B0)(A over A0): LoRA of twice the rank, as peft converts PiSSA and OLoRA.
        The scale is in the tensors, because one alpha would not do for all ranks.
        """
        if not self.parts.starts:
            return self
        pairs = {}
        for module, (a, b) in self.pairs.items():
            start_a, start_b = self.parts.starts[module]
            scale = self.settings.scale_of(module)
            pairs[module] = (
                torch.cat([a.float(), start_a.float()]),
                torch.cat([scale * b.float(), -scale * start_b.float()], dim=1),
            )
        ranks = {key: 2 * rank for key, rank in self.settings.rank_pattern.items()}
        settings = replace(
            self.settings,
            r=2 * self.settings.r,
            lora_alpha=2 * self.settings.r,
            use_rslora=False,
            rank_pattern=ranks,
            alpha_pattern=ranks,
            init_lora_weights=True,
        )
        return Lora(settings, self.alpha_from, LoraParts(pairs), self.whole)


def read_contents(path: Path, *, may_be_damaged: bool = False) -> Contents:
    """A ``.pth`` or ``.safetensors`` file or an exported folder; nothing pickled is executed.

    Args:
        may_be_damaged: read what can be read of a file, to look at.

    Raises:
        CheckpointError: missing, damaged, pickled code, no tensors, or a tensor twice in two spellings.
    """
    path = Path(path)
    if path.is_dir():
        return Contents(path, _read_folder(path))
    return Contents(path, read_checkpoint(path, may_be_damaged=may_be_damaged))


def telling_file(checkpoint: Path) -> Path:
    """The file that tells one checkpoint from another: itself, or that of a folder with what was trained."""
    if not checkpoint.is_dir():
        return checkpoint
    return projection_file(checkpoint) if is_exported_folder(checkpoint) else checkpoint / ADAPTER_WEIGHTS


def spelling_of(contents: Contents) -> str:
    """Key of ``SPELLINGS``."""
    found = set()
    for key in contents.content["model"]:
        if "lora_" in key:
            current = re.search(r"\.lora_\w+\.default(\.|$)", key)
            found.add("peft" if current else "adapter" if key.startswith("base_model.model.") else "minigpt4")
    return "none" if not found else found.pop() if len(found) == 1 else "mixed"


def find_lora(contents: Contents, alpha: float | None = None) -> Lora | None:
    """The adapters of a file; None where it has none.

    Args:
        alpha: as given on the command line, for a file that does not say.

    Raises:
        CheckpointError: the LoRA is not whole, of a kind that is not supported, or not of one run with the file's
            configuration; every tensor is named.
        ConfigError: another alpha is given than the file was trained with.
    """
    given = {} if alpha is None else {"lora_alpha": alpha}
    source = str(contents.path)
    stated, whence = stated_lora(contents.content, source, given)
    if not stated:
        return None
    settings = settle(given, stated, source, contents.family.lora_targets, flags=True)
    if not whence:
        whence = "--lora-alpha" if given else "assumed, MiniGPT-v2's default; the file does not say: give --lora-alpha"
    tensors = contents.tensors
    return Lora(settings, whence, lora_parts(tensors, source), whole_tensors(tensors, settings))


def projector_of(contents: Contents) -> dict[str, torch.Tensor]:
    """The projection from visual tokens to the language model, under MiniGPT-v2's names.

    Raises:
        CheckpointError: it is not in the file.
    """
    found = {key: tensor for key, tensor in contents.tensors.items() if key.startswith("llama_proj.")}
    if not found:
        raise CheckpointError(
            f"{contents.path} has no llama_proj: without the projection the language model sees no image. Give a "
            "checkpoint of MiniGPT-v2, PeFoMed or this plugin"
        )
    return found


def left_out(contents: Contents, lora: Lora | None = None) -> list[str]:
    """Tensors that are neither LoRA nor projection nor trained whole beside LoRA, and are in no export."""
    whole = {LORA_PREFIX + key for key in lora.whole} if lora else set()
    return [
        key for key in contents.tensors if "lora_" not in key and not key.startswith("llama_proj.") and key not in whole
    ]


def _read_folder(folder: Path) -> dict[str, Any]:
    if is_exported_folder(folder):
        return read_checkpoint(folder)
    if not (folder / ADAPTER_CONFIG).is_file():
        if is_exported_folder(folder / BASE) and (folder / ADAPTER / ADAPTER_CONFIG).is_file():
            raise CheckpointError(
                f"{folder} was exported with --adapter: {ADAPTER} on {BASE}, which transformers and peft load "
                "(docs/transformers.md). Give the checkpoint itself, or a folder that was exported without --adapter; "
                f"{folder / BASE} is the model without its LoRA"
            )
        raise CheckpointError(
            f"{folder} is no exported adapter: no {ADAPTER_CONFIG}; give a file, or a folder of pefomed checkpoint "
            "export"
        )
    if not (folder / PROJECTOR).is_file() and (folder / "processor_config.json").is_file():
        raise CheckpointError(
            f"{folder} is an adapter on a transformers model; transformers and peft load it (docs/transformers.md). "
            "Give the checkpoint itself, or a folder that was exported without --adapter"
        )
    adapter = read_checkpoint(folder / ADAPTER_WEIGHTS)
    projector = read_checkpoint(folder / PROJECTOR)
    settings = read_json_object(folder / ADAPTER_CONFIG, {}, what="an adapter's; export the adapter again")
    return {**adapter, "model": {**adapter["model"], **projector["model"]}, RECORD: settings}
