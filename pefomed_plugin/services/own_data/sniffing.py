"""In which encoding a text file is, and what separates the columns of a table: found out, said, and never hidden.

A file that is UTF-8 as a whole is taken for that. What is not is Windows' or Latin-1 (the same letters), as a
spreadsheet of Western Europe writes it; other 8-bit encodings cannot be told from these, so it is a guess, and said to
be one.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from ...errors import ConfigError, DataError

DELIMITERS = {";": "semicolon", "\t": "TAB", ",": "comma", "|": "vertical bar"}
"""What may separate columns, and what it is called."""
_NAMED = {**{word: mark for mark, word in DELIMITERS.items()}, "tab": "\t", "\\t": "\t", "pipe": "|"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a byte order mark"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_HEAD_BYTES = 4096
_RECORDS = 200
"""Looked at for the delimiter."""
_DOS_LETTERS = frozenset(b"\x81\x84\x8e\x94\x99\x9a\xe1")
"""ä ö ü Ä Ö Ü ß of code pages 437 and 850, which are marks or nothing in Windows' own."""


def decode(path: Path, content: bytes, encoding: str = "") -> tuple[str, str]:
    """The text of a file, and in words which encoding it has and how that is known.

    Args:
        encoding: as the user says it (``--encoding``); empty: found out.

    Raises:
        ConfigError: there is no such encoding.
        DataError: the file is not in it, or in none that is known here.
    """
    if encoding:
        return _as_told(path, content, encoding)
    for mark, name, words in _MARKS:
        if content.startswith(mark):
            return _strictly(path, content, name), words
    head = content[:_HEAD_BYTES]
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) >= 4 and head[start::2].count(0) > len(head) // 4:
            return _strictly(path, content, name), "UTF-16 without a byte order mark"
    if b"\0" in content:
        _refuse_nul(path, content.decode("latin-1"))
    try:
        return content.decode("utf-8"), "UTF-8" if any(byte > 127 for byte in content) else "ASCII (so UTF-8)"
    except UnicodeDecodeError as error:
        return _eight_bits(path, content, error)


def _as_told(path: Path, content: bytes, encoding: str) -> tuple[str, str]:
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)
    except (LookupError, TypeError):
        raise ConfigError(
            f"--encoding {encoding}: no such encoding of text; known are utf-8, utf-16, latin-1, cp1252, cp850, "
            "mac_roman and others of Python's"
        ) from None
    name = "utf-8-sig" if name == "utf-8" else name
    return _strictly(path, content, name).lstrip("\ufeff"), f"{encoding} (as --encoding says)"


def _strictly(path: Path, content: bytes, name: str) -> str:
    try:
        text = content.decode(name)
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        line = content.count(b"\n", 0, start) + 1
        raise DataError(
            f"{path}, line {line}: not {name.removesuffix('-sig')} (byte {start}); give another --encoding, or none: "
            "it is found out"
        ) from error
    _refuse_nul(path, text)
    return text


def _refuse_nul(path: Path, text: str) -> None:
    """Raises DataError where a text holds NUL: it is none, or was damaged."""
    place = text.find("\0")
    if place >= 0:
        line = text.count("\n", 0, place) + 1
        raise DataError(
            f"{path}, line {line}: no text: it holds NUL bytes; export the table as CSV, or name the file that is one"
        )


def _eight_bits(path: Path, content: bytes, error: UnicodeDecodeError) -> tuple[str, str]:
    """Windows' letters, or Latin-1, which is the same where none of Windows' additions occurs."""
    line = content.count(b"\n", 0, error.start) + 1
    beyond = Counter(byte for byte in content if byte > 127)
    added = {byte: count for byte, count in beyond.items() if byte < 0xA0}
    dos = sum(count for byte, count in beyond.items() if byte in _DOS_LETTERS)
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError as wrong:
        raise DataError(
            f"{path}, line {content.count(bytes((10,)), 0, wrong.start) + 1}: neither UTF-8 nor Windows' Latin letters "
            f"(byte 0x{content[wrong.start]:02x}); say which it is, for example --encoding cp850 (DOS) or mac_roman"
        ) from error
    letters = ", ".join(f"{bytes((byte,)).decode('cp1252')} {count:,}" for byte, count in beyond.most_common(6))
    name = "cp1252 (Windows)" if added else "Latin-1 (the same as cp1252 here)"
    doubt = "; it may be cp850 (DOS)" if added and 2 * dos > sum(beyond.values()) else ""
    return text, (
        f"guessed {name}, as line {line} is not UTF-8; letters beyond ASCII: {letters}{doubt}; if they are wrong, "
        "give --encoding"
    )


def choose_delimiter(path: Path, text: str, delimiter: str, wanted: Iterable[str] = ()) -> tuple[str, str, str]:
    """What separates the columns, that in words, and the text without a line ``sep=;`` of Excel's.

    Args:
        delimiter: as the user says it (``--delimiter``); empty: found out.
        wanted: names of columns that the user gave, to tell two that are possible apart.

    Raises:
        ConfigError: ``delimiter`` is none.
        DataError: none fits, or several do; names them.
    """
    first, _, rest = text.partition("\n")
    told = first.strip().strip('"')
    is_told = told[:4].lower() == "sep=" and len(told) == 5
    text = rest if is_told else text
    if delimiter:
        mark = _NAMED.get(delimiter.lower(), delimiter)
        if len(mark) != 1 or mark in '"\r\n':
            raise ConfigError(f"--delimiter {delimiter!r}: give one character, or tab, semicolon, comma, pipe")
        return mark, f"{name_of(mark)} (as --delimiter says)", text
    if is_told:
        return told[4], f"{name_of(told[4])} (its first line says sep={told[4]})", text
    fits = {mark: fit for mark in DELIMITERS if (fit := _fit(text, mark))}
    if not fits:
        return _no_delimiter(path, text)
    names = set(wanted)
    known = [mark for mark in fits if names and names <= set(_header(text, mark))]
    whole = [mark for mark in fits if fits[mark][0] == 1.0]
    best = known if len(known) == 1 else whole if len(whole) == 1 else []
    if not best:
        order = sorted(fits, key=lambda mark: fits[mark], reverse=True)
        if len(order) > 1 and fits[order[0]] == fits[order[1]]:
            raise DataError(
                f"{path}: the columns may be separated by {' or by '.join(name_of(mark) for mark in order[:2])}; give "
                "--delimiter"
            )
        best = order[:1]
    others = [name_of(mark) for mark in fits if mark != best[0] and fits[mark][0] == 1.0]
    doubt = f"; {' and '.join(others)} would do as well: if it is wrong, give --delimiter" if others else ""
    return best[0], name_of(best[0]) + doubt, text


def name_of(mark: str) -> str:
    """A delimiter in words."""
    return DELIMITERS.get(mark, repr(mark))


def _no_delimiter(path: Path, text: str) -> tuple[str, str, str]:
    if not text.strip():
        raise DataError(f"{path}: the file is empty")
    raise DataError(
        f"{path}: one column only, or separated by none of {', '.join(DELIMITERS.values())}; give --delimiter, and see "
        "that the first line names the columns"
    )


def _fit(text: str, mark: str) -> tuple[float, int] | None:
    """Share of the first records that have as many cells as the header, and that number; None for one column."""
    rows = _first_rows(text, mark)
    if not rows or len(rows[0]) < 2:
        return None
    filled = [row for row in rows[1:] if row]
    same = sum(len(row) == len(rows[0]) for row in filled)
    return (same / len(filled) if filled else 1.0), len(rows[0])


def _header(text: str, mark: str) -> list[str]:
    return [name.strip() for name in next(iter(_first_rows(text, mark, 1)), [])]


def _first_rows(text: str, mark: str, count: int = _RECORDS) -> Sequence[list[str]]:
    try:
        return list(islice(csv.reader(io.StringIO(text, newline=""), delimiter=mark), count))
    except csv.Error:
        return []
