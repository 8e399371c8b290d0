"""Rows of an XLSX file, streamed through openpyxl: what a workbook unpacks to has a limit, and so have its rows.

A small file can unpack to gigabytes (a zip bomb), and one cell at its far corner makes a million empty rows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple, TextIO
from zipfile import ZipFile

from ..errors import ConfigError, DataError, PefomedError, one_line
from ..input_files import open_input
from ..requirements import Need

MOST_UNPACKED_BYTES = 256 * 2**20
"""Of the XML in a workbook; 100,000 answers of a hundred words have some 100 MB."""
MOST_COLUMNS = 200
MOST_IN_A_CELL, MOST_ROWS = 32_767, 1_048_576
"""Characters of a cell, rows of a sheet with its header, that XLSX allows."""
NUMBERLIKE = re.compile(
    r"(?=\D*\d)[\d.,:/ %-]*(e[+-]?\d+)?|"
    r"(\d{1,4}[ /-])?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ /.-]*\d{0,4}|"
    r"true|false",
    re.IGNORECASE,
)
"""Whole texts that a spreadsheet takes for a number, date, time or truth value. JavaScript reads the same pattern."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What begins a formula, full-width signs too, or what our own mark of a text could be taken for."""
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_HIDDEN_ROW = re.compile(rb'<(?:\w+:)?row\s[^>]*?\bhidden="(?:1|true)"[^>/]*>')
_HIDDEN_COLUMNS = re.compile(rb'<(?:\w+:)?col\s(?=[^>]*?\bhidden="(?:1|true)")[^>]*>')
_ENDS = re.compile(rb'\b(min|max)="(\d+)"')
_FAR_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{2,3})[0-9]+"[^>/]*>')
_OLE = b"\xd0\xcf\x11\xe0"
"""Begins an .xls, and an .xlsx under a password."""
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\r\x0e-\x1f\ufffe\uffff]")
"""Characters that XML cannot hold, or changes."""
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?\bref="([A-Z]+[0-9]+:[A-Z]+[0-9]+)"')
_NOTES = re.compile(r"^xl/(?:comments|threadedComments)[^/]*(?:/[^/]*)?\.xml$")
_NOTED = re.compile(rb'<(?:\w+:)?(?:comment|threadedComment)\s[^>]*?\bref="([A-Z]+[0-9]+)"')
OPENPYXL = Need("openpyxl", "spreadsheets", "openpyxl")


@contextmanager
def opened_workbook(path: Path, *, values: bool = False) -> Iterator[Any]:
    """An openpyxl workbook, read-only; formulas stay text, because an answer may begin with "=".

    Args:
        values: of a formula the value that the program computed that saved the file; None where it kept none.

    Raises:
        ConfigError: openpyxl is missing.
        DataError: the file is no workbook, is damaged (also found while its rows are read), or unpacks to too much.
    """
    try:
        from openpyxl import load_workbook  # late: optional
    except ImportError:
        raise ConfigError(OPENPYXL.message) from None
    with open_input(path) as file:
        try:
            start = file.read(4)
            if start == _OLE:
                raise DataError(f"{path}: an old .xls, or with a password; save it as .xlsx without one")
            if not start.startswith(b"PK"):
                raise DataError(f"{path}: no .xlsx, whatever its ending says; if it is text, call it .csv")
            file.seek(0)
            with ZipFile(file) as packed:
                size = sum(
                    member.file_size for member in packed.infolist() if member.filename.endswith((".xml", ".rels"))
                )
            if size > MOST_UNPACKED_BYTES:
                raise DataError(
                    f"{path} unpacks to {size / 2**20:,.0f} MiB, more than {MOST_UNPACKED_BYTES // 2**20:,}; export it "
                    "as CSV, or split it"
                )
            file.seek(0)
            book = load_workbook(file, read_only=True, data_only=values)
            try:
                yield book
            finally:
                book.close()
        except PefomedError:
            raise
        except Exception as error:  # openpyxl, zipfile and the XML parser raise two dozen types on damaged files
            raise DataError(f"{path} is not a spreadsheet, or is damaged ({one_line(error)}); save it again") from error


def rows_of(sheet: Any) -> Iterator[tuple[Any, ...]]:
    """The rows of a sheet, each up to its last cell that holds something, of at most ``MOST_COLUMNS``."""
    sheet.reset_dimensions()  # what the file says of its size may be wrong, and is then padded to
    for row in sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS):
        last = next((number for number in range(len(row), 0, -1) if row[number - 1] is not None), 0)
        yield row[:last]


class Merged(NamedTuple):
    """Cells that were merged into one; columns and rows from 1, both ends among them."""

    left: int
    top: int
    right: int
    bottom: int
    name: str
    """``C2:C3``."""


def source_of(sheet: Any) -> bytes:
    """The XML of a read-only sheet, for what openpyxl itself tells only of a sheet that it holds whole."""
    with sheet._get_source() as source:
        return bytes(source.read())


def hidden_in(content: bytes) -> tuple[int, list[int]]:
    """How many rows that hold something are hidden, and which columns are, from 1; of a sheet's XML."""
    columns: list[int] = []
    for match in _HIDDEN_COLUMNS.findall(content[: content.find(b"sheetData")]):
        ends = {name: int(number) for name, number in _ENDS.findall(match)}
        columns += range(ends.get(b"min", 1), min(ends.get(b"max", 0), MOST_COLUMNS) + 1)
    return len(_HIDDEN_ROW.findall(content)), columns


def beyond_limit(content: bytes) -> str:
    """A column beyond ``MOST_COLUMNS`` that holds something, by its letters; empty where there is none."""
    from openpyxl.utils import column_index_from_string  # late: optional

    far = {name.decode("ascii") for name in _FAR_CELL.findall(content)}
    return min((name for name in far if column_index_from_string(name) > MOST_COLUMNS), default="")


def merged_cells(content: bytes) -> list[Merged]:
    """The merged cells of a sheet's XML."""
    from openpyxl.utils import range_boundaries  # late: optional

    found = []
    for match in _MERGED.findall(content, content.rfind(b"sheetData")):
        left, top, right, bottom = range_boundaries(match.decode("ascii"))
        found.append(Merged(left, top, right, bottom, match.decode("ascii")))
    return sorted(found, key=lambda cells: (cells.top, cells.left))


def noted_cells(path: Path) -> list[str]:
    """Cells of a workbook that somebody pinned a note or a comment to, which is no part of the cell, in their order."""
    with ZipFile(path) as packed:
        parts = [packed.read(name) for name in packed.namelist() if _NOTES.search(name)]
    found = {name.decode("ascii") for part in parts for name in _NOTED.findall(part)}
    return sorted(found, key=lambda name: (int(name.lstrip(ascii_uppercase)), name))


def set_text(cell: Any, text: str) -> None:
    """A text as a text, whatever it begins with, also after somebody edited the cell."""
    cell.value = text
    cell.data_type = "s"
    cell.quotePrefix = text.startswith(FORMULA_STARTS)


def guarded(text: str) -> str:
    """A text with ``'`` before it where a spreadsheet would take it for a formula, number, date or truth value."""
    return "'" + text if _is_in_danger(text) else text


def unguarded(cell: str) -> str:
    """What ``guarded`` was given."""
    return cell[1:] if cell[:1] == "'" and _is_in_danger(cell[1:]) else cell


def _is_in_danger(text: str) -> bool:
    return text.startswith(FORMULA_STARTS) or NUMBERLIKE.fullmatch(text.strip()) is not None


def write_csv_row(out: TextIO, cells: Sequence[Any], delimiter: str = ",", line_end: str = "\n") -> None:
    """A row; its cells in quotes where one holds a carriage return, which Python's writer does not take for a line end
    and every reader does."""
    has_return = any(isinstance(cell, str) and "\r" in cell for cell in cells)
    dialect: dict[str, Any] = {"quoting": csv.QUOTE_ALL} if has_return else {}
    csv.writer(out, delimiter=delimiter, lineterminator=line_end, **dialect).writerow(cells)


def escaped(text: str) -> str:
    """What ``unescaped`` makes this text of, without characters that XLSX cannot hold."""
    return _CONTROL.sub(lambda found: f"_x{ord(found.group()):04X}_", _LOOKS_ESCAPED.sub("_x005F_", text))


def unescaped(cell: Any) -> Any:
    """A cell with the escapes of ECMA-376 (ST_Xstring) read: ``_xHHHH_`` is a character, ``_x005F_`` an underscore."""
    if not isinstance(cell, str):
        return cell
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), cell)
