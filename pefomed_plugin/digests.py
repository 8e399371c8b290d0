"""SHA-256 of files and streams, in hexadecimal; read in blocks, so that size does not matter."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

_BLOCK_BYTES = 1 << 20


def sha256_of(stream: BinaryIO) -> str:
    """Digest of what is left of ``stream``."""
    digest = hashlib.sha256()
    for block in iter(lambda: stream.read(_BLOCK_BYTES), b""):
        digest.update(block)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Digest of a file."""
    with open(path, "rb") as stream:
        return sha256_of(stream)
