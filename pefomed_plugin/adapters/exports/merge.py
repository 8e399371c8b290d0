"""LoRA worked into the weights of its language model: a plain folder that needs no peft. Builds no model.

One tensor is merged at a time, and shards of a bounded size are written as they fill, so that memory does not grow
with the model.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch

from ...errors import CheckpointError
from ...lora import MERGED
from ...origins import is_generated, mark_generated
from ...services.console import progress
from ...toolkit.checkpoint import refuse_nonfinite
from ...toolkit.language_folder import LanguageFolder
from ...toolkit.lora_tensors import merged_weight
from .contents import PROJECTOR, Contents, Lora, projector_of
from .writing import noted_of, save_tensors

SHARD_BYTES = 1 << 30
"""A shard is written when it holds this much; that is the memory needed, beside the pages of the file that is read."""


def check_fit(contents: Contents, lora: Lora, base: LanguageFolder) -> None:
    """Raises CheckpointError if the checkpoint was trained on another language model; names every tensor."""
    problems: list[str] = []
    if contents.family.name != base.family.name:
        problems.append(f"trained on the family {contents.family.name!r}, this one is of {base.family.name!r}")
    for key, tensor in projector_of(contents).items():
        if tensor.shape[0] != base.size.hidden_size:
            problems.append(f"{key}: for a width of {tensor.shape[0]}, this one has {base.size.hidden_size}")
    if lora.layers != base.size.num_hidden_layers:
        problems.append(f"LoRA of {lora.layers} layers, this one has {base.size.num_hidden_layers}")
    for module, (a, b) in lora.pairs.items():
        shape = base.shapes.get(module + ".weight")
        wanted = (b.shape[0], a.shape[1])
        if shape is None:
            problems.append(f"{module}.weight: not in the language model")
        elif shape != wanted:
            problems.append(f"{module}.weight: {shape} in the language model, the LoRA is for {wanted}")
    for key, tensor in lora.whole.items():
        if base.shapes.get(key) != tuple(tensor.shape):
            own = base.shapes.get(key, "not there")
            problems.append(f"{key}: {own} in the language model, {tuple(tensor.shape)} as it was trained")
    if problems:
        raise CheckpointError(
            f"{contents.path} was not trained on the {base.family.title} in {base.folder}; give that one with --llama",
            problems,
        )


def write_merged(contents: Contents, lora: Lora, base: LanguageFolder, folder: Path) -> None:
    """Write the merged model, its companions and ``projector.safetensors`` into ``folder``; precision as the base's.

    Args:
        base: what the LoRA was trained on.
        folder: exists, and is empty.

    Raises:
        CheckpointError: the checkpoint does not fit or holds values that are not finite, a weights file is damaged, or
            the disk is too small.
    """
    check_fit(contents, lora, base)
    refuse_nonfinite(contents.tensors, str(contents.path))
    free = shutil.disk_usage(folder).free
    if free < base.size_bytes:
        raise CheckpointError(
            f"{folder.parent} has {free / 1e9:.1f} GB free, the merged model needs {base.size_bytes / 1e9:.1f}; "
            "choose another --out"
        )
    parts = lora.parts
    modules = {module + ".weight": module for module in lora.pairs}

    def merged(key: str, tensor: torch.Tensor) -> torch.Tensor:
        if key in modules:
            module = modules[key]
            scale, start, magnitude = (
                lora.settings.scale_of(module),
                parts.starts.get(module),
                parts.magnitudes.get(module),
            )
            return merged_weight(tensor, lora.pairs[module], scale, start, magnitude)
        return lora.whole[key].to(tensor.dtype) if key in lora.whole else tensor

    shards: list[list[str]] = []
    shard: dict[str, torch.Tensor] = {}
    total = 0
    with progress("merging", len(base.shapes)) as advance:
        for key, tensor in base.tensors():
            shard[key] = merged(key, tensor)
            if size_bytes(shard) >= SHARD_BYTES:
                total += _flush(shard, shards, folder)
            advance(note=key)
    if shard:
        total += _flush(shard, shards, folder)
    _write_index(folder, shards, total)
    for path in base.companions():
        shutil.copyfile(path, folder / path.name)
    if is_generated(base.folder):
        mark_generated(folder, {"merged": base.folder.name})
    save_tensors(projector_of(contents), folder / PROJECTOR, {**noted_of(contents), MERGED: True})


def size_bytes(tensors: Mapping[str, torch.Tensor]) -> int:
    """Bytes of all tensors together."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _flush(shard: dict[str, torch.Tensor], shards: list[list[str]], folder: Path) -> int:
    size = size_bytes(shard)
    save_tensors(shard, folder / f"{len(shards)}.safetensors")
    shards.append(list(shard))
    shard.clear()
    return size


def _write_index(folder: Path, shards: list[list[str]], size_bytes: int) -> None:
    """Give shards ``0.safetensors``, ``1.safetensors``, ... the names Hugging Face has for them, and list them."""
    if len(shards) == 1:
        (folder / "0.safetensors").rename(folder / "model.safetensors")
        return
    weight_map = {}
    for number, keys in enumerate(shards):
        name = f"model-{number + 1:05d}-of-{len(shards):05d}.safetensors"
        (folder / f"{number}.safetensors").rename(folder / name)
        weight_map.update({key: name for key in keys})
    index = {"metadata": {"total_size": size_bytes}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
