"""LoRA worked into the weights of its LLaMA: a plain LLaMA folder that needs no peft. Builds no model.

One tensor is merged at a time, and shards of a bounded size are written as they fill, so that memory does not grow
with the model.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ...errors import CheckpointError
from ...services.console import progress
from .contents import PROJECTOR, Contents, Lora, projector_of
from .llama_folder import LlamaFolder, write_index
from .writing import noted_of, save_tensors

SHARD_BYTES = 1 << 30
"""A shard is written when it holds this much; that is the memory needed, beside the pages of the file that is read."""


def check_fit(contents: Contents, lora: Lora, llama: LlamaFolder) -> None:
    """Raises CheckpointError if the checkpoint was trained on another LLaMA; names every tensor."""
    problems: list[str] = []
    width, layers = llama.config.get("hidden_size"), llama.config.get("num_hidden_layers")
    for key, tensor in projector_of(contents).items():
        if tensor.shape[0] != width:
            problems.append(f"{key}: for a LLaMA of width {tensor.shape[0]}, this one has {width}")
    if lora.layers != layers:
        problems.append(f"LoRA of {lora.layers} layers, this LLaMA has {layers}")
    for module, (a, b) in lora.pairs.items():
        shape = llama.shapes.get(module + ".weight")
        wanted = (b.shape[0], a.shape[1])
        if shape is None:
            problems.append(f"{module}.weight: not in the LLaMA")
        elif shape != wanted:
            problems.append(f"{module}.weight: {shape} in the LLaMA, the LoRA is for {wanted}")
    if problems:
        raise CheckpointError(
            f"{contents.path} was not trained on the LLaMA in {llama.folder}; give that one with --llama", problems
        )


def write_merged(contents: Contents, lora: Lora, llama: LlamaFolder, scaling: float, folder: Path) -> None:
    """Write the merged LLaMA, its companions and ``projector.safetensors`` into ``folder``; precision as the LLaMA's.

    Args:
        scaling: alpha / rank.
        folder: exists, and is empty.

    Raises:
        CheckpointError: the checkpoint does not fit the LLaMA, a weights file is damaged, or the disk is too small.
    """
    check_fit(contents, lora, llama)
    free = shutil.disk_usage(folder).free
    if free < llama.size_bytes:
        raise CheckpointError(
            f"{folder.parent} has {free / 1e9:.1f} GB free, the merged model needs {llama.size_bytes / 1e9:.1f}; "
            "choose another --out"
        )
    pairs = {module + ".weight": pair for module, pair in lora.pairs.items()}
    shards: list[list[str]] = []
    shard: dict[str, torch.Tensor] = {}
    total = 0
    with progress("merging", len(llama.shapes)) as advance:
        for key, tensor in llama.tensors():
            shard[key] = merge_one(tensor, pairs.get(key), scaling)
            if size_bytes(shard) >= SHARD_BYTES:
                total += _flush(shard, shards, folder)
            advance(note=key)
    if shard:
        total += _flush(shard, shards, folder)
    write_index(folder, shards, total)
    for path in llama.companions():
        shutil.copyfile(path, folder / path.name)
    save_tensors(projector_of(contents), folder / PROJECTOR, noted_of(contents))


def merge_one(weight: torch.Tensor, pair: Any, scaling: float) -> torch.Tensor:
    """W + scaling B A in float32, in the precision of W again; W itself where nothing was adapted.

    Args:
        weight: (out, in).
        pair: A (rank, in) and B (out, rank), or None.
    """
    if pair is None:
        return weight
    a, b = pair
    return (weight.float() + scaling * (b.float() @ a.float())).to(weight.dtype)


def size_bytes(tensors: Mapping[str, torch.Tensor]) -> int:
    """Bytes of all tensors together."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _flush(shard: dict[str, torch.Tensor], shards: list[list[str]], folder: Path) -> int:
    size = size_bytes(shard)
    save_tensors(shard, folder / f"{len(shards)}.safetensors")
    shards.append(list(shard))
    shard.clear()
    return size
