"""Writing what leaves the house: whole folders or none, nothing overwritten, permissions as the umask leaves them."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch

from ...atomic import check_place, drop_abandoned
from ...errors import CheckpointError, failed_to_write, one_line
from ...services import whole_folder
from ...toolkit.checkpoint import KEPT, METADATA
from .contents import Contents

fresh_folder = functools.partial(whole_folder.fresh_folder, error=CheckpointError)
refuse_to_overwrite = functools.partial(whole_folder.refuse_to_overwrite, error=CheckpointError)


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path, noted: Mapping[str, Any] | None = None) -> None:
    """Write a ``.safetensors`` file, whole or not at all.

    Args:
        noted: JSON-able, written into the header for ``read_contents``.

    Raises:
        CheckpointError: it cannot be written.
    """
    from safetensors import SafetensorError  # late: optional
    from safetensors.torch import save_file  # late: optional

    metadata = {"format": "pt", **({METADATA: json.dumps(noted)} if noted else {})}
    partial = path.with_name(f"{path.name}.{uuid4().hex[:8]}.part")
    try:
        check_place(path)
        drop_abandoned(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
        mode = partial.stat().st_mode
        save_file(_apart(tensors), str(partial), metadata)
        partial.chmod(mode)  # as the umask leaves it; safetensors makes files its owner's alone
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write {path}: {failed_to_write(error) or one_line(error)}") from error
    finally:
        if partial.is_file():
            partial.unlink()


def _apart(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors without gaps and with memory of their own, as safetensors wants them; copied only where they are not."""
    found: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for key, tensor in tensors.items():
        storage = tensor.untyped_storage()
        own = tensor.is_contiguous() and storage.nbytes() == tensor.nbytes and storage.data_ptr() not in seen
        found[key] = tensor.detach() if own else tensor.detach().clone(memory_format=torch.contiguous_format)
        seen.add(storage.data_ptr())
    return found


def noted_of(contents: Contents) -> dict[str, Any]:
    """Configuration and history of a checkpoint, which tensors alone do not tell."""
    return {key: contents.content[key] for key in KEPT if contents.content.get(key) is not None}
