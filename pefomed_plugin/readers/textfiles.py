"""Reading the files of releases: UTF-8 with or without BOM, JSON, JSON lines, pickles of plain values.

Errors name the place. Half a character (a lone surrogate, which JSON can hold and UTF-8 cannot) is read as U+FFFD; how
many records held one is said.
A pickle is a program: unpickling one from the web with ``pickle.load`` runs whatever it names. Here no class is ever
looked up.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DataError, one_line, why
from ..text import mark_half_characters, read_json_text, tell_half_characters

# What the pickle module raises on damaged input, as its documentation lists it, and what its opcodes can add.
_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    MemoryError,
)


def read_text(path: Path) -> str:
    """Text of a UTF-8 file (a BOM is dropped).

    Raises:
        DataError: the file cannot be read or is not UTF-8; names the byte.
    """
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot read {path}: {why(error)}") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte {error.start} is not UTF-8; convert the file, for example with iconv -f latin1 -t utf-8"
        ) from error


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        DataError: not JSON; names line and column.
    """
    text = read_text(path)
    try:
        value, halves = read_json_text(text)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}); the file is damaged or "
            "incomplete, fetch it again"
        ) from error
    tell_half_characters(str(path), halves)
    return value


def read_json_list(path: Path) -> list[Any]:
    """A JSON file that must hold a list of objects.

    Raises:
        DataError: it holds something else; names the first record that is no object.
    """
    rows = read_json(path)
    if not isinstance(rows, list):
        raise DataError(f"{path}: expected a list of records, found {type(rows).__name__}")
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataError(f"{path}, record {number}: expected an object, found {type(row).__name__}")
    return rows


def read_json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Pairs of line number (from 1) and object, blank lines left out; the file is streamed.

    Raises:
        DataError: a line is not JSON or not UTF-8; names the line.
    """
    halves = 0
    try:
        with open(path, encoding="utf-8-sig", newline="\n") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    value, changed = read_json_text(line)
                    halves += changed > 0
                    yield number, value
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {number}: not JSON ({error.msg}); the file is damaged or incomplete") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {why(error)}") from error
    tell_half_characters(str(path), halves)


def read_rows(path: Path) -> list[tuple[int, Any]]:
    """Records of a file that is either a JSON list or JSON lines, each with its number (from 0) or line (from 1).

    Raises:
        DataError: neither; names the line.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise DataError(f"cannot read {path}: {why(error)}") from error
    return list(enumerate(read_json_list(path))) if start.startswith(b"[") else list(read_json_lines(path))


class _ForbiddenClass(pickle.UnpicklingError):
    pass


class _PlainUnpickler(pickle.Unpickler):
    """Plain values are opcodes of their own; every look-up of a class or function goes through ``find_class``."""

    def find_class(self, module: str, name: str) -> Any:
        raise _ForbiddenClass(f"{module}.{name}")


def read_plain_pickle(path: Path) -> Any:
    """Value of a pickle; byte strings of Python 2 are read as UTF-8.

    Raises:
        DataError: the file cannot be read, is damaged, or names a class or function (which the message names).
    """
    try:
        value = _PlainUnpickler(io.BytesIO(Path(path).read_bytes()), encoding="utf-8").load()
    except OSError as error:
        raise DataError(f"cannot read {path}: {why(error)}") from error
    except _ForbiddenClass as error:
        raise DataError(
            f"{path}: names {error}, but only lists, dictionaries, text and numbers are read, because a pickle can "
            "run code; take the file from the original release or the repository's JSON"
        ) from error
    except _DAMAGE as error:
        raise DataError(
            f"{path}: not a pickle ({one_line(error)}); the file is damaged or incomplete, fetch it again"
        ) from error
    whole, halves = mark_half_characters(value)
    tell_half_characters(str(path), halves)
    return whole
