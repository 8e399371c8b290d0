"""One rater's sheet as XLSX: instructions first, then a table in which only rating and comment can be written.

Images stand left of the answer that they are about; row and column heads stay in sight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ...records import numbered_images
from ...rubrics import CANNOT_JUDGE, Rubric
from ...storage import write_bytes
from ..spreadsheets import OPENPYXL, set_text
from .sheets import INSTRUCTIONS, LONG_TEXTS, MORE, RATINGS, TEXT_COLUMNS, SheetRow, columns_of

THUMBNAIL_PX = 320
"""Longer side of an image in a sheet."""
_WIDTHS = {"item": 12, "question": 32, "reference": 44, "rating": 13, "choice": 13, "comment": 32, "rubric": 18}
_TEXT_WIDTH, _IMAGE_WIDTH = 44, 46
_FREE = ("rating", "choice", "comment")
"""Columns that a rater may write in."""
_CELL_LIMIT = 32_000
"""Below Excel's 32,767 characters."""
_LINE_POINTS, _MOST_POINTS, _CHARACTERS_A_WIDTH = 15.0, 409.0, 1.05
"""Height of a line; of a row at most, as Excel has it; letters of a usual text for one unit of width."""

Thumbnails = Mapping[str, Sequence[tuple[str, Any]]]


def write_workbook(
    path: Path,
    rows: Sequence[SheetRow],
    rubric: Rubric,
    thumbnails: Thumbnails | None = None,
    *,
    is_side_by_side: bool = False,
    about: Sequence[str] = (),
) -> None:
    """A sheet as XLSX, rated or blank, with its instructions and a list of what may be chosen.

    Args:
        thumbnails: by item its images with their names; several stand beside each other, each with its name below it;
            one by itself has no name.
        about: further lines of the instructions: whose sheet it is, which round.

    Raises:
        ConfigError: openpyxl is missing.
    """
    openpyxl = _openpyxl()
    book = openpyxl.Workbook()
    _write_instructions(book.active, instructions(rubric, is_side_by_side, about, True))
    sheet, long_texts = book.create_sheet(RATINGS), book.create_sheet(LONG_TEXTS)
    images = thumbnails or {}
    columns = _with_images(columns_of(rows, is_side_by_side), max(map(len, images.values()), default=0))
    _write_head(sheet, columns)
    for line, row in enumerate(rows, 2):
        _write_row(sheet, line, columns, row, long_texts)
        first = next((at for at, name in enumerate(columns, 1) if name.startswith("image")), 0)
        for number, (name, image) in enumerate(images.get(row.item, ()), first):
            _put_image(sheet, line, number, image, name)
    _offer_choices(sheet, columns, len(rows), rubric, is_side_by_side)
    sheet.protection.sheet = True  # without a password: it keeps texts from slips, not from people
    sheet.protection.formatColumns = sheet.protection.formatRows = False  # widths and heights may be changed
    if long_texts.max_row <= 1 and not long_texts["A1"].value:
        book.remove(long_texts)
    else:
        long_texts.protection.sheet = True
    stream = BytesIO()
    book.save(stream)
    write_bytes(path, stream.getvalue())


def instructions(rubric: Rubric, is_side_by_side: bool, about: Sequence[str] = (), is_workbook: bool = False) -> str:
    """What a rater reads before the first item, a line each."""
    what = "answer" if rubric.task == "vqa" else "report"
    column = "choice" if is_side_by_side else "rating"
    start = f'Open the sheet "{RATINGS}" below' if is_workbook else "Open the table beside this file"
    if is_side_by_side:
        task = f"compare the two {what}s of each row with its reference, and choose the better one: A, B, or tie"
        scale = [f"  A, B: this {what} is closer to the reference", "  tie: neither is better than the other"]
    else:
        task = f"compare the {what} of each row with its reference, and rate it"
        scale = [f"  {line}" for line in rubric.text().split("\n")]
    return "\n".join(
        [
            "Instructions",
            *about,
            "",
            f"1. {start}; {task}.",
            f"2. Write into the columns {column} and comment alone"
            + ("; the others are locked. Each cell of the first offers what may be chosen:" if is_workbook else ":"),
            *scale,
            f"  {CANNOT_JUDGE}: image, question or your field do not allow a verdict. It counts as your answer.",
            "3. A comment is welcome, and never needed.",
            "4. Judge every row by itself; the order says nothing. Leave empty what you have not done yet.",
            "5. Save it in the format that it has, under its name, and give it back to who gave it to you. Do not "
            "remove, add or rename rows and columns.",
        ]
    )


def _with_images(columns: Sequence[str], most: int) -> list[str]:
    """The columns with those of the images left of the (first) answer."""
    names = ["image"] if most == 1 else numbered_images(most)
    at = next(place for place, name in enumerate(columns) if name.startswith("answer"))
    return [*columns[:at], *names, *columns[at:]]


def _write_head(sheet: Any, columns: Sequence[str]) -> None:
    from openpyxl.styles import Alignment, Font  # late: optional

    for number, name in enumerate(columns, 1):
        cell = sheet.cell(1, number, name)
        cell.font = Font(bold=True)
        cell.alignment = Alignment(vertical="center")
        width = _IMAGE_WIDTH if name.startswith("image") else _WIDTHS.get(name, _TEXT_WIDTH)
        sheet.column_dimensions[cell.column_letter].width = width
        if name == "rubric":
            sheet.column_dimensions[cell.column_letter].hidden = True
    sheet.freeze_panes = "B2"
    sheet.row_dimensions[1].height = 24
    sheet.page_setup.orientation, sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = "landscape", 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "1:1"


def _write_row(sheet: Any, line: int, columns: Sequence[str], row: SheetRow, long_texts: Any) -> None:
    from openpyxl.styles import Alignment, Protection  # late: optional

    lines = 1.0
    for number, name in enumerate(columns, 1):
        cell = sheet.cell(line, number)
        if name.startswith("image"):
            continue
        if name in _FREE:
            cell.style = "Note"  # the spreadsheet's own style of what stands out
        value = row.cell(name)
        if name in TEXT_COLUMNS:
            _put_text(cell, value, row.item, name, long_texts)
            width = _WIDTHS.get(name, _TEXT_WIDTH) * _CHARACTERS_A_WIDTH
            lines = max(lines, sum(1 + len(part) // width for part in value.split("\n")))
        elif isinstance(value, str):
            if value:
                set_text(cell, value)
        else:
            cell.value = value
        cell.alignment = Alignment(wrap_text=True, vertical="top")
        if name in _FREE:
            cell.protection = Protection(locked=False)
    sheet.row_dimensions[line].height = min(_MOST_POINTS, max(30.0, lines * _LINE_POINTS + 6))


def _offer_choices(sheet: Any, columns: Sequence[str], count: int, rubric: Rubric, is_side_by_side: bool) -> None:
    from openpyxl.utils import get_column_letter  # late: optional
    from openpyxl.worksheet.datavalidation import DataValidation  # late: optional

    name = "choice" if is_side_by_side else "rating"
    offered = [*(("A", "B", "tie") if is_side_by_side else map(str, rubric.values)), CANNOT_JUDGE]
    choices = DataValidation(
        type="list",
        formula1=f'"{",".join(offered)}"',
        allow_blank=True,
        showErrorMessage=True,
        errorTitle=name.capitalize(),
        error=f"Choose one of {', '.join(offered)}",
    )
    letter = get_column_letter(columns.index(name) + 1)
    choices.add(f"{letter}2:{letter}{count + 1}")
    sheet.add_data_validation(choices)


def _write_instructions(sheet: Any, text: str) -> None:
    from openpyxl.styles import Alignment, Font  # late: optional

    sheet.title = INSTRUCTIONS
    sheet.column_dimensions["A"].width = 110
    for number, line in enumerate(text.split("\n"), 1):
        cell = sheet.cell(number, 1)
        set_text(cell, line.strip())
        cell.alignment = Alignment(wrap_text=True, vertical="top", indent=2 if line.startswith("  ") else 0)
        sheet.row_dimensions[number].height = _LINE_POINTS * (1 + len(line) // 105) + 3
    sheet["A1"].font = Font(bold=True, size=16)
    sheet.row_dimensions[1].height = 26
    sheet.sheet_view.showGridLines = False
    sheet.protection.sheet = True


def _put_text(cell: Any, text: str, item: str, column: str, long_texts: Any) -> None:
    head, rest = text, ""
    if len(text) > _CELL_LIMIT:
        head, rest = text[:_CELL_LIMIT] + MORE, text[_CELL_LIMIT:]
    set_text(cell, head)
    for start in range(0, len(rest), _CELL_LIMIT):
        line = long_texts.max_row + 1
        for number, value in enumerate((item, column, rest[start : start + _CELL_LIMIT]), 1):
            set_text(long_texts.cell(line, number), value)


def _put_image(sheet: Any, line: int, column: int, image: Any, name: str) -> None:
    from openpyxl.drawing.image import Image  # late: optional
    from openpyxl.styles import Alignment  # late: optional

    small = image.copy()
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    stream = BytesIO()
    small.save(stream, format="PNG")
    stream.seek(0)
    sheet.add_image(Image(stream), sheet.cell(line, column).coordinate)
    height = 0.75 * small.height + (22 if name else 6)
    sheet.row_dimensions[line].height = min(_MOST_POINTS, max(sheet.row_dimensions[line].height or 0, height))
    if name:
        set_text(sheet.cell(line, column), name)
        sheet.cell(line, column).alignment = Alignment(vertical="bottom")


def _openpyxl() -> Any:
    try:
        import openpyxl  # late: optional
    except ImportError:
        raise ConfigError(f"{OPENPYXL.message}; or use CSV (--csv)") from None
    return openpyxl
