"""A sheet of an XLSX file as text cells: what a person sees in it, so that an id keeps its zeros and 12 is not 12.0."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError, named, near_names
from ..spreadsheets import (
    MOST_COLUMNS,
    Merged,
    beyond_limit,
    hidden_in,
    merged_cells,
    opened_workbook,
    source_of,
    unescaped,
)

_FIXED = re.compile(r"\"([^\"]*)\"|\\(.)|([-/ ()])|(0)")
"""What a number format is made of that shows 7 as 0007 or PAT-0007: texts, and a place for each digit."""
_OTHERWISE = re.compile(r"[%\"\\/]|E[+-]")
"""In another format of a number: it is shown as a share, with a text, as a power or a fraction."""
_LONGEST = 32_767
"""Characters that a cell may hold; programs cut longer texts when they write them."""
_EXACT = 2**53
_FORMULAS = "formula(s) read by the values that the file keeps"
_DATES = "date(s) written as year-month-day"
_ZERO_FORMATS = "number(s) with the leading zeros and texts that their format shows"
_BARE = "number(s) read without what their format shows (as 50% for 0.5)"
_CUT = "text(s) of 32,767 characters, where spreadsheets cut them"


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
        content = source_of(values[name])
        merged = merged_cells(content)
        state = "" if values[name].sheet_state == "visible" else " (hidden)"
    far = beyond_limit(content)
    if far:
        raise DataError(
            f"{path}, sheet {name!r}: column {far} holds something, and no more than {MOST_COLUMNS} columns are read; "
            "delete those that are not needed"
        )
    filled = [(number, cells) for number, cells in rows if any(cell.strip() for cell in cells)]
    header = [cell.strip() for cell in filled[0][1]] if filled else []
    while header and not header[-1]:
        header.pop()
    faults += [fault for cells in merged for fault in _emptied(cells, filled[0][0] if filled else 0, path.name)]
    padded = [(number, _fitted(cells, len(header))) for number, cells in filled[1:]]
    others = len(formulas.sheetnames) - 1
    chosen = f"sheet {name!r}{state}" + (f" of {others + 1}" if others else "")
    counted = [f"{count:,} {what}" for what, count in counts.items()]
    return header, padded, [f"{path.name}: {'; '.join([chosen, *counted, *_hidden(content, header)])}"], faults


def _hidden(content: bytes, header: Sequence[str]) -> list[str]:
    """What a person who looks at the sheet does not see, in words: it is read like everything else."""
    rows, places = hidden_in(content)
    columns = [header[place - 1] for place in places if place <= len(header) and header[place - 1]]
    return ([f"{rows:,} hidden row(s) are read like the others"] if rows else []) + (
        [f"hidden column(s) are read like the others: {named(columns)}"] if columns else []
    )


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
        told = (name if book[name].sheet_state == "visible" else f"{name} (hidden)" for name in filled)
        raise ConfigError(f"{path}: {len(filled)} sheets hold something; choose one with --sheet: {', '.join(told)}")
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
        shown = _as_format_shows(int(value), number_format) if is_whole and value >= 0 else ""
        if shown:
            counts[_ZERO_FORMATS] += 1
            return shown
        if _OTHERWISE.search(re.sub(r"\[[^]]*\]", "", number_format.partition(";")[0])):
            counts[_BARE] += 1
        return str(int(value)) if is_whole else repr(value)
    if len(str(value)) == _LONGEST:
        counts[_CUT] += 1
    return str(unescaped(value))


def _as_format_shows(value: int, number_format: str) -> str:
    """``PAT0007`` of 7 and ``"PAT"0000``; empty where the format is another one, or the number has more digits."""
    parts = list(_FIXED.finditer(number_format))
    places = sum(bool(part[4]) for part in parts)
    if "".join(part[0] for part in parts) != number_format or len(parts) < 2 or not places or value >= 10**places:
        return ""
    digits = iter(str(value).zfill(places))
    return "".join(next(digits) if part[4] else part[1] or part[2] or part[3] or "" for part in parts)
