"""A transformers folder of ``pefomed checkpoint export``, read part by part: what we train, and what is frozen.

It stands for the three files of a run at once: as ``model.ckpt`` its projection is read, as ``model.vit_weights`` its
vision encoder, as ``model.llama_model`` its language model (``language_folder``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import CheckpointError, one_line
from ..families import family_in, read_config
from ..families.exported import NORM, PROJECTION, VISION
from ..lora import FAMILY
from ..readers.textfiles import read_json
from ..vision_encoders import DEFAULT_ENCODER, ENCODER, VisionEncoder
from .weights_file import open_tensors, read_header, read_shapes

_PROPORTIONS = {
    "patch_size": "patch_size",
    "embed_dim": "hidden_size",
    "depth": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "group": "patches_per_token",
}
INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"


def files_of(folder: Path) -> dict[str, list[str]]:
    """Weights file -> names of its tensors.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    folder = Path(folder)
    if not (folder / INDEX).is_file():
        return {SINGLE: list(read_shapes(folder / SINGLE))}
    index = read_json(folder / INDEX)
    named = index.get("weight_map") if isinstance(index, Mapping) else None
    if not isinstance(named, Mapping) or not all(Path(str(name)).name == name for name in named.values()):
        raise CheckpointError(f"{folder / INDEX} has no weight_map of file names; export the checkpoint again")
    found: dict[str, list[str]] = {}
    for key, name in named.items():
        found.setdefault(str(name), []).append(str(key))
    return found


def tensors_behind(folder: Path, prefix: str) -> dict[str, torch.Tensor]:
    """Tensors whose names begin with ``prefix``, without it; nothing else is read. Raises as ``files_of``."""
    found: dict[str, torch.Tensor] = {}
    for file, keys in files_of(folder).items():
        wanted = [key for key in keys if key.startswith(prefix)]
        if wanted:
            with open_tensors(Path(folder) / file) as tensor_of:
                found.update({key[len(prefix) :]: tensor_of(key) for key in wanted})
    return found


def projection_file(folder: Path) -> Path:
    """The file that holds the projection. Raises CheckpointError: none does."""
    for file, keys in files_of(folder).items():
        if any(key.startswith(PROJECTION) for key in keys):
            return Path(folder) / file
    raise CheckpointError(f"{folder} holds no projection ({PROJECTION}weight); export the checkpoint again")


def read_trained(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Projection and last vision norm under MiniGPT-v2's names, and the metadata of their file's header."""
    _, metadata = read_header(projection_file(folder))
    tensors: dict[str, Any] = {f"llama_proj.{key}": one for key, one in tensors_behind(folder, PROJECTION).items()}
    tensors.update({f"ln_vision.{key}": one for key, one in tensors_behind(folder, NORM).items()})
    return tensors, metadata


def described(folder: Path) -> dict[str, Any]:
    """What a checkpoint says of its language model and vision encoder, by ``config.json``: what transformers saved
    after training has no header of ours.

    Raises:
        CheckpointError: the configuration is damaged.
    """
    family, _ = family_in(folder)
    vision = read_config(folder).get("vision_config")
    images = read_json(Path(folder) / "processor_config.json")
    made = images.get("image_processor") if isinstance(images, Mapping) else None
    try:
        given = {own: vision[theirs] for own, theirs in _PROPORTIONS.items()}  # type: ignore[index]
        # half a unit more, so that the width comes out whole again
        given["mlp_ratio"] = (vision["intermediate_size"] + 0.5) / vision["hidden_size"]  # type: ignore[index]
        record = {
            "name": DEFAULT_ENCODER,
            **given,
            "image_size": vision["image_size"],  # type: ignore[index]
            "mean": made["image_mean"],  # type: ignore[index]
            "std": made["image_std"],  # type: ignore[index]
            "given": given,
        }
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{folder}: config.json or processor_config.json does not describe its vision encoder ({one_line(error)}); "
            "export the checkpoint again"
        ) from error
    return {FAMILY: family.name, ENCODER: VisionEncoder.from_record(record, str(folder)).record()}


def vision_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """The vision encoder, under the names of its released file."""
    return tensors_behind(folder, VISION)
