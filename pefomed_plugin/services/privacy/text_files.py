"""Texts of files, one after the other, and the same files with what a visitor makes of them: text, JSON, CSV.

A visitor is asked of every text with its place and the name of the field that it stands in; what it returns takes the
text's place. So what is found and what is cleaned are the same.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...input_files import refuse_special
from ...json_text import JsonFault, parse_json
from ..spreadsheets import write_csv_row
from .databases import BESIDE, PARQUET, SQLITE, visit_parquet, visit_sqlite
from .nifti_headers import HEAD_BYTES, is_nifti, visit_nifti
from .patterns import kind_of_field, lines_of, passages_of
from .said import NoText, Say, Visit
from .workbook_files import SUFFIXES, visit_workbook

JSON_SUFFIXES, LINES_SUFFIXES = frozenset({".json", ".geojson", ".ipynb"}), frozenset({".jsonl", ".ndjson"})
TABLE_SUFFIXES = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
MOST_BYTES = 512 << 20
"""Of a file whose texts are looked at; it is held in memory."""
_OWN_TIMES = frozenset({"written_at", "time", "since", "at", "created", "started", "ended"})
"""Keys under which our own files say when they were written."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")

_SUBJECT, _STUDY = re.compile(r"1\d{7}"), re.compile(r"5\d{7}")
"""Of MIMIC-CXR."""
_VALUE = re.compile(r"[\d.,:/ +-]*\d[\d.,:/ +-]*|.+@.+|.*\.(?:png|jpe?g|dcm|tiff?)", re.IGNORECASE)
"""What names no column."""
_OF_DOS = re.compile(rb"[A-Za-z][\x81\x84\x94][a-z]|(?<![^\s;,])[\x8e\x99\x9a][a-z]{2}")
"""German umlauts of code page 850 within a word or at its start: quotes and a control character in that of Windows."""
_IMAGE = re.compile(r"(?:/9j/|iVBORw0KGgo|R0lGOD|UklGR)[A-Za-z0-9+/]{100,}")
"""An image in base64: pages, notebooks and tables hold some."""


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file and its encoding: UTF-8, UTF-16, UTF-32, else that of Windows, or of DOS.

    Raises:
        NoText: it holds bytes that no text has.
        DataError: it is too large.
        OSError: it cannot be read.
    """
    refuse_special(path)
    with open(path, "rb") as file:
        head = file.read(65536)
    if path.stat().st_size > MOST_BYTES:
        if b"\0" in head:
            raise NoText("no text")
        raise DataError(f"{path}: larger than {MOST_BYTES >> 20} MiB; split it")
    content = path.read_bytes()
    if content[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):  # begins as UTF-16 does
        return content.decode("utf-32", "replace"), "utf-32"
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace"), "utf-16"
    if b"\0" in content[:65536]:
        return _without_mark(content)
    try:
        return content.decode("utf-8-sig"), "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "utf-8"
    except UnicodeDecodeError:
        pass
    if _OF_DOS.search(content):
        return content.decode("cp850"), "cp850"
    try:
        return content.decode("cp1252"), "cp1252"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def _without_mark(content: bytes) -> tuple[str, str]:
    """UTF-16 that no mark begins, as some programs of Windows write it; every other file with NUL bytes is no text."""
    name = "utf-16-be" if content[:1] == b"\0" else "utf-16-le"
    try:
        text = content.decode(name)
    except UnicodeDecodeError:
        raise NoText("no text") from None
    head = text[:4096]
    if "\0" in text or 10 * sum(not letter.isascii() for letter in head) > len(head):
        raise NoText("no text")
    return text, name


def visit_file(path: Path, visit: Visit, out: Path | None = None, say: Say = lambda words: None) -> str:
    """Every text of a file; with ``out`` the file is written there with what became of them.

    Returns:
        How it was read: ``text``, ``JSON``, ``table``, ``spreadsheet``, ``database``, ``parquet``,
            ``NIfTI header``.

    Raises:
        NoText: there is none.
        PefomedError: it is damaged, too large, or a package is missing.
        OSError: it cannot be read, or written.
    """
    refuse_special(path)
    suffix = path.suffix.lower()
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    if suffix in SUFFIXES:
        visit_workbook(path, visit, out, say)
        return "spreadsheet"
    if is_nifti(head):
        visit_nifti(path, visit, out)
        return "NIfTI header"
    if head.startswith(SQLITE):
        visit_sqlite(path, visit, out)
        return "database"
    if head.startswith(PARQUET):
        visit_parquet(path, lambda row, start: _walk(row, visit, start, "", False), out, say)
        return "parquet"
    if path.name.endswith(BESIDE) and Path(str(path).rpartition("-")[0]).is_file():
        raise NoText("part of the database beside it, and read with that")
    return _visit_texts(path, suffix, visit, out, say)


def _visit_texts(path: Path, suffix: str, visit: Visit, out: Path | None, say: Say) -> str:
    text, encoding = read_text(path)
    kind, changed = "text", None
    try:
        if suffix in JSON_SUFFIXES:
            kind, changed = "JSON", _visit_json(text, visit)
        elif suffix in LINES_SUFFIXES:
            kind, changed = "JSON", _visit_json_lines(text, visit)
        elif suffix in TABLE_SUFFIXES:
            kind, changed = "table", _visit_table(text, TABLE_SUFFIXES[suffix], visit)
    except (JsonFault, csv.Error):
        kind = "text"  # damaged: line by line
    if changed is None:
        changed = "".join(visit(passage, place, "") for place, passage in passages_of(text))
    if _IMAGE.search(text):
        say("images within texts (base64) were not looked at")
    if out is not None:
        out.write_bytes(changed.encode(encoding, "replace"))
    return kind


def _visit_json(text: str, visit: Visit) -> str:
    value = parse_json(text, with_nan=True)
    seen = _walk(value, visit, "", "", _is_ours(value))
    return json.dumps(seen, indent=2, ensure_ascii=text.isascii()) + "\n"


def _visit_json_lines(text: str, visit: Visit) -> str:
    """A line in which nothing changes stays as it is; one that is damaged is looked at as text."""
    lines = []
    for number, _, line in lines_of(text):
        try:
            value = parse_json(line, with_nan=True) if line.strip() else None
        except JsonFault:
            lines.append(visit(line, f"line {number}", ""))
            continue
        seen = _walk(value, visit, f"line {number}, ", "", _is_ours(value))
        same = json.dumps(seen) == json.dumps(value)
        end = line[len(line.rstrip("\r\n")) :]
        lines.append(line if same else json.dumps(seen, ensure_ascii=line.isascii()) + end)
    return "".join(lines)


def _is_ours(value: Any) -> bool:
    return isinstance(value, dict) and "schema" in value


def _walk(value: Any, visit: Visit, start: str, path: str, ours: bool) -> Any:
    """A JSON value with every string visited, keys too; numbers where the name of their key says that they identify."""
    if isinstance(value, dict):
        seen: dict[str, Any] = {}
        made_up = _made_up(value)
        for key, item in value.items():
            below = f"{path}.{key}" if path else str(key)
            is_own_time = ours and key in _OWN_TIMES and isinstance(item, str) and _MOMENT.fullmatch(item)
            if key in made_up:
                visit(made_up[key], f"{start}{below}", key)
            changed = item if is_own_time or key in made_up else _walk(item, visit, start, below, ours)
            seen[_free_key(_key(key, visit, start, path), seen, value)] = changed
        return seen
    if isinstance(value, list):
        return [_walk(item, visit, start, f"{path}[{number}]", ours) for number, item in enumerate(value)]
    above, _, name = re.sub(r"\[\d+\]", "", path).rpartition(".")
    within = f"{above.rpartition('.')[2]}_{name}"  # {"patient": {"first": ...}}
    name = within if not kind_of_field(name) and kind_of_field(within) else name
    if isinstance(value, str):
        return visit(value, f"{start}{path or 'value'}", name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and kind_of_field(name):
        digits = repr(value).removesuffix(".0")
        seen_digits = visit(digits, f"{start}{path}", name)
        return value if seen_digits == digits else seen_digits
    return value


def _made_up(record: Mapping[str, Any]) -> dict[str, str]:
    """Field -> number as MIMIC-CXR's files name it, of a record of a patient and a study with made-up numbers."""
    for end in ("", "_id"):
        patient, study = (str(record.get(name + end, "")) for name in ("subject", "study"))
        if _SUBJECT.fullmatch(patient) and _STUDY.fullmatch(study):
            return {"subject" + end: f"p{patient}", "study" + end: f"s{study}"}
    return {}


def _key(key: str, visit: Visit, start: str, path: str) -> str:
    return visit(key, f"{start}{path or 'top'}, a key", "") if any(map(str.isdigit, key)) or " " in key else key


def _free_key(key: str, seen: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """A key that hides no other: two persons' names have the same placeholder."""
    number, name = 1, key
    while name in seen or (number > 1 and name in before):
        number += 1
        name = f"{key} {number}"
    return name


def _visit_table(text: str, delimiter: str, visit: Visit) -> str:
    """A row in which nothing changes stays as it is written."""
    try:
        dialect: Any = csv.Sniffer().sniff(text[:8192], delimiters=",;\t|")
        delimiter = dialect.delimiter
    except csv.Error:
        pass
    lines = list(io.StringIO(text, newline=""))
    out = io.StringIO(newline="")
    header: Sequence[str] | None = None
    reader, done = csv.reader(iter(lines), delimiter=delimiter), 0
    for row in reader:
        as_written, done = "".join(lines[done : reader.line_num]), reader.line_num
        names = [*(header or ()), *("" for _ in row)]
        where = "line 1" if header is None else f"line {reader.line_num}, "
        made_up = _made_up(dict(zip(names, row)))
        seen = []
        for place, (cell, name) in enumerate(zip(row, names)):
            column = where if header is None else f"{where}{name or f'column {place + 1}'}"
            changed = visit(made_up.get(name, cell), column, name)
            seen.append(cell if name in made_up else changed)
        if seen == row:
            out.write(as_written)
        else:
            end = as_written[len(as_written.rstrip("\r\n")) :]
            write_csv_row(out, seen, delimiter, end)
        if header is None:
            header = [cell.strip() for cell in row] if _is_header(row) else []
    return out.getvalue()


def _is_header(row: Sequence[str]) -> bool:
    """Whether the first row of a table names its columns; where it holds values, columns are called by their number."""
    return not any(_VALUE.fullmatch(cell.strip()) for cell in row)
