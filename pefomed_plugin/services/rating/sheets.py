"""One rater's sheet as XLSX or CSV: read back as rows, and written as CSV; ``workbook`` writes XLSX.

A text that begins with ``=`` stays a text in both; one longer than a cell goes on in the sheet "Long texts".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ...errors import DataError, one_line
from ...input_files import read_bytes
from ...storage import write_text
from ..console import say_once
from ..spreadsheets import (
    guarded,
    merged_cells,
    noted_cells,
    opened_workbook,
    rows_of,
    source_of,
    unguarded,
    write_csv_row,
)

COLUMNS = ("item", "question", "reference", "answer", "rating", "comment", "rubric")
SIDE_COLUMNS = ("item", "question", "reference", "answer A", "answer B", "choice", "comment", "rubric")
"""Where two answers stand side by side."""
_NAMES = {"answer A": "answer", "answer B": "second", "choice": "rating"}
"""Column side by side -> field of ``SheetRow``."""
TEXT_COLUMNS = ("item", "question", "reference", "answer", "answer A", "answer B")
SIDE_LABELS = {2: "A", 1: "tie", 0: "B"}
"""What a rater of two texts chooses, on the page and in sheets, by the rating that is kept: 2 is for the first."""
INSTRUCTIONS, RATINGS, LONG_TEXTS = "Instructions", "Ratings", "Long texts"
MORE = " [goes on in the sheet Long texts]"
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_CONTROL = re.compile("[\x00-\x20\x7f\u2400-\u241f]")


@dataclass(frozen=True)
class SheetRow:
    """One line of a sheet."""

    item: str
    """Code of the prediction."""
    question: str
    """Empty for reports."""
    reference: str
    """As a rater sees it."""
    answer: str
    """As a rater sees it."""
    rating: Any = None
    """What the rater entered, as the file holds it."""
    comment: str = ""
    """The rater's words."""
    rubric: str = ""
    """``Rubric.tag`` of what the sheet was made for; empty on sheets from before it was noted."""
    place: str = ""
    """File and line it was read from."""
    second: str = ""
    """The second text, where two stand side by side."""

    @property
    def texts(self) -> tuple[str, ...]:
        """What a rater must not change, without what spreadsheets change by themselves: white space, ``_x000D_``."""
        return tuple(map(_plain, (self.question, self.reference, self.answer, self.second)))

    def cell(self, column: str) -> Any:
        """What stands in a column."""
        return getattr(self, _NAMES.get(column, column))


def sheet_name(rater: str, number: int) -> str:
    """Name of a rater's sheet of a round, without its ending."""
    return rater if number == 1 else f"{rater}-round{number}"


def columns_of(rows: Sequence[SheetRow], is_side_by_side: bool | None = None) -> tuple[str, ...]:
    """Columns of a sheet with these rows."""
    if is_side_by_side is None:
        is_side_by_side = any(row.second for row in rows)
    return SIDE_COLUMNS if is_side_by_side else COLUMNS


def write_csv(path: Path, rows: Sequence[SheetRow], is_side_by_side: bool | None = None) -> None:
    """A sheet as CSV, rated or blank; ``'`` before a text that a spreadsheet would take for a formula."""
    out, columns = StringIO(), columns_of(rows, is_side_by_side)
    write_csv_row(out, columns)
    for row in rows:
        cells = [row.cell(column) for column in columns]
        write_csv_row(out, ["" if cell is None else guarded(cell) if isinstance(cell, str) else cell for cell in cells])
    write_text(path, "\ufeff" + out.getvalue())


def read_sheet(path: Path) -> list[SheetRow]:
    """Rows of a sheet, XLSX or CSV, empty lines left out. What else was written into it is named, and not read.

    Raises:
        ConfigError: openpyxl is missing.
        DataError: the file cannot be read, lacks a column, or has one twice.
    """
    return _read_workbook(path) if path.suffix.lower() == ".xlsx" else _read_csv(path)


def _read_csv(path: Path) -> list[SheetRow]:
    try:
        text = read_bytes(path).decode("utf-8-sig")
        first = text.split("\n", 1)[0]
        delimiter = max(",;\t", key=first.count)  # what Excel writes depends on the country
        lines = list(csv.reader(StringIO(text, newline=""), delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {one_line(error)}; save it as CSV UTF-8") from error
    return _rows(path, [[unguarded(cell) for cell in line] for line in lines])


def _read_workbook(path: Path) -> list[SheetRow]:
    with opened_workbook(path) as book:
        if RATINGS not in book.sheetnames:
            raise DataError(f"{path} has no sheet {RATINGS}; do not rename it")
        added = [name for name in book.sheetnames if name not in (INSTRUCTIONS, RATINGS, LONG_TEXTS)]
        if added:
            say_once(f"{path}: not read: the sheet(s) {', '.join(added)}")
        merged = [cells for cells in merged_cells(source_of(book[RATINGS])) if cells.bottom > 1]
        if merged:
            shown = ", ".join(cells.name for cells in merged)
            raise DataError(
                f"{path}: merged cells ({shown}) hold what one row says; unmerge them, and fill in each row"
            )
        rest = _read_long_texts(book[LONG_TEXTS]) if LONG_TEXTS in book.sheetnames else {}
        lines = [list(line) for line in rows_of(book[RATINGS])]
    notes = noted_cells(path)
    if notes:
        say_once(f"{path}: not read: notes on the cells {', '.join(notes)}. What is to be kept belongs into comment")
    header = list(map(str, lines[0])) if lines else []
    item = header.index("item") if "item" in header else 0
    for line in lines[1:]:
        for number, name in enumerate(header):
            cell = line[number] if number < len(line) else None
            if name in TEXT_COLUMNS and isinstance(cell, str) and cell.endswith(MORE):
                line[number] = cell[: -len(MORE)] + rest.get((str(line[item]), name), "")
    return _rows(path, lines)


def _rows(path: Path, lines: Sequence[Sequence[Any]]) -> list[SheetRow]:
    header = [str(cell or "").strip() for cell in lines[0]] if lines else []
    columns = SIDE_COLUMNS if "answer A" in header else COLUMNS
    missing = [name for name in columns if name not in header and name not in ("comment", "rubric")]
    if missing:
        raise DataError(f"{path} lacks the column(s) {', '.join(missing)}; do not rename or remove columns")
    twice = [name for name in columns if header.count(name) > 1]
    if twice:
        raise DataError(f"{path} has the column(s) {', '.join(twice)} twice; leave the one that counts")
    _say_what_is_not_read(path, header, columns, lines[1:])
    where = {_NAMES.get(name, name): header.index(name) for name in columns if name in header}
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if any(cell not in (None, "") for cell in line):
            cells = {name: line[column] if column < len(line) else None for name, column in where.items()}
            texts = {name: "" if cells[name] is None else str(cells[name]) for name in where if name != "rating"}
            rows.append(SheetRow(rating=cells["rating"], place=f"{path.name}, line {number}", **texts))
    return rows


def _say_what_is_not_read(
    path: Path, header: Sequence[str], columns: Sequence[str], lines: Sequence[Sequence[Any]]
) -> None:
    """Name the columns that a rater added and wrote into."""
    filled = {place for line in lines for place, cell in enumerate(line) if cell not in (None, "")}
    added = [
        (header[place] if place < len(header) else "") or f"number {place + 1}, without a name"
        for place in sorted(filled)
        if place >= len(header) or (header[place] not in columns and not header[place].startswith("image"))
    ]
    if added:
        say_once(f"{path}: not read: the column(s) {'; '.join(added)}. What is to be kept belongs into comment")


def _read_long_texts(sheet: Any) -> dict[tuple[str, str], str]:
    texts: dict[tuple[str, str], str] = {}
    for line in rows_of(sheet):
        item, column, part = (*line[:3], None, None, None)[:3]
        if item is not None:
            key = str(item), str(column)
            texts[key] = texts.get(key, "") + str(part or "")
    return texts


def _plain(text: str) -> str:
    """A text with its escapes (``_x000D_`` of ECMA-376) read, however often they were escaped; blanks evened out."""
    before = None
    while text != before:
        before, text = text, _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)
    return " ".join(_CONTROL.sub(" ", text).split())
