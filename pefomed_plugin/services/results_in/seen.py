"""What a file is, as far as its first bytes and its first record tell, and what marks a format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from ...errors import DataError, named, quoted
from ...input_files import MOST_LINE_BYTES, open_input
from ...json_fields import kind_of
from ...json_text import JsonFault, parse_first, parse_json
from ...readers.textfiles import read_json, read_rows, read_text
from .inspect_archives import is_inspect_archive
from .tables import GENERATED, REFERENCES, pair_of, read_header

LINES, LIST, OBJECT, SHEET, TABLE, ARCHIVE, PAIR, OTHER = (
    "JSON lines, whose first record",
    "a JSON list, whose first record",
    "a JSON object, whose first value",
    "a spreadsheet, whose header",
    "a table with tabs, whose header",
    "a log of inspect_ai, which",
    "a pair of CSV files, which",
    "neither JSON nor a table with tabs: its first line",
)
_START = 2**20
_ZIP, _UTF16 = b"PK", (b"\xff\xfe", b"\xfe\xff")
_PACKED = {
    b"\x1f\x8b": ("packed with gzip", "gunzip"),
    b"BZh": ("packed with bzip2", "bunzip2"),
    b"\xfd7zXZ": ("packed with xz", "unxz"),
    b"\x28\xb5\x2f\xfd": ("packed with Zstandard", "unzstd"),
    b"7z\xbc\xaf": ("a 7z archive", "7z x"),
}
"""How a packed file begins -> what it is, and what unpacks it."""


@dataclass(frozen=True)
class Seen:
    """What a file is, as far as its first record tells."""

    kind: str
    keys: frozenset[str]
    """Of the first record, or of the header."""

    @property
    def words(self) -> str:
        """For a message."""
        return f"{self.kind} has {named(sorted(self.keys)) or 'no fields'}"


@dataclass(frozen=True)
class Mark:
    """One way to know a format: what the file is, what its records have, and what they must not have."""

    kinds: tuple[str, ...]
    keys: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    def fits(self, seen: Seen) -> bool:
        """Whether the file carries it."""
        return seen.kind in self.kinds and self.keys <= seen.keys and not self.without & seen.keys


def look_at(path: Path) -> Seen:
    """What a file is, by its first bytes and its first record.

    Raises:
        DataError: it cannot be read, or is packed or encoded in a way that is not read; the remedy is said.
    """
    if pair_of(path):
        return Seen(PAIR, frozenset())
    if path.is_dir():
        raise DataError(f"{path} is a folder without res.csv and gts.csv; name the result file in it")
    if path.name in (GENERATED, REFERENCES):
        other = REFERENCES if path.name == GENERATED else GENERATED
        raise DataError(f"{path} is one of R2Gen's two files; {other} must lie beside it: it is the other column")
    with open_input(path) as file:
        start = file.read(_START)
    _refuse_other_forms(path, start)
    if start[:2] == _ZIP:
        if is_inspect_archive(path):
            return Seen(ARCHIVE, frozenset())
        _refuse_other_zip(path)
        return Seen(SHEET, frozenset(read_header(path)))
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise DataError(f"{path} is empty")
    if text[:1] == b"[":
        return _first_of_list(path, text)
    if text[:1] == b"{":
        return _lines_or_object(path)
    first = _first_line(path).rstrip("\r\n").replace('"', "")
    return Seen(TABLE if "\t" in first else OTHER, frozenset(first.split("\t")))


def _refuse_other_forms(path: Path, start: bytes) -> None:
    """Raises DataError: a file that is read in another form only, with the remedy."""
    for begin, (what, unpack) in _PACKED.items():
        if start.startswith(begin):
            raise DataError(f"{path} is {what}; unpack it: {unpack} {path.name}")
    if start.startswith(b"PAR1"):
        raise DataError(
            f"{path} is Parquet; write its rows as JSON lines: pandas.read_parquet({path.name!r}).to_json("
            "'answers.jsonl', orient='records', lines=True)"
        )
    if start.startswith(b"\x80"):
        raise DataError(
            f"{path} is a pickle, which could run any program and is not opened; let the project write .xlsx, .tsv or "
            ".json"
        )
    if start[:2] in _UTF16:
        raise DataError(f"{path} is UTF-16; convert it: iconv -f utf-16 -t utf-8 {path.name}")


def _refuse_other_zip(path: Path) -> None:
    """Raises DataError: a zip that is no spreadsheet, the answers perhaps within it."""
    with open_input(path) as file, ZipFile(file) as packed:
        names = packed.namelist()
    if "[Content_Types].xml" not in names:
        within = named([quoted(name, bare=True, limit=80) for name in names[:3]]) or "nothing"
        raise DataError(f"{path} is a zip that holds {within}; unpack it, and give the file with the answers")


def _first_of_list(path: Path, text: bytes) -> Seen:
    """Of a long list the first record alone is read."""
    try:
        record = parse_first(text[1:].decode("utf-8", "ignore").lstrip())
    except JsonFault:
        rows = read_rows(path, with_nan=True)  # says where it is damaged
        record = rows[0][1] if rows else {}
    return Seen(LIST, _keys(path, record))


def _lines_or_object(path: Path) -> Seen:
    """JSON lines, or one object: a mapping of records, or a log; of one line, which is both, what its values are.

    The first line is read whole: it may hold an image in base64.
    """
    with open_input(path) as file:
        first, has_more = b"", False
        while not first.strip() and (line := file.readline(MOST_LINE_BYTES + 1)):
            first = line.removeprefix(b"\xef\xbb\xbf")
        while not has_more and (chunk := file.read(_START)):
            has_more = bool(chunk.strip())
    try:
        record = parse_json(first, with_nan=True)
    except JsonFault:
        record = None
    values = list(record.values()) if isinstance(record, dict) else []
    is_mapping = bool(values) and all(isinstance(value, dict) for value in values)
    if record is not None and not (is_mapping or {"samples", "logs"} & set(record)):
        return Seen(LINES, _keys(path, record))
    content = record if record is not None and not has_more else read_json(path, with_nan=True)
    values = list(content.values()) if isinstance(content, dict) else []
    if values and all(isinstance(value, dict) for value in values):
        return Seen(OBJECT, _keys(path, values[0]))
    return Seen(OBJECT, _keys(path, content))


def _first_line(path: Path) -> str:
    lines = read_text(path).splitlines()
    return lines[0] if lines else ""


def _keys(path: Path, record: Any) -> frozenset[str]:
    if not isinstance(record, dict):
        raise DataError(f"{path}: expected records that are objects, found {kind_of(record)}")
    return frozenset(quoted(key, bare=True) for key in record)
