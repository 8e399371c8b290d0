"""A folder with a language model's weights, as Hugging Face has them: of a known family, and whole.

Reads names and shapes, and one tensor at a time, so that the model's size does not matter. Builds no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..errors import CheckpointError
from ..families import LanguageModelFamily, LanguageSize, family_in
from ..families.exported import exported_name, is_exported_folder, language_name
from ..json_fields import wrong_fields
from ..readers.textfiles import read_json
from .weights_file import Shapes, open_tensors, read_shapes

_WEIGHTS = ("model.safetensors.index.json", "model.safetensors", "pytorch_model.bin.index.json", "pytorch_model.bin")


@dataclass(frozen=True)
class LanguageFolder:
    """What is known of it without reading its weights."""

    folder: Path
    family: LanguageModelFamily
    config: Mapping[str, Any]
    size: LanguageSize
    files: Mapping[str, list[str]]
    """Weights file -> names of its tensors."""
    shapes: Shapes
    """By name of the tensor."""
    size_bytes: int
    """Of all weights files together."""
    is_part: bool = False
    """Whether it is the language model of a whole exported one, in whose files its tensors have longer names."""

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Names and tensors, one after the other; a tensor is read when it is its turn."""
        for file, names in self.files.items():
            with open_tensors(self.folder / file) as tensor_of:
                for name in names:
                    yield name, tensor_of(exported_name(name) if self.is_part else name)

    def companions(self) -> list[Path]:
        """Configuration, tokenizer and licence files."""
        patterns = (*self.family.companions, *self.family.licence.files)
        return sorted({path for pattern in patterns for path in self.folder.glob(pattern) if path.is_file()})


def open_language_folder(folder: Path) -> LanguageFolder:
    """A folder of weights, every tensor of which is there and has the shape that ``config.json`` says.

    Raises:
        CheckpointError: no such folder, an unknown family, quantised weights, a file that is missing or damaged, or
            tensors that are missing, unexpected or of another shape; all of them are named.
    """
    folder = Path(folder)
    family, config = family_in(folder)
    size = family.size_of(config, folder / "config.json")
    if config.get("quantization_config"):
        raise CheckpointError(
            f"{folder} is quantised; give the original weights (model.llm_quantization quantises them when loaded)"
        )
    files: dict[str, list[str]] = {}
    shapes: Shapes = {}
    is_part = is_exported_folder(folder)
    for file in _weights_files(folder):
        own = {name: shape for name, shape in read_shapes(folder / file).items() if not family.is_recomputed(name)}
        if is_part:
            own = {name: shape for key, shape in own.items() if (name := language_name(key)) is not None}
        files[file] = list(own)
        shapes.update(own)
    wanted = dict(family.tensor_shapes(config))
    if size.tie_word_embeddings and family.output_layer in shapes:  # saved although it is the embedding
        wanted[family.output_layer] = (size.vocab_size, size.hidden_size)
    problems = differences(shapes, wanted)
    if problems:
        raise CheckpointError(f"{folder} does not hold the {family.title} that its config.json describes", problems)
    size_bytes = sum((folder / file).stat().st_size for file in files)
    return LanguageFolder(folder, family, config, size, files, shapes, size_bytes, is_part)


def holds_weights(folder: Path) -> bool:
    """Whether there are weights of a language model, whole or not."""
    return (folder / "config.json").is_file() and any((folder / name).is_file() for name in _WEIGHTS)


def differences(found: Shapes, wanted: Mapping[str, tuple[int, ...]]) -> list[str]:
    """A line for every tensor that is missing, unexpected, or of another shape."""
    problems = [f"{name}: missing" for name in wanted if name not in found]
    problems += [f"{name}: unexpected" for name in found if name not in wanted]
    return problems + [
        f"{name}: shape {found[name]} in the file, {shape} in the model"
        for name, shape in wanted.items()
        if name in found and found[name] != tuple(shape)
    ]


def _weights_files(folder: Path) -> list[str]:
    found = next((name for name in _WEIGHTS if (folder / name).is_file()), None)
    if found is None:
        raise CheckpointError(f"{folder} holds no weights; looked for {', '.join(_WEIGHTS)}")
    if not found.endswith(".json"):
        return [found]
    index = read_json(folder / found)
    if wrong_fields(index, {"weight_map": "Mapping[str, str]"}, ("weight_map",)) or not index["weight_map"]:
        raise CheckpointError(f"{folder / found} has no weight_map of names; download it again")
    names = sorted(set(index["weight_map"].values()))
    problems = [
        f"{folder / name}: not there; download it again"
        for name in names
        if Path(name).name != name or not (folder / name).is_file()
    ]
    if problems:
        raise CheckpointError(f"{folder / found} names weights files that are not in the folder", problems)
    return names
