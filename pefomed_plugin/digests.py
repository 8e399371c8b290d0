"""SHA-256 of files and streams, in hexadecimal; read in blocks, so that size does not matter."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import BinaryIO, Callable

_BLOCK_BYTES = 1 << 20
_REMEMBERED_BYTES = 1 << 20
"""Digests of files from this size on are remembered: a checkpoint is read once, whoever asks."""
_SETTLED_NS = 2_000_000_000
"""Age from which another content must show in a file's time of change; a younger file is read again."""
_remembered: dict[tuple[str, int, int, int], str] = {}


def sha256_of(stream: BinaryIO) -> str:
    """Digest of what is left of ``stream``."""
    digest = hashlib.sha256()
    for block in iter(lambda: stream.read(_BLOCK_BYTES), b""):
        digest.update(block)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Digest of a file; of a large one that has not changed since this process last asked, as it was then."""
    with open(path, "rb") as stream:
        state = os.fstat(stream.fileno())
        key = (os.path.abspath(path), state.st_size, state.st_mtime_ns, state.st_ino)
        if key not in _remembered:
            digest = sha256_of(stream)
            if state.st_size < _REMEMBERED_BYTES or time.time_ns() - state.st_mtime_ns < _SETTLED_NS:
                return digest
            _remembered[key] = digest
    return _remembered[key]


def folder_sha256(folder: Path, digest: Callable[[Path], str] = file_sha256) -> str:
    """Digest over the names and digests of a folder's own files, those of hidden names left out."""
    names = sorted(path.name for path in Path(folder).iterdir() if path.is_file() and not path.name.startswith("."))
    lines = "".join(f"{digest(Path(folder) / name)}  {name}\n" for name in names)
    return hashlib.sha256(lines.encode("utf-8")).hexdigest()


def digest_file(path: Path) -> Path:
    """Where the digest of a file lies: ``<file>.sha256`` beside it."""
    return Path(str(path) + ".sha256")


def digest_state(path: Path) -> str:
    """``ok``, ``differs`` (the file is damaged) or ``none``: a file against the digest beside it."""
    beside = digest_file(path)
    if not beside.is_file():
        return "none"
    return "ok" if beside.read_bytes().split()[:1] == [file_sha256(path).encode()] else "differs"
