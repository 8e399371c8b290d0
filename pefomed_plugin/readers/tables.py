"""Delimited text of releases, plain or gzipped, streamed: comma CSV with a header, and files of ``id<TAB>text``.

Every error names file and line. Knows nothing of samples.
"""

import csv
import gzip
import zlib
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from ..errors import DataError, one_line

_BOM = "\ufeff"


def read_lines(path: Path) -> Iterator[Tuple[int, str]]:
    """Pairs of line number (from 1) and line with its end; only LF ends a line, a BOM is dropped, ``.gz`` is unpacked.

    Raises:
        DataError: the file cannot be read, is cut (gzip), or a line is not UTF-8.
    """
    number = 0
    try:
        with (gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb")) as file:
            for number, raw in enumerate(file, 1):
                line = raw.decode("utf-8")
                yield number, line.lstrip(_BOM) if number == 1 else line
    except UnicodeDecodeError as error:
        raise DataError("{}, line {}: not UTF-8; convert the file, for example with iconv -f latin1 -t utf-8"
                        .format(path, number)) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError("{}: damaged after line {} ({}); the download is incomplete, fetch the file again"
                        .format(path, number, one_line(error))) from error
    except OSError as error:
        raise DataError("cannot read {}: {}".format(path, error.strerror or error)) from error


def read_csv(path: Path, columns: Sequence[str], problems: List[str]) -> Iterator[Tuple[int, Dict[str, str]]]:
    """Pairs of line number and row of a comma CSV whose header has at least ``columns``, in any order.

    Blanks around column names are removed, cells stay as they are, blank lines are left out. A row with more or fewer
    cells than the header becomes a line of ``problems``.

    Raises:
        DataError: a column is missing, or quotes are not balanced.
    """
    rows = csv.reader((line for _, line in read_lines(path)), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        if any(column not in header for column in columns):
            raise DataError(_wrong_header(path, header, columns))
        for cells in rows:
            if len(cells) == len(header):
                yield rows.line_num, dict(zip(header, cells))
            elif cells:
                problems.append("{}, line {}: {} cells, the header has {}; quote a text that holds commas"
                                .format(path.name, rows.line_num, len(cells), len(header)))
    except csv.Error as error:
        raise DataError("{}, line {}: not a comma CSV ({}); a quote that never closes, or a cut file"
                        .format(path, rows.line_num, one_line(error))) from error


def read_tab_pairs(path: Path) -> Iterator[Tuple[int, str, Optional[str]]]:
    """Line number, what stands before the first TAB and what stands after it, blanks around both removed.

    No quoting: a quote is a character like any other. A line without TAB gives None; blank lines are left out.
    """
    for number, line in read_lines(path):
        key, tab, text = line.partition("\t")
        if line.strip():
            yield number, key.strip(), text.strip() if tab else None


def read_parquet(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Dict[str, Any]]:
    """Rows of a parquet file, only the named columns, in batches.

    Raises:
        DataError: pyarrow is missing, the file is damaged, or a column is missing.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise DataError("{}: parquet needs pyarrow; pip install 'pefomed_plugin[parquet]'".format(path)) from error
    try:
        with parquet.ParquetFile(path) as file:
            present = file.schema_arrow.names
            missing = [column for column in columns if column not in present]
            if missing:
                raise DataError("{}: missing column(s) {}; found {}"
                                .format(path, ", ".join(missing), ", ".join(present)))
            wanted = [*columns, *(column for column in optional if column in present)]
            for batch in file.iter_batches(columns=wanted):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError("{}: cannot read parquet ({}); fetch the file again"
                        .format(path, one_line(error))) from error


def _wrong_header(path: Path, header: List[str], columns: Sequence[str]) -> str:
    if not header:
        return "{}: the file is empty".format(path)
    if len(header) == 1:
        for delimiter, name in ((";", "semicolons"), ("\t", "TABs"), ("|", "vertical bars")):
            if delimiter in header[0]:
                return "{}: the columns are separated by {}; save the file with commas".format(path, name)
    missing = [column for column in columns if column not in header]
    return "{}: missing column(s) {}; found {}".format(path, ", ".join(missing), ", ".join(header))
