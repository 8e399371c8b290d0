"""One rater's sheet as XLSX or CSV: written blank, read back as rows.

A text that begins with ``=`` stays a text in both; one longer than a cell goes on in the sheet "Long texts".
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError, one_line
from ...input_files import read_bytes
from ...records import numbered_images
from ...rubrics import Rubric
from ...storage import write_text
from ..spreadsheets import OPENPYXL, guarded, opened_workbook, rows_of, set_text, unguarded

COLUMNS = ("item", "question", "reference", "answer", "rating", "comment", "rubric")
_REQUIRED = COLUMNS[:5]
_WIDTHS = {"item": 14, "question": 40, "reference": 60, "answer": 60, "rating": 9, "comment": 30}
_CELL_LIMIT = 32_000
"""Below Excel's 32,767 characters."""
_MORE = " [goes on in the sheet Long texts]"
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_CONTROL = re.compile("[\x00-\x20\x7f\u2400-\u241f]")
THUMBNAIL_PX = 160


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

    @property
    def texts(self) -> tuple[str, str, str]:
        """What a rater must not change, without what spreadsheets change by themselves: white space, ``_x000D_``."""
        question, reference, answer = map(_plain, (self.question, self.reference, self.answer))
        return question, reference, answer


def write_csv(path: Path, rows: Sequence[SheetRow]) -> None:
    """A sheet as CSV, rated or blank; ``'`` before a text that a spreadsheet would take for a formula."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(
            [
                guarded(row.item),
                *map(guarded, (row.question, row.reference, row.answer)),
                "" if row.rating is None else row.rating,
                guarded(row.comment),
                guarded(row.rubric),
            ]
        )
    write_text(path, "\ufeff" + out.getvalue())


def write_workbook(
    path: Path,
    rows: Sequence[SheetRow],
    rubric: Rubric,
    thumbnails: Mapping[str, Sequence[tuple[str, Any]]] | None = None,
) -> None:
    """A sheet as XLSX, rated or blank: drop-down, rubric on the second sheet, as an option the PIL images of an item.

    Each image of an item has a column, with what it is called below it; one by itself has no name.

    Raises:
        ConfigError: openpyxl is missing.
    """
    openpyxl = _openpyxl()
    from openpyxl.styles import Alignment, Font  # late: optional
    from openpyxl.worksheet.datavalidation import DataValidation  # late: optional

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Ratings"
    most = max(map(len, (thumbnails or {}).values()), default=0)
    columns = (*COLUMNS, *(["image"] if most == 1 else numbered_images(most)))
    for number, name in enumerate(columns, 1):
        sheet.cell(1, number, name).font = Font(bold=True)
        sheet.column_dimensions[sheet.cell(1, number).column_letter].width = _WIDTHS.get(name, 25)
    sheet.freeze_panes = "A2"
    sheet.column_dimensions["G"].hidden = True
    long_texts = book.create_sheet("Long texts")
    for line, row in enumerate(rows, 2):
        for number, name in enumerate(("item", "question", "reference", "answer"), 1):
            _put_text(sheet.cell(line, number), getattr(row, name), row.item, name, long_texts)
            sheet.cell(line, number).alignment = Alignment(wrap_text=True, vertical="top")
        sheet.cell(line, 5, row.rating)
        if row.comment:
            set_text(sheet.cell(line, 6), row.comment)
        if row.rubric:
            set_text(sheet.cell(line, 7), row.rubric)
        for number, (name, image) in enumerate((thumbnails or {}).get(row.item, ()), len(COLUMNS) + 1):
            _put_image(sheet, line, number, image, name)
    values = ",".join(map(str, rubric.values))
    choices = DataValidation(
        type="list",
        formula1=f'"{values}"',
        allow_blank=True,
        showErrorMessage=True,
        errorTitle="Rating",
        error=f"Choose one of {rubric.scale}",
    )
    choices.add(f"E2:E{len(rows) + 1}")
    sheet.add_data_validation(choices)
    _write_rubric(book.create_sheet("Rubric", 1), rubric)
    if long_texts.max_row <= 1 and not long_texts["A1"].value:
        book.remove(long_texts)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def read_sheet(path: Path) -> list[SheetRow]:
    """Rows of a sheet, XLSX or CSV, empty lines left out.

    Raises:
        ConfigError: openpyxl is missing.
        DataError: the file cannot be read, or lacks a column.
    """
    return _read_workbook(path) if path.suffix == ".xlsx" else _read_csv(path)


def _read_csv(path: Path) -> list[SheetRow]:
    try:
        text = read_bytes(path).decode("utf-8-sig")
        first = text.split("\n", 1)[0]
        delimiter = ";" if first.count(";") > first.count(",") else ","  # what Excel writes depends on the country
        lines = list(csv.reader(StringIO(text, newline=""), delimiter=delimiter))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {one_line(error)}; save it as CSV UTF-8") from error
    return _rows(path, [[unguarded(cell) for cell in line] for line in lines])


def _read_workbook(path: Path) -> list[SheetRow]:
    with opened_workbook(path) as book:
        if "Ratings" not in book.sheetnames:
            raise DataError(f"{path} has no sheet Ratings; do not rename it")
        rest = _read_long_texts(book["Long texts"]) if "Long texts" in book.sheetnames else {}
        lines = [list(line) for line in rows_of(book["Ratings"])]
    for line in lines[1:]:
        for number, name in enumerate(COLUMNS[:4]):
            cell = line[number] if number < len(line) else None
            if isinstance(cell, str) and cell.endswith(_MORE):
                line[number] = cell[: -len(_MORE)] + rest.get((str(line[0]), name), "")
    return _rows(path, lines)


def _rows(path: Path, lines: Sequence[Sequence[Any]]) -> list[SheetRow]:
    header = [str(cell or "").strip() for cell in lines[0]] if lines else []
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise DataError(f"{path} lacks the column(s) {', '.join(missing)}; do not rename or remove columns")
    where = {name: header.index(name) for name in COLUMNS if name in header}
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if any(cell not in (None, "") for cell in line):
            cells = {name: line[column] if column < len(line) else None for name, column in where.items()}
            texts = {name: "" if cells.get(name) is None else str(cells[name]) for name in COLUMNS if name != "rating"}
            rows.append(SheetRow(rating=cells["rating"], place=f"{path.name}, line {number}", **texts))
    return rows


def _put_text(cell: Any, text: str, item: str, column: str, long_texts: Any) -> None:
    head, rest = text, ""
    if len(text) > _CELL_LIMIT:
        head, rest = text[:_CELL_LIMIT] + _MORE, text[_CELL_LIMIT:]
    set_text(cell, head)
    for start in range(0, len(rest), _CELL_LIMIT):
        line = long_texts.max_row + 1
        for number, value in enumerate((item, column, rest[start : start + _CELL_LIMIT]), 1):
            set_text(long_texts.cell(line, number), value)


def _read_long_texts(sheet: Any) -> dict[tuple[str, str], str]:
    texts: dict[tuple[str, str], str] = {}
    for line in rows_of(sheet):
        item, column, part = (*line[:3], None, None, None)[:3]
        if item is not None:
            key = str(item), str(column)
            texts[key] = texts.get(key, "") + str(part or "")
    return texts


def _put_image(sheet: Any, line: int, column: int, image: Any, name: str) -> None:
    from openpyxl.drawing.image import Image  # late: optional
    from openpyxl.styles import Alignment  # late: optional

    small = image.copy()
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    stream = BytesIO()
    small.save(stream, format="PNG")
    stream.seek(0)
    sheet.add_image(Image(stream), sheet.cell(line, column).coordinate)
    sheet.row_dimensions[line].height = 0.75 * THUMBNAIL_PX + (22 if name else 6)
    if name:
        set_text(sheet.cell(line, column), name)
        sheet.cell(line, column).alignment = Alignment(vertical="bottom")


def _write_rubric(sheet: Any, rubric: Rubric) -> None:
    from openpyxl.styles import Alignment  # late: optional

    sheet.column_dimensions["B"].width = 110
    sheet.append(("rating", "when"))
    for level in reversed(rubric.levels):
        sheet.append((level.value, level.description))
        sheet.cell(sheet.max_row, 2).alignment = Alignment(wrap_text=True)


def _plain(text: str) -> str:
    """A text with its escapes (``_x000D_`` of ECMA-376) read, however often they were escaped; blanks evened out."""
    before = None
    while text != before:
        before, text = text, _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), text)
    return " ".join(_CONTROL.sub(" ", text).split())


def _openpyxl() -> Any:
    try:
        import openpyxl  # late: optional
    except ImportError:
        raise ConfigError(f"{OPENPYXL.message}; or use CSV (--csv)") from None
    return openpyxl
