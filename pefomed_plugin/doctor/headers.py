"""Names and shapes of the tensors in a weights file, without reading the tensors. Knows no model."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

from ..errors import CheckpointError, one_line

Shapes = dict[str, tuple[int, ...]]
_LONGEST_HEADER = 100_000_000


def read_shapes(path: Path) -> Shapes:
    """Of a ``.pth``, ``.bin`` or ``.safetensors`` file; of what is under ``model`` if it is a checkpoint.

    Raises:
        CheckpointError: missing, unreadable, incomplete, code instead of tensors, or no weights at all.
    """
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be opened: {error.strerror}") from error
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path} is a Git LFS pointer, the weights were not fetched; run git lfs pull there")
    if start.lstrip()[:1] == b"<":
        raise CheckpointError(f"{path} is a web page, not weights; fetch it again (a log-in page was saved?)")
    shapes = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    if not shapes:
        raise CheckpointError(f"{path} holds no tensors")
    return shapes


def _safetensors(path: Path) -> Shapes:
    """The header says how long the file must be."""
    with path.open("rb") as file:
        try:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _LONGEST_HEADER:
                raise ValueError(f"its header would have {length:,} bytes")
            header = json.loads(file.read(length))
            entries = {name: each for name, each in header.items() if name != "__metadata__"}
            end = 8 + length + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
            shapes = {name: tuple(entry["shape"]) for name, entry in entries.items()}
        except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path} is no safetensors file ({one_line(error)}); copy it again") from error
    size = path.stat().st_size
    if size < end:
        raise CheckpointError(f"{path} is incomplete: {size:,} of {end:,} bytes; copy it again")
    return shapes


def _pickled(path: Path) -> Shapes:
    """torch's own format: a zip archive, mapped rather than read; what is older is read whole."""
    import torch  # late: heavy

    mapped = {"mmap": True} if zipfile.is_zipfile(path) else {}
    try:
        content = torch.load(str(path), map_location="cpu", weights_only=True, **mapped)
    except Exception as error:  # torch raises a dozen types for a damaged file
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise CheckpointError(f"{path} holds pickled code, or is no weights file; it will be refused") from error
        raise CheckpointError(
            f"{path} cannot be read ({one_line(error)}); it is damaged or incomplete, copy it again"
        ) from error
    tensors = content.get("model", content) if isinstance(content, dict) else {}
    return {name: tuple(tensor.shape) for name, tensor in tensors.items() if isinstance(tensor, torch.Tensor)}
