"""One file of weights, whole or lazily: nothing pickled is ever executed, and what is no weights file has a name.

It does not depend on a model or on what tensors are called.
"""

from __future__ import annotations

import inspect
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import torch

from ..digests import digest_file, digest_state
from ..errors import CheckpointError, near_names, one_line, why
from ..json_text import parse_json

Shapes = dict[str, tuple[int, ...]]
_BEGINNINGS = (b"PK", b"\x80")
"""Of what torch saves: a zip archive, or before torch 1.6 a pickle."""
SAFETENSORS = ".safetensors"
_SUFFIXES = (".pth", ".pt", ".bin", SAFETENSORS)
_LONGEST_HEADER = 100_000_000
_MAPS_FILES = "mmap" in inspect.signature(torch.load).parameters
"""Not so torch 2.0, which a checkout has."""


def read_file(
    path: Path, *, lazily: bool = False, summed: bool = True, may_be_damaged: bool = False
) -> tuple[Any, dict[str, str]]:
    """What a ``.pth``, ``.bin`` or ``.safetensors`` file holds, on the CPU, and the metadata of its header.

    Args:
        lazily: map the tensors into memory where torch can, rather than read them.
        summed: as ``require_undamaged``.
        may_be_damaged: read what can be read of it, to look at.

    Raises:
        CheckpointError: missing, damaged, incomplete, code instead of tensors, or something else altogether.
    """
    path = Path(path)
    refuse_other_files(path)
    if not may_be_damaged:
        require_undamaged(path, summed=summed)
    if path.suffix == SAFETENSORS:
        shapes, metadata = read_header(path)
        with _opened(path) as file:
            return {name: file.get_tensor(name) for name in shapes}, metadata
    # neither torch 2.0 nor files that are older than torch 1.6 can be mapped
    mapped = {"mmap": True} if lazily and _MAPS_FILES and zipfile.is_zipfile(path) else {}
    try:
        return torch.load(str(path), map_location="cpu", weights_only=True, **mapped), {}
    except Exception as error:  # torch raises a dozen types for a damaged file
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise CheckpointError(
                f"{path} holds pickled code and is refused, or is no weights file; where you trust it, save it again "
                "as plain tensors or as .safetensors"
            ) from error
        raise CheckpointError(
            f"{path} cannot be read ({one_line(error)}); it is damaged or incomplete, copy it again"
        ) from error


def require_undamaged(path: Path, *, summed: bool = True) -> None:
    """Check a file against the digest beside it; without one, against the checksums that torch's zip files hold of
    their parts. A ``.safetensors`` file alone has nothing to be checked against.

    Args:
        summed: whether to read the whole file for these checksums (a language model has gigabytes).

    Raises:
        CheckpointError: it is not as it was written.
    """
    if not path.is_file():
        return
    state = digest_state(path)
    if state == "differs":
        beside = digest_file(path).name
        raise CheckpointError(
            f"{path} is damaged: its digest is not the one in {beside}; copy it again (if you have put another file "
            f"there, delete {beside})"
        )
    if state == "ok" or not summed or path.suffix == SAFETENSORS:
        return
    try:
        with zipfile.ZipFile(path) as parts:
            damaged = parts.testzip()
    except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError, ValueError):
        return  # a pickle of an early torch, or what torch names next
    if damaged is not None:
        raise CheckpointError(f"{path} is damaged: the checksum of its part {damaged} is another one; copy it again")


def refuse_other_files(path: Path) -> None:
    """Raises CheckpointError if ``path`` is no file, or one that a browser or git left in place of the weights."""
    if not path.is_file():
        raise CheckpointError(f"no weights file {path}{_what_is_there(path)}")
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be opened: {why(error)}") from error
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(f"{path} is a Git LFS pointer, the weights were not fetched; run git lfs pull there")
    if start.lstrip()[:1] == b"<":
        raise CheckpointError(f"{path} is a web page, not weights; fetch it again (a log-in page was saved?)")
    if path.suffix != SAFETENSORS and start and not start.startswith(_BEGINNINGS):
        raise CheckpointError(
            f"{path} is not a weights file (it begins with {start[:16]!r}); name a .pth, .bin or .safetensors file"
        )


def _what_is_there(path: Path) -> str:
    """Weights beside a file that is not there, of which one may be meant."""
    try:
        names = {one.name for one in path.parent.iterdir() if one.suffix in _SUFFIXES}
    except OSError:
        return ""
    return f"; {near_names(path.name, names)}" if names else ""


def read_header(path: Path) -> tuple[Shapes, dict[str, str]]:
    """Shapes and metadata in the header of a ``.safetensors`` file, which also says how long the file must be.

    Raises:
        CheckpointError: it is none, or incomplete.
    """
    with path.open("rb") as file:
        try:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _LONGEST_HEADER:
                raise ValueError(f"its header would have {length:,} bytes")
            header = parse_json(file.read(length))
            metadata = header.pop("__metadata__", None) or {}
            end = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
            shapes = {name: tuple(entry["shape"]) for name, entry in header.items()}
        except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path} is no safetensors file ({one_line(error)}); copy it again") from error
    size = path.stat().st_size
    if size < end:
        raise CheckpointError(f"{path} is incomplete: {size:,} of {end:,} bytes; copy it again")
    return shapes, metadata


def read_shapes(path: Path) -> Shapes:
    """Names and shapes of the tensors of a bare weights file, none of them read. Raises as ``read_file``."""
    refuse_other_files(path)
    if path.suffix == SAFETENSORS:
        shapes = read_header(path)[0]
    else:
        shapes = {name: tuple(tensor.shape) for name, tensor in _bare(path).items()}
    if not shapes:
        raise CheckpointError(f"{path} holds no tensors")
    return shapes


@contextmanager
def open_tensors(path: Path) -> Iterator[Callable[[str], torch.Tensor]]:
    """A function from the name of a tensor of a bare weights file to the tensor, read when it is asked for."""
    refuse_other_files(path)
    if path.suffix == SAFETENSORS:
        with _opened(path) as file:
            yield file.get_tensor
    else:
        yield _bare(path).__getitem__


def _bare(path: Path) -> dict[str, torch.Tensor]:
    content, _ = read_file(path, lazily=True, summed=False)
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a dictionary of tensors")
    return {name: tensor for name, tensor in content.items() if isinstance(tensor, torch.Tensor)}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open  # late: optional

    try:
        with safe_open(str(path), framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise CheckpointError(f"{path} cannot be read ({one_line(error)}); it is damaged, copy it again") from error
