"""Files from outside, opened: regular files only, and lines of a length that memory can take.

Opening a named pipe waits for ever, a device never ends, and a small gzip file can hold a line of gigabytes.
"""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from .errors import DataError, why

MOST_LINE_BYTES = 64 * 2**20
"""Of a line of a table or of JSON lines; the longest of a published release has some thousand."""
csv.field_size_limit(MOST_LINE_BYTES)  # Python's own 131,072 characters are fewer than a table may hold in a cell
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def special_kind(path: Path) -> str | None:
    """What ``path`` is if it is no file or folder: ``a device``. Raises OSError where nothing is there to be seen."""
    return _KINDS.get(stat.S_IFMT(os.stat(path).st_mode))


def refuse_special(path: Path) -> None:
    """Raises DataError if ``path`` is a named pipe, a device or a socket, which is not opened.

    OSError: there is no such file, or it cannot be looked at.
    """
    kind = special_kind(path)
    if kind:
        raise DataError(f"cannot read {path}: it is {kind}, not a file; write what it gives into a file, and name that")


def open_input(path: Path) -> BinaryIO:
    """A regular file, to be read.

    Raises:
        DataError: it is none, or cannot be read.
    """
    try:
        refuse_special(path)
        return open(path, "rb")
    except OSError as error:
        raise DataError(f"cannot read {path}: {why(error)}") from error


def read_bytes(path: Path) -> bytes:
    """Content of a regular file. Raises DataError as ``open_input``."""
    try:
        with open_input(path) as file:
            return file.read()
    except OSError as error:
        raise DataError(f"cannot read {path}: {why(error)}") from error


def lines_of(file: object, path: Path) -> Iterator[tuple[int, bytes]]:
    """Pairs of line number (from 1) and line with its end; only LF ends one.

    Args:
        file: opened for bytes; perhaps one that unpacks.

    Raises:
        DataError: a line has more than ``MOST_LINE_BYTES``, or the file cannot be read.
    """
    number = 0
    try:
        while True:
            line = cast(BinaryIO, file).readline(MOST_LINE_BYTES + 1)
            if not line:
                return
            number += 1
            if len(line) > MOST_LINE_BYTES:
                raise DataError(
                    f"{path}, line {number}: more than {MOST_LINE_BYTES // 2**20} MiB in one line; the file is "
                    "damaged, or is not what its name says"
                )
            yield number, line
    except OSError as error:
        if error.errno is None:  # what is packed is damaged, which is the caller's to say
            raise
        raise DataError(f"cannot read {path}: {why(error)}") from error
