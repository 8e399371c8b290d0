"""In which encoding a text file is, and what separates the columns of a table: found out, said, and never hidden.

A file that is UTF-8 as a whole is taken for that. What is not is Windows' or Latin-1 (the same letters), as a
spreadsheet of Western Europe writes it; other 8-bit encodings cannot be told from these, so it is a guess, and said to
be one. A file that is UTF-8 in some lines only is refused.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from ...errors import ConfigError, DataError
from .columns import stands_in

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
_MAC_LETTERS = frozenset(b"\x86\x8a\x9a\x9f\xa7")
"""Ü ä ö ü ß of Mac Roman; its Ä and Ö are Windows' euro sign and dots, which texts have too."""
_TWICE = re.compile(
    "[\u00c2\u00c3][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2122]"
)
"""A letter that was UTF-8, was read as Windows' letters and was written again: ``Ã¤``."""
_PACKED = {
    b"PK\x03\x04": "a packed file (XLSX, ODS or ZIP)",
    b"\xd0\xcf\x11\xe0": "an old .xls, or one with a password",
}


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
    if content[:4] in _PACKED:
        raise DataError(
            f"{path}: no text but {_PACKED[content[:4]]}; give it its own ending, or export the table as CSV"
        )
    head = content[:_HEAD_BYTES]
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) >= 4 and head[start::2].count(0) > len(head) // 4:
            return _strictly(path, content, name), "UTF-16 without a byte order mark"
    if b"\0" in content:
        _refuse_nul(path, content.decode("latin-1"))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return _eight_bits(path, content, error)
    if text.isascii():
        return text, "ASCII (so UTF-8)"
    twice = _TWICE.findall(text)
    doubt = (
        f"; {len(twice):,} letter(s) look as if encoded twice, {twice[0]} the first: see how the file was saved"
        if twice
        else ""
    )
    return text, "UTF-8" + doubt


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
    _refuse_two(path, content, line)
    beyond = Counter(byte for byte in content if byte > 127)
    added = {byte: count for byte, count in beyond.items() if byte < 0xA0}
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError as wrong:
        raise DataError(
            f"{path}, line {content.count(bytes((10,)), 0, wrong.start) + 1}: neither UTF-8 nor Windows' Latin letters "
            f"(byte 0x{content[wrong.start]:02x}); say which it is, for example --encoding cp850 (DOS) or mac_roman"
        ) from error
    letters = ", ".join(f"{bytes((byte,)).decode('cp1252')} {count:,}" for byte, count in beyond.most_common(6))
    name = "cp1252 (Windows)" if added else "Latin-1 (the same as cp1252 here)"
    others = {"cp850 (DOS)": _DOS_LETTERS, "mac_roman": _MAC_LETTERS}
    fits = {other: sum(beyond[byte] for byte in letters) for other, letters in others.items()}
    other = max(fits, key=lambda other: fits[other])
    doubt = f"; it may be {other}" if added and 2 * fits[other] > sum(beyond.values()) else ""
    return text, (
        f"guessed {name}, as line {line} is not UTF-8; letters beyond ASCII: {letters}{doubt}; if they are wrong, "
        "give --encoding"
    )


def _refuse_two(path: Path, content: bytes, line: int) -> None:
    """Raises DataError where other lines are UTF-8: read in one encoding, either these or those would be wrong."""
    are, are_not = 0, 0
    for row in content.split(b"\n"):
        if not row.isascii():
            try:
                row.decode("utf-8")
                are += 1
            except UnicodeDecodeError:
                are_not += 1
    if are:
        raise DataError(
            f"{path}, line {line}: not UTF-8, as {are:,} other line(s) beyond ASCII are ({are_not:,} are not): a file "
            "put together from two encodings, or a damaged one; save it in one, or give --encoding"
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
    first, _, rest = text.partition("\n") if "\n" in text else text.partition("\r")
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
    headers = {mark: set(_header(text, mark)) for mark in fits} if names else {}
    known = [mark for mark, header in headers.items() if all(stands_in(name, header) for name in names)]
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
    rows = first_rows(text, mark)
    if not rows or len(rows[0]) < 2:
        return None
    filled = [row for row in rows[1:] if row]
    width = len(rows[0])
    same = sum(len(row) == width or (len(row) > width and not any(row[width:])) for row in filled)
    return (same / len(filled) if filled else 1.0), width


def _header(text: str, mark: str) -> list[str]:
    return [name.strip() for name in next(iter(first_rows(text, mark, 1)), [])]


def first_rows(text: str, mark: str, count: int = _RECORDS) -> Sequence[list[str]]:
    """The first records, as far as they can be read; an empty line is an empty one."""
    rows = []
    try:
        for row in islice(csv.reader(io.StringIO(text, newline=""), delimiter=mark), count):
            rows.append(row)
    except csv.Error:
        pass  # said when the table is read
    return rows
