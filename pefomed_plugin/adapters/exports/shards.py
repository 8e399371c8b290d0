"""Safetensors shards as Hugging Face names them, written as they fill: memory does not grow with the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .writing import save_tensors

SHARD_BYTES = 1 << 30
"""A shard is written when it holds this much; that is the memory needed, beside the pages of the file that is read."""
INDEX = "model.safetensors.index.json"


class Shards:
    """``model.safetensors``, or ``model-00001-of-00003.safetensors`` and so on with their index."""

    def __init__(self, folder: Path, noted: Mapping[str, Any] | None = None) -> None:
        """Into ``folder``; ``noted`` goes into the header of the first file."""
        self.folder, self.noted = folder, noted
        self._names: list[list[str]] = []
        self._filling: dict[str, torch.Tensor] = {}
        self._size_bytes = 0

    def add(self, key: str, tensor: torch.Tensor) -> None:
        """One more tensor; every name comes once. Raises CheckpointError: the shard cannot be written."""
        self._filling[key] = tensor
        if size_bytes(self._filling) >= SHARD_BYTES:
            self._flush()

    def finish(self) -> None:
        """Write what is left, and give all files their names. Raises CheckpointError as ``add``."""
        if self._filling:
            self._flush()
        count = len(self._names)
        if count == 1:
            (self.folder / "0.safetensors").rename(self.folder / "model.safetensors")
            return
        weight_map = {}
        for number, keys in enumerate(self._names):
            name = f"model-{number + 1:05d}-of-{count:05d}.safetensors"
            (self.folder / f"{number}.safetensors").rename(self.folder / name)
            weight_map.update({key: name for key in keys})
        index = {"metadata": {"total_size": self._size_bytes}, "weight_map": weight_map}
        (self.folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")

    def _flush(self) -> None:
        number = len(self._names)
        save_tensors(self._filling, self.folder / f"{number}.safetensors", None if number else self.noted)
        self._size_bytes += size_bytes(self._filling)
        self._names.append(list(self._filling))
        self._filling = {}


def size_bytes(tensors: Mapping[str, torch.Tensor]) -> int:
    """Bytes of all tensors together."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
