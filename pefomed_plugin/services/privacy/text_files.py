"""Texts of files, one after the other, and the same files with what a visitor makes of them: text, JSON, CSV, XLSX.

A visitor is asked of every text with its place and the name of the field that it stands in; what it returns takes the
text's place. So what is found and what is cleaned are the same.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

from ...errors import DataError, PefomedError
from ...input_files import refuse_special
from ...json_text import JsonFault, parse_json
from ..spreadsheets import opened_workbook, rows_of
from .patterns import kind_of_field, lines_of

Visit = Callable[[str, str, str], str]
"""``visit(text, place, field)``: what stands in its place from now on."""
JSON_SUFFIXES, LINES_SUFFIXES = frozenset({".json", ".geojson"}), frozenset({".jsonl", ".ndjson"})
TABLE_SUFFIXES = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
MOST_BYTES = 512 << 20
"""Of a file whose texts are looked at; it is held in memory."""
_OWN_TIMES = frozenset({"written_at", "time", "since", "at", "created", "started", "ended"})
"""Keys under which our own files say when they were written."""


_PROPERTIES = ("creator", "lastModifiedBy", "title", "subject", "description", "keywords")
"""Of a workbook; a cleaned copy has none of them, and no comments."""


class NoText(Exception):
    """The file holds no text that can be read; says why."""


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file and its encoding: UTF-8, UTF-16 by its mark, else Latin-1.

    Raises:
        NoText: it holds bytes that no text has, or is too large.
        OSError: it cannot be read.
    """
    refuse_special(path)
    if path.stat().st_size > MOST_BYTES:
        raise NoText(f"larger than {MOST_BYTES >> 20} MiB")
    content = path.read_bytes()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace"), "utf-16"
    if b"\0" in content[:65536]:
        raise NoText("no text")
    try:
        return content.decode("utf-8-sig"), "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "utf-8"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "latin-1"


def visit_file(path: Path, visit: Visit, out: Path | None = None) -> str:
    """Every text of a file; with ``out`` the file is written there with what became of them.

    Returns:
        How it was read: ``text``, ``JSON``, ``table``, ``spreadsheet``.

    Raises:
        NoText: there is none.
        PefomedError: it is damaged.
        OSError: it cannot be read, or written.
    """
    suffix = path.suffix.lower()
    if suffix in (".xlsx", ".xlsm"):
        return _visit_workbook(path, visit, out)
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
        changed = "".join(visit(line, f"line {number}", "") for number, _, line in lines_of(text))
    if out is not None:
        out.write_bytes(changed.encode(encoding, "replace"))
    return kind


def _visit_json(text: str, visit: Visit) -> str:
    value = parse_json(text, with_nan=True)
    return json.dumps(_walk(value, visit, "", "", _is_ours(value)), indent=2, ensure_ascii=False) + "\n"


def _visit_json_lines(text: str, visit: Visit) -> str:
    lines = []
    for number, _, line in lines_of(text):
        value = parse_json(line, with_nan=True) if line.strip() else None
        seen = _walk(value, visit, f"line {number}, ", "", _is_ours(value))
        lines.append(json.dumps(seen, ensure_ascii=False) + "\n" if line.strip() else line)
    return "".join(lines)


def _is_ours(value: Any) -> bool:
    return isinstance(value, dict) and "schema" in value


def _walk(value: Any, visit: Visit, start: str, path: str, ours: bool) -> Any:
    """A JSON value with every string visited, keys too; numbers where the name of their key says that they identify."""
    if isinstance(value, dict):
        return {
            _key(key, visit, start, path): item
            if ours and key in _OWN_TIMES
            else _walk(item, visit, start, f"{path}.{key}" if path else str(key), ours)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_walk(item, visit, start, f"{path}[{number}]", ours) for number, item in enumerate(value)]
    name = path.rpartition(".")[2].partition("[")[0]
    if isinstance(value, str):
        return visit(value, f"{start}{path or 'value'}", name)
    if isinstance(value, int) and not isinstance(value, bool) and kind_of_field(name):
        seen = visit(str(value), f"{start}{path}", name)
        return value if seen == str(value) else seen
    return value


def _key(key: str, visit: Visit, start: str, path: str) -> str:
    return visit(key, f"{start}{path or 'top'}, a key", "") if any(map(str.isdigit, key)) or " " in key else key


def _visit_table(text: str, delimiter: str, visit: Visit) -> str:
    try:
        dialect: Any = csv.Sniffer().sniff(text[:8192], delimiters=",;\t|")
        delimiter = dialect.delimiter
    except csv.Error:
        pass
    stream = io.StringIO(text, newline="")
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n" if "\r\n" in text else "\n")
    header: Sequence[str] = ()
    reader = csv.reader(stream, delimiter=delimiter)
    for row in reader:
        names = [*header, *("" for _ in row)]
        if not header:
            header = [cell.strip() for cell in row]
            writer.writerow([visit(cell, "line 1", "") for cell in row])
            continue
        writer.writerow(
            [
                visit(cell, f"line {reader.line_num}, {names[place] or f'column {place + 1}'}", names[place])
                for place, cell in enumerate(row)
            ]
        )
    return out.getvalue()


def _visit_workbook(path: Path, visit: Visit, out: Path | None) -> str:
    try:
        if out is not None:
            return _rewrite_workbook(path, visit, out)
        with opened_workbook(path) as book:
            for name in _PROPERTIES:
                visit(str(getattr(book.properties, name, None) or ""), f"properties, {name}", "")
            for sheet in book.worksheets:
                header: list[str] = []
                for number, row in enumerate(rows_of(sheet), 1):
                    for place, value in enumerate(row):
                        if value is not None:
                            name = header[place] if place < len(header) else ""
                            visit(str(value), f"{sheet.title}!{_column(place)}{number}", name)
                    header = header or [str(cell or "").strip() for cell in row]
    except DataError as error:
        raise NoText(str(error).partition(": ")[2] or str(error)) from error
    except PefomedError as error:
        raise NoText(str(error)) from error
    return "spreadsheet"


def _rewrite_workbook(path: Path, visit: Visit, out: Path) -> str:
    from openpyxl import load_workbook  # late: optional

    with opened_workbook(path):
        pass  # its limits hold here too
    book = load_workbook(path)
    for sheet in book.worksheets:
        header: dict[int, str] = {}
        for row in sheet.iter_rows():
            for cell in row:
                if cell.comment is not None:
                    cell.comment = None
                if cell.value is None:
                    continue
                text = str(cell.value)
                changed = visit(text, f"{sheet.title}!{cell.coordinate}", header.get(cell.column, ""))
                if changed != text:
                    cell.value = changed
            header = header or {cell.column: str(cell.value or "").strip() for cell in row}
    for name in _PROPERTIES:
        setattr(book.properties, name, None)
    book.save(out)
    return "spreadsheet"


def _column(place: int) -> str:
    letters, number = "", place + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
