"""What the header of a NIfTI file says: its few fields of text, and its extensions, which may hold a DICOM header.

Source: nifti1.h and nifti2.h (NIfTI-1.1 and NIfTI-2 data formats); places are bytes from the beginning.
"""

from __future__ import annotations

import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

from ...errors import DataError
from .said import Visit

HEAD_BYTES = 352
"""Of a file, that tell whether it is one."""
_FIELDS = {
    348: {"db_name": (14, 18), "descrip": (148, 80), "aux_file": (228, 24), "intent_name": (328, 16)},
    540: {"descrip": (240, 80), "aux_file": (320, 24), "intent_name": (508, 16)},
}
"""Size of the header -> field -> where it begins, and its length."""
_WORDS = re.compile(rb"[ -~\xa0-\xff]{4,}")
_MOST_BYTES = 64 << 20
"""Of a header with its extensions."""


def is_nifti(head: bytes) -> bool:
    """Whether the first bytes of a file are a NIfTI header of one file or of two."""
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def visit_nifti(path: Path, visit: Visit, out: Path | None) -> None:
    """Every text of the header; with ``out`` a copy with what became of them, whose voxels are as they were.

    Raises:
        DataError: the header is damaged.
    """
    with open(path, "rb") as file:
        start = file.read(544)
        order, size, voxels = _layout(path, start)
        file.seek(0)
        header = bytearray(file.read(max(size, voxels)))
    for name, (place, length) in _FIELDS[size].items():
        text = bytes(header[place : place + length]).partition(b"\0")[0].decode("latin-1")
        changed = visit(text, f"header, {name}", "")
        if changed != text:
            header[place : place + length] = changed.encode("latin-1", "replace")[:length].ljust(length, b"\0")
    for number, (place, length) in enumerate(list(_extensions(bytes(header), size, order)), 1):
        text = b"\n".join(_WORDS.findall(header[place : place + length])).decode("latin-1")
        if visit(text, f"header, extension {number}", "") != text:
            header[place : place + length] = bytes(length)
    if out is not None:
        shutil.copyfile(path, out)
        with open(out, "r+b") as copy:
            copy.write(header)


def _layout(path: Path, start: bytes) -> tuple[str, int, int]:
    """Byte order, size of the header, and where voxels begin: 0 where they are in a file of their own."""
    for order in "<>":
        if len(start) >= 348 and struct.unpack(f"{order}i", start[:4])[0] in _FIELDS:
            size = int(struct.unpack(f"{order}i", start[:4])[0])
            where, kind = (108, "f") if size == 348 else (168, "q")
            voxels = struct.unpack_from(f"{order}{kind}", start, where)[0]
            if 0 <= voxels <= _MOST_BYTES:
                return order, size, int(voxels)
    raise DataError(f"{path}: a damaged NIfTI header")


def _extensions(header: bytes, size: int, order: str) -> Iterator[tuple[int, int]]:
    """(place, length) of what each extension holds, behind its own size and code."""
    place = size + 4
    if len(header) <= place or not header[size]:
        return
    while place + 8 <= len(header):
        length = struct.unpack_from(f"{order}i", header, place)[0]
        if length < 8 or place + length > len(header):
            return
        yield place + 8, length - 8
        place += length
