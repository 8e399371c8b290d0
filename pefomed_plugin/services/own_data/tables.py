"""A table of the user's, whatever wrote it: CSV of any delimiter and encoding, XLSX, JSON lines. Cells are text.

A column is what the header calls it; what the columns mean is not known here (``columns``).
"""

from __future__ import annotations

import csv
import datetime
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError, named, one_line
from ...input_files import read_bytes
from ...json_text import parse_json
from ...readers.textfiles import read_json_lines
from .columns import names_in
from .sniffing import DELIMITERS, choose_delimiter, decode, first_rows, name_of
from .workbooks import read_workbook

TEXTS = frozenset((".csv", ".tsv", ".txt", ".tab"))
WORKBOOKS = frozenset((".xlsx", ".xlsm"))
LINES = frozenset((".jsonl", ".ndjson"))
SUFFIXES = TEXTS | WORKBOOKS | LINES
UNREAD = frozenset((".xls", ".xlsb", ".ods", ".numbers"))
"""Of spreadsheets that are not read: to be saved as .xlsx."""
MOST_BYTES = 2**30
"""Of a table that is read whole; a million reports of a hundred words have some 600 MB."""
_AS_TEXT = re.compile(r'="([^"]*)"')
"""How programs write a number that a spreadsheet is to take for a text: ``="0012"``."""
_ERROR = re.compile(r"#(?:N/A|NV|NAME\?|REF!|BEZUG!|VALUE!|WERT!|DIV/0!|NUM!|ZAHL!|NULL!|##+)")
"""What a spreadsheet shows where a formula fails (English, German), or a column is too narrow."""
_SHORTENED = re.compile(r"\d[.,]\d{1,5}E\+(?:09|[1-9]\d)")
"""What a spreadsheet shows of a long number, and writes into a CSV."""
_HINTS = {".json": "write one record a line, as .jsonl", **dict.fromkeys(UNREAD, "save it as .xlsx")}
_LINES_ABOVE = 20
"""Looked at for a header that does not stand first."""


@dataclass(frozen=True)
class Manner:
    """How a user says that tables are written; empty: found out."""

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""


@dataclass
class Table:
    """A table that was read."""

    path: Path
    header: Sequence[str]
    """Names of the columns, blanks around them removed."""
    rows: list[tuple[str, dict[str, Any]]]
    """File and line (``befunde.csv, line 7``) -> column -> text; of JSON lines any JSON value."""
    said: list[str]
    """How it was read, a line each."""
    problems: list[str] = field(default_factory=list)
    """What is wrong, a line each."""
    faulty_cells: list[tuple[int, str]] = field(default_factory=list)
    """Column (from 0) and what is wrong with a cell, which matters only where the column is used."""
    joined: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Column that was made of others (``joined_columns``) -> those."""
    is_numbered: bool = False
    """Records without id are told apart by their order, not by where they stand (several files are one table)."""

    def problems_in(self, columns: Iterable[str]) -> list[str]:
        """What is wrong with the table, of its cells only with those of some columns."""
        used = set(columns)
        return self.problems + [
            text for place, text in self.faulty_cells if place < len(self.header) and self.header[place] in used
        ]


def read_table(path: Path, manner: Manner, wanted: Sequence[str] = ()) -> Table:
    """Read a table.

    Args:
        wanted: names of columns that the user gave.

    Raises:
        ConfigError: the ending says nothing that is read here, or ``manner`` does not fit the file.
        DataError: the file cannot be read, or is damaged.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        hint = _HINTS.get(suffix) or f"known are {', '.join(sorted(SUFFIXES))}"
        raise ConfigError(f"{path}: {suffix or 'a file without an ending'} is no table that is read here; {hint}")
    for name, given, kinds in (
        ("--sheet", manner.sheet, WORKBOOKS),
        ("--delimiter", manner.delimiter, TEXTS),
        ("--encoding", manner.encoding, TEXTS),
    ):
        if given and suffix not in kinds:
            raise ConfigError(f"{name} {given}: {path.name} has none; leave it out")
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path}: more than {MOST_BYTES // 2**20:,} MiB in one table; split it")
    if suffix in WORKBOOKS:
        header, cells, said, faulty = read_workbook(path, manner.sheet)
        _refuse_lines_above(path, "row", [header, *(row for _, row in cells)], wanted)
        table = Table(path, header, [], said, faulty_cells=faulty)
        _add_rows(table, header, cells, "row")
    else:
        table = _read_lines(path) if suffix in LINES else _read_text(path, manner, wanted)
    if table.problems and not table.rows:  # what its columns are would be the wrong question
        raise DataError(f"{path}: no record can be read", table.problems)
    return table


def _read_text(path: Path, manner: Manner, wanted: Sequence[str]) -> Table:
    text, encoding = decode(path, read_bytes(path), manner.encoding)
    try:
        mark, delimiter, text_ = choose_delimiter(path, text, manner.delimiter, wanted)
    except DataError:
        for known in DELIMITERS:
            _refuse_lines_above(path, "line", first_rows(text, known, _LINES_ABOVE), wanted)
        raise
    _refuse_lines_above(path, "line", first_rows(text_, mark, _LINES_ABOVE), wanted)
    skipped = int(len(text_) != len(text))
    rows = csv.reader(io.StringIO(text_, newline=""), delimiter=mark, strict=True)
    cells: list[tuple[int, list[str]]] = []
    start = 1 + skipped
    try:
        for row in rows:
            if row:
                cells.append((start, row))
            start = rows.line_num + 1 + skipped
    except csv.Error as error:
        raise DataError(
            f"{path}, line {start}: no table separated by {name_of(mark)} from here on ({one_line(error)}); a quote "
            "that never closes, a text after a closing quote, or a cut file"
        ) from error
    header = [name.strip() for name in cells[0][1]] if cells else []
    records = cells[1:]
    while header and not header[-1] and not any(any(row[len(header) - 1 :]) for _, row in records):
        header.pop()  # a delimiter at the end of the line, and nothing after it anywhere
    for _, row in records:
        while len(row) > len(header) and not row[-1].strip():
            row.pop()
    said = f"{path.name}: {encoding}; columns separated by {delimiter}"
    unwrapped = 0
    for _, row in records:
        for place, cell in enumerate(row):
            if cell.startswith('="') and (match := _AS_TEXT.fullmatch(cell)):
                row[place] = match[1]
                unwrapped += 1
    if unwrapped:
        said += f'; {unwrapped:,} cell(s) such as ="0012" read as the text within'
    table = Table(path, header, [], [said])
    _add_rows(table, header, records, "line", name_of(mark))
    return table


def _refuse_lines_above(path: Path, unit: str, rows: Sequence[Sequence[str]], wanted: Sequence[str]) -> None:
    """Raises DataError where the first row names no column that is known, and another of the first ones does."""
    if not rows or names_in(rows[0], wanted):
        return
    for row in rows[1:_LINES_ABOVE]:
        names = names_in(row, wanted)
        if len(names) > 1:
            raise DataError(
                f"{path}: the first {unit} names no column that is known, and a later one does ({named(names)}); "
                f"delete what stands above that {unit}"
            )


def _add_rows(
    table: Table, header: Sequence[str], cells: Sequence[tuple[int, Sequence[str]]], unit: str, delimiter: str = ""
) -> None:
    too_many = f"; quote a text that holds a {delimiter}" if delimiter else ""
    too_few = "; fill the others in, or quote a text that holds a line break" if delimiter else ""
    known = {(place, text.partition(":")[0]) for place, text in table.faulty_cells}
    for number, row in cells:
        where = f"{table.path.name}, {unit} {number}"
        if len(row) == len(header):
            if any(cell.strip() for cell in row):
                table.rows.append((where, dict(zip(header, row))))
                faults = ((place, _fault_of(cell.strip())) for place, cell in enumerate(row))
                table.faulty_cells += [
                    (place, f"{where}: {fault}") for place, fault in faults if fault and (place, where) not in known
                ]
        else:
            remedy = too_many if len(row) > len(header) else too_few
            table.problems.append(f"{where}: {len(row)} cells, the header has {len(header)}{remedy}")
    nameless = [
        place
        for place, name in enumerate(header)
        if not name and any(row[place].strip() for _, row in cells if len(row) == len(header))
    ]
    if nameless:
        which = ", ".join(str(place + 1) for place in nameless)
        table.said.append(
            f"{table.path.name}: columns without a name are left out, though they hold something: {which}"
        )


def _fault_of(cell: str) -> str:
    """What a spreadsheet did to a cell before it became text; empty where it is as it should be."""
    if cell[:1] == "#" and _ERROR.fullmatch(cell):
        return f"the error {cell} of a spreadsheet in a cell; correct its formula or text, and export it anew"
    if "E+" in cell and _SHORTENED.fullmatch(cell):
        return "a number that a spreadsheet shortened; format the column as text, enter it and export it anew"
    return ""


def _read_lines(path: Path) -> Table:
    if path.is_file() and read_bytes(path).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
        raise DataError(f"{path}: a list of JSON; write one record a line, each an object, without the brackets around")
    problems: list[str] = []
    rows = [(f"{path.name}, line {number}", row) for number, row in read_json_lines(path, problems)]
    problems += [f"{where}: no object; write one record a line" for where, row in rows if not isinstance(row, dict)]
    kept = [(where, row) for where, row in rows if isinstance(row, dict)]
    header = list(dict.fromkeys(name for _, row in kept for name in row))
    return Table(path, header, kept, [f"{path.name}: JSON lines, UTF-8"], problems)


def as_text(value: Any) -> Any:
    """A value of JSON or of a data frame as a cell: numbers and dates spelt out, ``12.0`` as ``12``, nothing and
    NaN empty.

    Lists and objects stay for those who take them.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return value if isinstance(value, (str, list, dict, bytes)) else str(value)


def as_metadata(value: Any) -> Any:
    """A value that is kept with a sample, as JSON can hold it."""
    return parse_json(json.dumps(value, default=str), with_nan=True) if isinstance(value, (list, dict)) else str(value)
