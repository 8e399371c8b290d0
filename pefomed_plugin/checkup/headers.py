"""Names and shapes of the tensors in a weights file, without reading the tensors. Knows no model."""

import json
import struct
import zipfile
from pathlib import Path
from typing import Dict, Tuple

from ..errors import CheckpointError, one_line

Shapes = Dict[str, Tuple[int, ...]]
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
        raise CheckpointError("{} cannot be opened: {}".format(path, error.strerror)) from error
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError("{} is a Git LFS pointer, the weights were not fetched; run git lfs pull there"
                              .format(path))
    if start.lstrip()[:1] == b"<":
        raise CheckpointError("{} is a web page, not weights; fetch it again (a log-in page was saved?)".format(path))
    shapes = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    if not shapes:
        raise CheckpointError("{} holds no tensors".format(path))
    return shapes


def _safetensors(path: Path) -> Shapes:
    """The header says how long the file must be."""
    with path.open("rb") as file:
        try:
            length, = struct.unpack("<Q", file.read(8))
            if length > _LONGEST_HEADER:
                raise ValueError("its header would have {:,} bytes".format(length))
            header = json.loads(file.read(length))
            entries = {name: each for name, each in header.items() if name != "__metadata__"}
            end = 8 + length + max((each["data_offsets"][1] for each in entries.values()), default=0)
            shapes = {name: tuple(each["shape"]) for name, each in entries.items()}
        except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError("{} is no safetensors file ({}); copy it again".format(
                path, one_line(error))) from error
    size = path.stat().st_size
    if size < end:
        raise CheckpointError("{} is incomplete: {:,} of {:,} bytes; copy it again".format(path, size, end))
    return shapes


def _pickled(path: Path) -> Shapes:
    """torch's own format: a zip archive, mapped rather than read; what is older is read whole."""
    import torch

    mapped = {"mmap": True} if zipfile.is_zipfile(path) else {}
    try:
        content = torch.load(str(path), map_location="cpu", weights_only=True, **mapped)
    except Exception as error:  # torch raises a dozen types for a damaged file
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise CheckpointError("{} holds pickled code, or is no weights file; it will be refused".format(
                path)) from error
        raise CheckpointError("{} cannot be read ({}); it is damaged or incomplete, copy it again".format(
            path, one_line(error))) from error
    tensors = content.get("model", content) if isinstance(content, dict) else {}
    return {name: tuple(each.shape) for name, each in tensors.items() if isinstance(each, torch.Tensor)}
