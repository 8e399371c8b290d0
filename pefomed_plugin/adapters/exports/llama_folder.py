"""A plain LLaMA folder on disk, read one tensor at a time, so that its size does not matter. Builds no model."""

from __future__ import annotations

import inspect
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...errors import CheckpointError, one_line
from ...readers.textfiles import read_json

COMPANIONS = (
    "config.json",
    "generation_config.json",
    "tokenizer.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "LICENSE*",
    "USE_POLICY*",
    "Notice*",
    "NOTICE*",
)
"""What belongs to a LLaMA folder beside its weights; its licence wants to be passed on with them."""
_WEIGHTS = ("model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin")
_LOAD = inspect.signature(torch.load).parameters
_BENIGN = "rotary_emb.inv_freq"


@dataclass(frozen=True)
class LlamaFolder:
    """What is known of it without reading its weights."""

    folder: Path
    config: Mapping[str, Any]
    files: Mapping[str, list[str]]
    """Weights file -> names of its tensors."""
    shapes: Mapping[str, tuple[int, ...]]
    """By name of the tensor."""
    size_bytes: int
    """Of all weights files together."""

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Names and tensors, one after the other; a tensor is read when it is its turn."""
        for name, keys in self.files.items():
            with _Weights(self.folder / name) as file:
                for key in keys:
                    yield key, file.tensor(key)

    def companions(self) -> list[Path]:
        """Configuration, tokenizer and licence files."""
        return sorted({path for pattern in COMPANIONS for path in self.folder.glob(pattern) if path.is_file()})


def open_llama(folder: Path) -> LlamaFolder:
    """A LLaMA folder as Hugging Face has it.

    Raises:
        CheckpointError: no such folder, no LLaMA, quantised, no weights in it, or a weights file that is missing or
            damaged.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{folder} is no LLaMA folder: no config.json; give the folder that the checkpoint was trained "
            "on (PEFOMED_LLAMA)"
        )
    config = read_json(folder / "config.json")
    if not isinstance(config, dict) or config.get("model_type") != "llama":
        raise CheckpointError(
            "{}: config.json is not a LLaMA's (model_type {!r})".format(
                folder, config.get("model_type") if isinstance(config, dict) else None
            )
        )
    if config.get("quantization_config"):
        raise CheckpointError(f"{folder} is quantised; LoRA is merged into whole numbers only: give the original")
    names = _weights_files(folder)
    files: dict[str, list[str]] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for name in names:
        with _Weights(folder / name) as file:
            # buffers of old transformers, computed anew by every model
            own = {key: shape for key, shape in file.shapes().items() if not key.endswith(_BENIGN)}
        files[name] = list(own)
        shapes.update(own)
    return LlamaFolder(folder, config, files, shapes, sum((folder / name).stat().st_size for name in names))


def _weights_files(folder: Path) -> list[str]:
    found = next((name for name in _WEIGHTS if (folder / name).is_file()), None)
    if found is None:
        raise CheckpointError(f"{folder} holds no weights; looked for {', '.join(_WEIGHTS)}")
    if not found.endswith(".json"):
        return [found]
    index = read_json(folder / found)
    listed = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(listed, dict) or not listed:
        raise CheckpointError(f"{folder / found} has no weight_map; download it again")
    names = sorted({str(each) for each in listed.values()})
    problems = [
        f"{folder / name}: not there; download it again"
        for name in names
        if Path(name).name != name or not (folder / name).is_file()
    ]
    if problems:
        raise CheckpointError(f"{folder / found} names weights files that are not in the folder", problems)
    return names


class _Weights:
    """One weights file, opened lazily, ``.safetensors`` or ``.bin``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None

    def __enter__(self) -> _Weights:
        try:
            if self.path.suffix == ".safetensors":
                from safetensors import safe_open  # late: optional

                self._file = safe_open(str(self.path), framework="pt").__enter__()
            else:
                # torch 2.0 of a checkout cannot map files into memory, nor can any torch map those before torch 1.6
                lazily = {"mmap": True} if zipfile.is_zipfile(self.path) and "mmap" in _LOAD else {}
                self._file = torch.load(str(self.path), map_location="cpu", weights_only=True, **lazily)
        except Exception as error:  # torch and safetensors raise a dozen types for a damaged file
            raise CheckpointError(
                f"{self.path} cannot be read ({one_line(error)}); it is damaged or incomplete, download it again"
            ) from error
        return self

    def __exit__(self, *problem: Any) -> None:
        if self.path.suffix == ".safetensors":
            self._file.__exit__(*problem)
        self._file = None

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor, none of them read."""
        if self.path.suffix == ".safetensors":
            names: list[str] = self._file.keys()
            return {key: tuple(self._file.get_slice(key).get_shape()) for key in names}
        return {key: tuple(each.shape) for key, each in self._file.items()}

    def tensor(self, key: str) -> torch.Tensor:
        return self._file.get_tensor(key) if self.path.suffix == ".safetensors" else self._file[key]


def write_index(folder: Path, shards: list[list[str]], size_bytes: int) -> None:
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
