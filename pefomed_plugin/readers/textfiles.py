"""Reading the files of releases: UTF-8 with or without BOM, JSON, JSON lines, pickles of plain values.

Errors name the place. Half a character (a lone surrogate, which JSON can hold and UTF-8 cannot) is read as U+FFFD; how
many records held one is said.
A pickle is a program: unpickling one from the web with ``pickle.load`` runs whatever it names. Here no class is ever
looked up.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError, one_line, why
from ..input_files import lines_of, open_input, read_bytes
from ..json_fields import kind_of, wrong_fields
from ..json_text import DEEPEST, JsonFault, mark_half_characters, read_json_text, tell_half_characters

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


_REMEDY = "the file is damaged or incomplete, fetch it again"


def read_text(path: Path) -> str:
    """Text of a UTF-8 file (a BOM is dropped).

    Raises:
        DataError: the file cannot be read or is not UTF-8; names the byte.
    """
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {why(error)}") from error


def read_json(path: Path, *, with_nan: bool = False) -> Any:
    """Content of a JSON file.

    Args:
        with_nan: take ``NaN`` and ``Infinity``, which other projects write.

    Raises:
        DataError: not JSON as ``json_text`` takes it; names line and column, or the fields.
    """
    try:
        value, halves = read_json_text(read_text(path), with_nan=with_nan)
    except JsonFault as fault:
        raise _not_json(fault.at(str(path))) from None
    tell_half_characters(str(path), halves)
    return value


def _not_json(problems: list[str]) -> DataError:
    first, *others = problems
    return DataError(first if ";" in first else f"{first}; {_REMEDY}", others)


def read_json_list(path: Path, *, with_nan: bool = False) -> list[Any]:
    """A JSON file that must hold a list of objects.

    Raises:
        DataError: it holds something else; names the first record that is no object.
    """
    rows = read_json(path, with_nan=with_nan)
    if not isinstance(rows, list):
        raise DataError(f"{path}: expected a list of records, found {kind_of(rows)}")
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataError(f"{path}, record {number}: expected an object, found {kind_of(row)}")
    return rows


def read_json_object(
    path: Path, kinds: Mapping[str, str], needed: Iterable[str] = (), *, what: str = ""
) -> dict[str, Any]:
    """A JSON file that must hold one object with these fields, as ``json_fields.wrong_fields`` takes them.

    Args:
        what: what the file should be, with a remedy, for the message: ``an index of shards; delete it``.

    Raises:
        DataError: not JSON, or fields that are missing or of another kind; all of them in one message.
    """
    content = read_json(path)
    problems = wrong_fields(content, kinds, needed)
    if problems:
        raise DataError(f"{path} is not {what or 'what it should be'}", [f"{path}: {line}" for line in problems])
    return content


def read_json_lines(
    path: Path, problems: list[str] | None = None, *, with_nan: bool = False
) -> Iterator[tuple[int, Any]]:
    """Pairs of line number (from 1) and object, blank lines left out; the file is streamed.

    Args:
        problems: gets a line for each line that is no JSON, for a caller that says them with its own.

    Raises:
        DataError: lines are not JSON and there are no ``problems``; at the end, names all of them.
    """
    own: list[str] = []
    halves = 0
    with open_input(path) as file:
        for number, line in lines_of(file, path):
            if line.strip():
                try:
                    value, changed = read_json_text(line, with_nan=with_nan)
                except JsonFault as fault:
                    if problems is None:
                        own += fault.at(str(path), number)
                    else:
                        problems += fault.at(path.name, number)
                    continue
                halves += changed > 0
                yield number, value
    if own:
        raise _not_json(own)
    tell_half_characters(str(path), halves)


def read_rows(path: Path, *, with_nan: bool = False) -> list[tuple[int, Any]]:
    """Records of a file that is either a JSON list or JSON lines, each with its number (from 0) or line (from 1).

    Raises:
        DataError: neither; names the line.
    """
    with open_input(path) as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"["):
        return list(enumerate(read_json_list(path, with_nan=with_nan)))
    return list(read_json_lines(path, with_nan=with_nan))


class _ForbiddenClass(pickle.UnpicklingError):
    pass


class _PlainUnpickler(pickle.Unpickler):
    """Plain values are opcodes of their own; every look-up of a class or function goes through ``find_class``."""

    def find_class(self, module: str, name: str) -> Any:
        raise _ForbiddenClass(f"{module}.{name}")


class _PatientUnpickler(pickle._Unpickler):  # type: ignore[name-defined, misc]
    """In Python, whose table of values grows by what is in it."""

    find_class = _PlainUnpickler.find_class


def read_plain_pickle(path: Path) -> Any:
    """Value of a pickle; byte strings of Python 2 are read as UTF-8.

    Raises:
        DataError: the file cannot be read, is damaged, or names a class or function (which the message names).
    """
    content = read_bytes(path)
    try:
        value = _unpickler_for(content)(io.BytesIO(content), encoding="utf-8").load()
    except _ForbiddenClass as error:
        raise DataError(
            f"{path}: names {error}, but only lists, dictionaries, text and numbers are read, because a pickle can "
            "run code; take the file from the original release or the repository's JSON"
        ) from error
    except _DAMAGE as error:
        raise DataError(
            f"{path}: not a pickle ({one_line(error)}); the file is damaged or incomplete, fetch it again"
        ) from error
    if not _is_small(value, len(content)):
        raise DataError(f"{path}: its values hold each other more often than the file is long; fetch it again")
    whole, halves = mark_half_characters(value)
    tell_half_characters(str(path), halves)
    return whole


def _unpickler_for(content: bytes) -> Any:
    """Look at a pickle's opcodes, none of which is carried out: a few bytes can ask for a memory of gigabytes.

    Raises:
        ValueError: no pickle, or a number of a value far beyond those that there are.
    """
    try:
        opcodes = list(pickletools.genops(content))
    except UnicodeDecodeError:  # texts of Python 2, which pickletools does not look at
        return _PatientUnpickler
    for opcode, argument, _ in opcodes:
        if opcode.name in ("PUT", "LONG_BINPUT") and not 0 <= int(argument or 0) <= len(content):
            raise ValueError(f"value number {argument} in {len(content):,} bytes")
    return _PlainUnpickler


def _is_small(value: Any, size: int) -> bool:
    """Whether the lists and dictionaries of a pickle hold no more items than its bytes can say, and not endlessly."""
    level, left = [value], 8 * size
    for _ in range(DEEPEST):
        level = [
            item
            for outer in level
            if isinstance(outer, (dict, list, tuple))
            for item in (outer.values() if isinstance(outer, dict) else outer)
        ]
        left -= len(level)
        if not level or left < 0:
            return left >= 0
    return False
