"""Result files that are tables: VLMEvalKit's spreadsheet, TSV or JSON, and R2Gen's pair of CSV files without header."""

from __future__ import annotations

import ast
import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from io import TextIOWrapper
from itertools import zip_longest
from pathlib import Path
from typing import Any, Callable

from ...errors import ConfigError, DataError, named, why
from ...input_files import open_input
from ...json_text import mark_half_characters, tell_half_characters
from ...readers.textfiles import read_json_list
from ..spreadsheets import opened_workbook, rows_of, unescaped
from .answers import FAILED, SAMPLE_ID, Answer, as_path, first_of, make_answers

FAILURE = "Failed to obtain answer"
"""How VLMEvalKit begins what it writes in place of an answer that did not come."""
GENERATED, REFERENCES = "res.csv", "gts.csv"
"""Names of R2Gen's two files: what was generated, and the references, line by line."""
_NEEDED = {"text": "prediction", "question": "question", "reference": "answer"}
_OPTIONAL = {"image": "image_path", "key": SAMPLE_ID}
_COLUMNS = frozenset((*_NEEDED.values(), *_OPTIONAL.values()))


def read_vlmevalkit(path: Path) -> list[Answer]:
    """VLMEvalKit's prediction table (.xlsx, .tsv, .json): ``index``, ``question``, ``answer``, ``prediction``.

    ``index`` numbers the kit's own table and is not used. What begins with ``Failed to obtain answer`` is no answer.

    Raises:
        ConfigError: another ending, or no openpyxl for a spreadsheet.
        DataError: not such a file; every damaged record is named.
    """
    readers: dict[str, Callable[[Path], Sequence[Mapping[str, Any]]]] = {
        ".xlsx": _read_xlsx,
        ".tsv": _read_tsv,
        ".json": partial(read_json_list, with_nan=True),
    }
    ending = path.suffix.lower() if path.suffix.lower() in readers else _ending_by_content(path)
    if ending not in readers:
        raise ConfigError(f"{path}: VLMEvalKit writes {', '.join(readers)}")
    rows = list(enumerate(readers[ending](path), 1))
    found = make_answers(path, "row", rows, _NEEDED, _OPTIONAL)
    answers = [
        replace(answer, image=as_path(_one_path(answer.image)), question=answer.question or None) for answer in found
    ]
    return [
        replace(answer, text=None, notes=(FAILED,)) if (answer.text or "").startswith(FAILURE) else answer
        for answer in answers
    ]


def _ending_by_content(path: Path) -> str:
    """What a file would be called whose name does not say it; empty where nothing is known of it."""
    if not path.is_file():
        return ""
    with open_input(path) as file:
        start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"PK"):
        return ".xlsx"
    return ".json" if start.startswith(b"[") else ".tsv" if b"\t" in start.partition(b"\n")[0] else ""


def read_header(path: Path) -> list[str]:
    """Names of the columns of a spreadsheet. Raises as ``read_vlmevalkit``."""
    with opened_workbook(path) as book:
        return [str(unescaped(name)) for name in next(rows_of(book.worksheets[0]), ())]


def pair_of(path: Path) -> tuple[Path, Path] | None:
    """R2Gen's two files, generated and references, where ``path`` is one of them or their folder; else None."""
    folder = path if path.is_dir() else path.parent
    pair = (folder / GENERATED, folder / REFERENCES)
    is_named = path.is_dir() or path.name in (GENERATED, REFERENCES)
    return pair if is_named and all(file.is_file() for file in pair) else None


def read_r2gen(path: Path) -> list[Answer]:
    """R2Gen's ``res.csv`` and ``gts.csv``, one report a line and no header; an empty line is no report.

    Raises:
        ConfigError: ``path`` is neither one of the two nor their folder.
        DataError: the files cannot be read, or do not have one column and as many lines.
    """
    pair = pair_of(path)
    if pair is None:
        raise ConfigError(f"{path}: R2Gen's results are two files, {GENERATED} and {REFERENCES}; give their folder")
    generated, references = (_read_column(file) for file in pair)
    if len(generated) != len(references):
        raise DataError(
            f"{pair[0]} has {len(generated):,} reports and {pair[1]} {len(references):,}; both must be of one run"
        )
    if not generated:
        raise DataError(f"{pair[0]} holds no answers")
    return [
        Answer(f"{GENERATED}, row {number}", text or None, reference=reference)
        for number, (text, reference) in enumerate(zip(generated, references), 1)
    ]


def _one_path(cell: str | None) -> str | None:
    """The first of several paths, which the kit writes as a list of Python; one path as it is."""
    if not cell or not cell.startswith("["):
        return cell or None
    try:
        return str(first_of(ast.literal_eval(cell)))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return cell


def _read_column(path: Path) -> list[str]:
    rows, problems = [], []
    for number, row in enumerate(_read_csv(path, ","), 1):
        if len(row) == 1:
            rows.append(row[0])
        elif row:
            problems.append(f"{path.name}, row {number}: {len(row)} columns, not 1; is this a file of this format?")
    if problems:
        raise DataError(f"{path} is not one report a line", problems)
    return rows


def _read_csv(path: Path, delimiter: str) -> list[list[str]]:
    with open_input(path) as raw, TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            return list(reader)
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: {why(error)}; is a quote astray?") from error
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path} cannot be read: {why(error)}") from error


def _read_xlsx(path: Path) -> list[dict[str, Any]]:
    with opened_workbook(path) as book:
        others = [sheet.title for sheet in book.worksheets[1:] if any(rows_of(sheet))]
        if others:
            raise DataError(f"{path}: VLMEvalKit writes one sheet, and {named(others)} holds something, too; delete it")
        rows = rows_of(book.worksheets[0])
        header = [str(unescaped(name)) for name in next(rows, ())]
        _refuse_twins(path, header)
        found = [
            {name: unescaped(cell) for name, cell in zip_longest(header, row[: len(header)])} for row in rows if row
        ]
    whole, halves = mark_half_characters(found)
    tell_half_characters(str(path), halves)
    return whole


def _refuse_twins(path: Path, header: Sequence[str]) -> None:
    """Raises DataError where two columns that are read have one name: which of them is meant nobody can know."""
    twins = sorted({name for name in header if header.count(name) > 1 and name in _COLUMNS})
    if twins:
        raise DataError(f"{path}: two columns are called {named(twins)}; rename or delete one of the two")


def _read_tsv(path: Path) -> list[dict[str, Any]]:
    """Rows by the names of the header; an empty cell is None, as in a spreadsheet.

    Raises:
        DataError: the file cannot be read, or a row has other columns than the header: a tab or a quote is astray.
    """
    header, *rows = _read_csv(path, "\t") or [[]]
    _refuse_twins(path, header)
    filled = [(number, row) for number, row in enumerate(rows, 1) if row]
    problems = [
        f"{path.name}, row {number}: {len(row)} columns, and {len(header)} in the header; is a tab or a quote astray?"
        for number, row in filled
        if len(row) != len(header)
    ]
    if problems:
        raise DataError(f"{path} cannot be read", problems)
    return [{name: cell or None for name, cell in zip(header, row)} for _, row in filled]
