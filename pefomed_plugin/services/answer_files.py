"""Answers as a table for people: CSV or XLSX by the ending of the file, beside the JSON lines that programs read.

A spreadsheet takes some texts for formulas, numbers or dates; such texts get a mark (CSV) or are set as texts (XLSX).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError, near_names
from ..records import CONFIDENCE, Prediction
from ..requirements import require
from ..storage import write_bytes, write_text
from .spreadsheets import OPENPYXL, guarded, set_text

JSON_LINES, CSV, XLSX = ".jsonl", ".csv", ".xlsx"
ENDINGS = (JSON_LINES, CSV, XLSX)
_CELL_LIMIT = 32_767
"""Characters that XLSX allows in a cell."""
_ALWAYS = ("id", "image", "task", "answer")
_COLUMNS = ("id", "image", "task", "question", "answer", "confidence", "reference", "answer_type")
_WIDTHS = {"id": 24, "image": 28, "question": 40, "answer": 70, "reference": 50}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What XLSX cannot hold."""


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
    return out.with_suffix(JSON_LINES)


def write_answer_table(path: Path, predictions: Sequence[Prediction]) -> int:
    """Write CSV (UTF-8 with a byte order mark, as Excel wants it) or XLSX; how many texts did not fit a cell whole.

    Raises:
        ConfigError: openpyxl is missing.
        DataError: the file cannot be written.
    """
    rows = [_row(prediction) for prediction in predictions]
    columns = [name for name in _COLUMNS if any(row.get(name) not in (None, "") for row in rows) or name in _ALWAYS]
    if path.suffix.lower() == XLSX:
        return _write_workbook(path, columns, rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = (row.get(name) for name in columns)
        writer.writerow([cell if isinstance(cell, float) else guarded(str(cell or "")) for cell in cells])
    write_text(path, "\ufeff" + out.getvalue())
    return 0


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


def _write_workbook(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> int:
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
            text = _CONTROL.sub("\ufffd", str(value or ""))
            cut += len(text) > _CELL_LIMIT
            set_text(cell, text[:_CELL_LIMIT])
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    stream = io.BytesIO()
    book.save(stream)
    write_bytes(path, stream.getvalue())
    return cut
