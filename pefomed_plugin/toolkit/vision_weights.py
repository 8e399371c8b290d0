"""The local file or folder that fills a vision encoder: read, fitted by the encoder's family, checked tensor by tensor.

Nothing is downloaded. In a folder of the Hugging Face hub, a ``config.json`` as timm writes it says which architecture
the weights are of and how their images were made; one that says otherwise than the run is refused.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import CheckpointError, one_line
from ..families.exported import is_exported_folder
from ..json_text import parse_json
from ..vision_encoders import VisionEncoder, family_of
from .checkpoint import read_checkpoint, read_weights, refuse_nonfinite
from .exported_folder import vision_tensors

FILES = (
    "model.safetensors",
    "open_clip_model.safetensors",
    "pytorch_model.bin",
    "open_clip_pytorch_model.bin",
)
"""Of a folder, the first that is there."""


def load_vision_weights(module: Any, encoder: VisionEncoder, path: Path) -> None:
    """Load a local file (ViT-g: ``eva_vit_g.pth``, upstream's key names), its positions resampled to the image size.

    Raises:
        CheckpointError: a tensor of the encoder is missing in the file, has another shape or holds NaN, or a tensor of
            the file has no place; all are listed.
    """
    given = fitted_weights(module, encoder, read_vision_weights(encoder, path), path)
    refuse_nonfinite(given, str(path))
    module.load_state_dict(given)


def read_vision_weights(encoder: VisionEncoder, path: Path, lazily: bool = False) -> dict[str, torch.Tensor]:
    """Tensors of a file, a folder, or the vision part of an exported model, under the names of the released file.

    Raises:
        CheckpointError: it cannot be read, or says that its weights are of another encoder.
    """
    if is_exported_folder(path):
        return vision_tensors(path)
    file = vision_weights_file(path, encoder)
    return read_checkpoint(file, lazily=True)["model"] if lazily else read_weights(file)


def fingerprint(module: Any) -> str:
    """What tells the weights of one encoder from others of its kind: a digest of all vectors, which no image size
    resamples, as float16, so that a file in half precision has the same."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.named_parameters()):
        if tensor.ndim == 1:
            digest.update(name.encode())
            digest.update(tensor.detach().to("cpu", torch.float16).numpy().tobytes())
    return digest.hexdigest()[:16]


def check_vision_weights(encoder: VisionEncoder, path: Path) -> None:
    """Whether a file would fill an encoder, by names and shapes alone. Raises as ``load_vision_weights``."""
    tensors = read_vision_weights(encoder, path, lazily=True)
    with torch.device("meta"):
        module = family_of(encoder.name)[0].build(encoder)
    fitted_weights(module, encoder, {key: tensor.to("meta") for key, tensor in tensors.items()}, path)


def fitted_weights(
    module: Any, encoder: VisionEncoder, tensors: Mapping[str, torch.Tensor], path: Path
) -> dict[str, torch.Tensor]:
    """The tensors of a file that fill a module, under its names. Raises CheckpointError as ``load_vision_weights``."""
    family, _ = family_of(encoder.name)
    try:
        given = family.fit(tensors, module, encoder)
    except CheckpointError as error:
        raise CheckpointError(f"{path} does not fit the vision encoder {encoder.name}: {error.summary}") from error
    wanted = module.state_dict()
    problems = [f"{key}: not in the file" for key in wanted if key not in given]
    problems += [
        f"{key}: shape {tuple(given[key].shape)} in the file, {tuple(own.shape)} in the model"
        for key, own in wanted.items()
        if key in given and given[key].shape != own.shape
    ]
    problems += [
        f"{key}: the model has no such tensor"
        for key in given
        if key not in wanted and not family.is_unused(key, encoder)
    ]
    if problems:
        raise CheckpointError(
            f"{path} does not fit the vision encoder {encoder.name} (set model.vit to its size, or model.vit_model to "
            "its name)",
            problems,
        )
    return {key: given[key] for key in wanted}


def vision_weights_file(path: Path, encoder: VisionEncoder) -> Path:
    """The file itself, or that of a folder.

    Raises:
        CheckpointError: the folder has none, or says that its weights are of another encoder.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    found = next((path / name for name in FILES if (path / name).is_file()), None)
    if found is None:
        raise CheckpointError(f"{path} has no weights of a vision encoder: none of {', '.join(FILES)}; name the file")
    problems = _contradictions(_config(path / "config.json"), encoder)
    if problems:
        raise CheckpointError(
            f"{path} holds the weights of another encoder than model.vit_model={encoder.name}", problems
        )
    return found


def _config(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        config = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON ({one_line(error)}); download it again") from error
    return config if isinstance(config, dict) else {}


def _contradictions(config: Mapping[str, Any], encoder: VisionEncoder) -> list[str]:
    found = []
    said = config.get("architecture")
    own = encoder.architecture.partition(".")[0]
    if isinstance(said, str) and encoder.family == "timm" and said.partition(".")[0] != own:
        found.append(f"config.json: architecture {said!r}; set model.vit_model=timm/{said}")
    facts = config.get("pretrained_cfg")
    for key, values in (("mean", encoder.mean), ("std", encoder.std)) if isinstance(facts, Mapping) else ():
        told = facts.get(key)  # type: ignore[union-attr]
        if isinstance(told, list) and not _close(told, values):
            name = f"timm/{own}.{facts.get('tag') or 'TAG'}"  # type: ignore[union-attr]
            found.append(f"config.json: {key} {told}, the encoder's is {list(values)}; name the weights: {name}")
    return found


def _close(told: list[Any], values: tuple[float, ...]) -> bool:
    return len(told) == len(values) and all(
        isinstance(one, (int, float)) and math.isclose(one, other, rel_tol=1e-4) for one, other in zip(told, values)
    )
