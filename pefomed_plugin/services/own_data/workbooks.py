"""A sheet of an XLSX file as text cells: what a person sees in it, so that an id keeps its zeros and 12 is not 12.0."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...errors import ConfigError, near_names
from ..spreadsheets import MOST_COLUMNS, Merged, merged_cells, opened_workbook, unescaped

_ZEROS = re.compile(r"0{2,}")
"""The number format that shows 7 as 0007."""
_EXACT = 2**53
_FORMULAS = "formula(s) read by the values that the file keeps"
_DATES = "date(s) written as year-month-day"
_ZERO_FORMATS = "number(s) with the leading zeros that their format shows"


Faults = list[tuple[int, str]]
"""Column (from 0) and what is wrong with a cell."""


def read_workbook(path: Path, sheet: str) -> tuple[list[str], list[tuple[int, list[str]]], list[str], Faults]:
    """Header, rows (number in the sheet, cells padded to the header), how it was read, and cells that are no good.

    Args:
        sheet: its name, or its number from 1; empty: the only one that holds something.

    Raises:
        ConfigError: openpyxl is missing; no such sheet; or several and no choice.
        DataError: no workbook, or a damaged one.
    """
    with opened_workbook(path) as formulas, opened_workbook(path, values=True) as values:
        name = _choose(path, formulas, sheet)
        counts: Counter[str] = Counter()
        faults: Faults = []
        rows = [
            (number, _texts(row, kept, f"{path.name}, row {number}", counts, faults))
            for number, (row, kept) in enumerate(zip(_rows(formulas[name]), _rows(values[name])), 1)
        ]
        merged = merged_cells(values[name])
    filled = [(number, cells) for number, cells in rows if any(cell.strip() for cell in cells)]
    header = [cell.strip() for cell in filled[0][1]] if filled else []
    while header and not header[-1]:
        header.pop()
    faults += [fault for cells in merged for fault in _emptied(cells, filled[0][0] if filled else 0, path.name)]
    padded = [(number, _fitted(cells, len(header))) for number, cells in filled[1:]]
    others = len(formulas.sheetnames) - 1
    chosen = f"sheet {name!r}" + (f" of {others + 1}" if others else "")
    counted = [f"{count:,} {what}" for what, count in counts.items()]
    return header, padded, [f"{path.name}: {'; '.join([chosen, *counted])}"], faults


def _emptied(cells: Merged, header: int, name: str) -> Faults:
    """The columns that merging left without a value below the header's row: it stays in the first cell alone."""
    if cells.bottom <= header:
        return []
    first = cells.left + 1 if cells.top == cells.bottom else cells.left
    fault = f"{name}, row {cells.top}: {cells.name} are merged, and the value is the first cell's alone; unmerge them, "
    return [(place - 1, fault + "and fill each") for place in range(first, cells.right + 1)]


def _choose(path: Path, book: Any, sheet: str) -> str:
    names = [found.title for found in book.worksheets]
    if sheet:
        if sheet in names:
            return sheet
        if sheet.isdigit() and 1 <= int(sheet) <= len(names):
            return str(names[int(sheet) - 1])
        raise ConfigError(f"--sheet {sheet}: {path.name} has no such sheet; {near_names(sheet, names)}")
    filled = [name for name in names if any(any(cell.value is not None for cell in row) for row in _rows(book[name]))]
    if len(filled) > 1:
        raise ConfigError(f"{path}: {len(filled)} sheets hold something; choose one with --sheet: {', '.join(filled)}")
    if not filled:
        raise ConfigError(f"{path}: no sheet holds anything")
    return str(filled[0])


def _rows(sheet: Any) -> Iterator[Sequence[Any]]:
    sheet.reset_dimensions()  # what the file says of its size may be wrong
    return sheet.iter_rows(max_col=MOST_COLUMNS)  # type: ignore[no-any-return]


def _fitted(cells: list[str], width: int) -> list[str]:
    """As many cells as the header has; more of them only where they hold something, which is a mistake then."""
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    return cells + [""] * (width - len(cells))


def _texts(row: Sequence[Any], kept: Sequence[Any], where: str, counts: Counter[str], faults: Faults) -> list[str]:
    texts = []
    for place, (cell, value) in enumerate(zip(row, kept)):
        shown = value.value
        fault = ""
        if cell.value is not None and getattr(cell, "data_type", "") == "f":
            counts[_FORMULAS] += 1
            if shown is None:
                fault = (
                    "a formula whose value the file does not keep; open and save it in a spreadsheet program, or "
                    "put the value there"
                )
        if getattr(value, "data_type", "") == "e":
            fault = f"the error {shown} in a cell; correct its formula"
        if isinstance(shown, (int, float)) and abs(shown) >= _EXACT:
            fault = "a number of more than 15 digits, which a spreadsheet rounds; enter it anew in a column of text"
        if fault:
            faults.append((place, f"{where}: {fault}"))
        texts.append(_text(shown, str(getattr(cell, "number_format", "") or ""), counts))
    return texts


def _text(value: Any, number_format: str, counts: Counter[str]) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        counts[_DATES] += 1
        is_day = isinstance(value, datetime.datetime) and value.time() == datetime.time()
        return (value.date() if is_day else value).isoformat()  # type: ignore[union-attr]
    if isinstance(value, (int, float)):
        is_whole = float(value).is_integer()
        if is_whole and _ZEROS.fullmatch(number_format):
            counts[_ZERO_FORMATS] += 1
            return str(int(value)).zfill(len(number_format))
        return str(int(value)) if is_whole else repr(value)
    return str(unescaped(value))
