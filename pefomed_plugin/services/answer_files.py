"""Answers as a table for people: CSV or XLSX by the ending of the file, beside the JSON lines that programs read.

A spreadsheet takes some texts for formulas, numbers or dates; such texts get a mark (CSV) or are set as texts (XLSX).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ConfigError, near_names
from ..records import CONFIDENCE, Prediction
from ..requirements import require
from ..storage import refuse_place, set_aside, write_bytes
from ..text import without_surrogates
from .spreadsheets import MOST_IN_A_CELL, MOST_ROWS, OPENPYXL, escaped, guarded, set_text, write_csv_row

JSON_LINES, CSV, XLSX = ".jsonl", ".csv", ".xlsx"
ENDINGS = (JSON_LINES, CSV, XLSX)
_ALWAYS = ("id", "image", "task", "answer")
_COLUMNS = ("id", "image", "task", "question", "answer", "confidence", "reference", "answer_type")
_WIDTHS = {"id": 24, "image": 28, "question": 40, "answer": 70, "reference": 50}
_MADE = "docProps/core.xml"
"""The part of a workbook that says when it was made."""


class Written(NamedTuple):
    """What a table shows otherwise than the JSON lines."""

    cut: int
    """Texts that did not fit a cell whole."""
    marked: int
    """Cells with ``'`` before them."""
    aside: Path | None
    """Where a file with other content is now that was there."""


def lines_of(out: Path) -> Path | None:
    """The JSON lines that belong to ``--out``: it is such a file, or a table beside which they lie; None: a folder.

    Raises:
        ConfigError: another ending, which no format of ours has; or openpyxl is missing for XLSX.
    """
    ending = out.suffix.lower()
    if not ending or out.is_dir():
        return None
    if ending not in ENDINGS:
        raise ConfigError(
            f"--out {out}: answers are written as {', '.join(ENDINGS)}, or into a folder (without a dot in its "
            f"name, or one that is there); {near_names(ending, ENDINGS)}"
        )
    if ending == XLSX:
        require([OPENPYXL])
    return out if ending == JSON_LINES else out.with_suffix(JSON_LINES)


def refuse_out(out: Path, answers: int, inputs: Iterable[Path | None] = ()) -> None:
    """Refuse what could not be written at the end.

    Raises:
        ConfigError: ``out``, or the JSON lines beside it, is one of ``inputs``, or a sheet has fewer rows.
        DataError: one of them is a folder or a device.
    """
    for path in (out, lines_of(out)) if lines_of(out) is not None else ():
        refuse_place(Path(path or out))
    written = {path.resolve() for path in (out, lines_of(out)) if path is not None}
    taken = [str(path) for path in inputs if path is not None and path.resolve() in written]
    if taken:
        raise ConfigError(f"--out {out}: {taken[0]} is read, and would be written over; choose another name")
    if out.suffix.lower() == XLSX and answers >= MOST_ROWS and not out.is_dir():
        raise ConfigError(
            f"--out {out}: a sheet holds {MOST_ROWS:,} rows, and these are {answers:,} answers; write CSV"
        )


def write_answer_table(path: Path, predictions: Sequence[Prediction]) -> Written:
    """Write CSV (UTF-8 with a byte order mark, as Excel wants it) or XLSX, in which control characters are escaped.

    Raises:
        ConfigError: openpyxl is missing.
        DataError: the file cannot be written.
    """
    rows = [_row(prediction) for prediction in predictions]
    columns = [name for name in _COLUMNS if any(row.get(name) not in (None, "") for row in rows) or name in _ALWAYS]
    if path.suffix.lower() == XLSX:
        return _write_workbook(path, columns, rows)
    out, marked = io.StringIO(), 0
    write_csv_row(out, columns)
    for row in rows:
        cells = [cell if isinstance(cell, float) else str(cell or "") for cell in map(row.get, columns)]
        shown = [cell if isinstance(cell, float) else guarded(cell) for cell in cells]
        marked += sum(cell != before for cell, before in zip(shown, cells))
        write_csv_row(out, shown)
    return Written(0, marked, _replace(path, without_surrogates("\ufeff" + out.getvalue()).encode("utf-8")))


def _replace(path: Path, content: bytes) -> Path | None:
    """Write a file; what was there with other content is set aside, and where it is now is given."""
    is_other = path.is_file() and not _is_same(path.read_bytes(), content)
    aside = set_aside(path) if is_other else None
    write_bytes(path, content)
    return aside


def _is_same(before: bytes, content: bytes) -> bool:
    """Whether two files are the same table; a workbook keeps when it was made."""
    try:
        files = [zipfile.ZipFile(io.BytesIO(found)) for found in (before, content)]
    except zipfile.BadZipFile:
        return before == content
    old, new = ({member.filename: member.CRC for member in file.infolist()} for file in files)
    return {**old, _MADE: 0} == {**new, _MADE: 0}


def _row(prediction: Prediction) -> dict[str, Any]:
    names = prediction.image_names if len(prediction.images) > 1 else ()
    images = [f"{name}={image}" for name, image in zip(names, prediction.images)] or list(prediction.images)
    confidence = prediction.producer.get(CONFIDENCE)
    return {
        "id": prediction.id,
        "image": "; ".join(images),
        "task": prediction.task,
        "question": prediction.question,
        "answer": prediction.prediction,
        "confidence": round(confidence, 4) if isinstance(confidence, float) else None,
        "reference": prediction.answer,
        "answer_type": prediction.answer_type,
    }


def _write_workbook(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> Written:
    try:
        from openpyxl import Workbook  # late: optional
        from openpyxl.styles import Alignment, Font  # late: optional
    except ImportError:
        raise ConfigError(f"{OPENPYXL.message}; or write CSV") from None
    book = Workbook()
    sheet: Any = book.active
    sheet.title = "answers"
    cut = 0
    for number, name in enumerate(columns, 1):
        sheet.cell(1, number, name).font = Font(bold=True)
        sheet.column_dimensions[sheet.cell(1, number).column_letter].width = _WIDTHS.get(name, 14)
    for line, row in enumerate(rows, 2):
        for number, value in enumerate((row.get(name) for name in columns), 1):
            cell = sheet.cell(line, number)
            if isinstance(value, float):
                cell.value = value
                continue
            text = str(value or "")
            shown = _fitting(text)
            cut += len(shown) < len(text)
            set_text(cell, escaped(shown))
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    stream = io.BytesIO()
    book.save(stream)
    aside = _replace(path, stream.getvalue())
    return Written(cut, 0, aside)


def _fitting(text: str) -> str:
    """As much of a text as a cell holds once it is escaped, when a character is seven at most."""
    kept = text[:MOST_IN_A_CELL]
    while (over := len(escaped(kept)) - MOST_IN_A_CELL) > 0:
        kept = kept[: -over // 7]  # rounded away from nothing
    return kept
