"""Writing what leaves the house: whole folders or none, nothing overwritten, permissions as the umask leaves them."""

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, Mapping, Optional
from uuid import uuid4

import torch

from ...errors import CheckpointError, one_line
from ...storage import replacing
from .contents import KEPT, METADATA, Contents


@contextmanager
def fresh_folder(out: Path) -> Iterator[Path]:
    """A folder that gets the name ``out`` once everything in it is written; after an error nothing is left.

    Raises:
        CheckpointError: ``out`` is there already and not empty, or cannot be written.
    """
    out = Path(os.path.abspath(out))
    refuse_to_overwrite(out)
    partial = out.with_name("{}.{}.part".format(out.name, uuid4().hex[:8]))
    try:
        partial.mkdir(parents=True)
        yield partial
        os.replace(partial, out)
    except OSError as error:
        raise CheckpointError("cannot write {} ({}); choose another --out".format(
            out, error.strerror or one_line(error))) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_to_overwrite(out: Path) -> None:
    """Raises CheckpointError if ``out`` is a file or a folder with something in it."""
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise CheckpointError("{} is there already and is not overwritten; choose another --out, or move it away"
                              .format(out))


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path, noted: Optional[Mapping[str, Any]] = None) -> None:
    """Write a ``.safetensors`` file, whole or not at all.

    Args:
        noted: JSON-able, written into the header for ``read_contents``.

    Raises:
        CheckpointError: it cannot be written.
    """
    from safetensors.torch import save

    metadata = {"format": "pt", **({METADATA: json.dumps(noted)} if noted else {})}
    # copies, because tensors that share memory or have gaps are refused
    whole = {key: each.detach().clone(memory_format=torch.contiguous_format) for key, each in tensors.items()}
    try:
        with replacing(path) as file:
            file.write(save(whole, metadata))
    except OSError as error:
        raise CheckpointError("cannot write {} ({})".format(path, one_line(error))) from error


def noted_of(contents: Contents) -> Dict[str, Any]:
    """Configuration and history of a checkpoint, which tensors alone do not tell."""
    return {key: contents.content[key] for key in KEPT if contents.content.get(key) is not None}
