"""Tables of releases, streamed: comma CSV with a header, files of ``id<TAB>text`` (both plain or gzipped), and parquet.

Every error names file and line. Parquet copies on Hugging Face are ``data/<split>-00000-of-00003-<hash>.parquet``;
their images stay in the file: a sample names them ``data/<file>.parquet#<row>``, and nothing here decodes a pixel.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..errors import DataError, one_line, why
from ..input_files import lines_of, open_input
from ..requirements import Need
from .image_tree import inside
from .layouts import Release, find

PYARROW = Need("pyarrow", "parquet files", "pyarrow")
_BOM = "\ufeff"
_SHARD = re.compile(r"-(\d+)-of-(\d+)")
_LFS_POINTER = b"version https://git-lfs"


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Pairs of line number (from 1) and line with its end; only LF ends a line, a BOM is dropped, ``.gz`` is unpacked.

    Raises:
        DataError: the file cannot be read, is cut (gzip), or a line is not UTF-8.
    """
    number = 0
    try:
        with open_input(path) as file, gzip.open(file) if path.suffix == ".gz" else nullcontext(file) as unpacked:
            for number, raw in lines_of(unpacked, path):
                line = raw.decode("utf-8")
                yield number, line.lstrip(_BOM) if number == 1 else line
    except UnicodeDecodeError as error:
        words = why(error)  # bytes are counted within the line, which helps nobody
        raise DataError(f"{path}, line {number}: {re.sub('^byte .* is ', '', words)}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{path}: damaged after line {number} ({one_line(error)}); the download is incomplete, fetch the file again"
        ) from error


def read_csv(path: Path, columns: Sequence[str], problems: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
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
                problems.append(
                    f"{path.name}, line {rows.line_num}: {len(cells)} cells, the header has {len(header)}; quote a "
                    "text that holds commas"
                )
    except csv.Error as error:
        raise DataError(
            f"{path}, line {rows.line_num}: not a comma CSV ({one_line(error)}); a quote that never closes, or a cut "
            "file"
        ) from error


def read_tab_pairs(path: Path) -> Iterator[tuple[int, str, str | None]]:
    """Line number, what stands before the first TAB and what stands after it, blanks around both removed.

    No quoting: a quote is a character like any other. A line without TAB gives None; blank lines are left out.

    Raises:
        DataError: as ``read_lines``; or lines end with a carriage return alone, so that many would be one text.
    """
    for number, line in read_lines(path):
        if "\r" in line.rstrip("\r\n"):
            raise DataError(
                f"{path}, line {number}: a carriage return within it, as old programs end lines; convert the file, for "
                "example with tr '\\r' '\\n'"
            )
        key, tab, text = line.partition("\t")
        if line.strip():
            yield number, key.strip(), text.strip() if tab else None


def read_parquet(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Rows of a parquet file, only the named columns, in batches.

    Raises:
        DataError: pyarrow is missing, the file is damaged, or a column is missing.
    """
    try:
        import pyarrow  # late: optional
        from pyarrow import parquet  # late: optional
    except ImportError as error:
        raise DataError(f"{path}: {PYARROW.message}") from error
    try:
        with parquet.ParquetFile(path) as file:
            present = file.schema_arrow.names
            missing = [column for column in columns if column not in present]
            if missing:
                raise DataError(f"{path}: missing column(s) {', '.join(missing)}; found {', '.join(present)}")
            wanted = [*columns, *(column for column in optional if column in present)]
            for batch in file.iter_batches(columns=wanted):
                yield from batch.to_pylist()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: a text is not UTF-8 ({one_line(error)}); fetch the file again") from error
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot read parquet ({one_line(error)}); fetch the file again") from error


def read_shards(
    release: Release, split: str, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pairs of image name and row of one split, shard after shard; ``release.image_root`` is the release folder.

    A missing, doubled or damaged shard, or one without a column of ``columns``, becomes a problem of ``release``;
    columns of ``optional`` are read where they exist.
    """
    shards = find(release.image_root, f"data/{split}-*.parquet")
    release.problems += _missing_shards(split, shards)
    for shard in shards:
        name = "data/" + shard.name
        release.files.append(shard)
        problem = not_a_file_here(release.image_root, name)
        if problem is not None:
            release.problems.append(problem)
            continue
        try:
            for number, row in enumerate(read_parquet(shard, columns, optional)):
                yield f"{name}#{number}", row
        except DataError as error:
            release.problems.append(str(error))


def _missing_shards(split: str, shards: Sequence[Path]) -> list[str]:
    matches = [_SHARD.search(shard.name) for shard in shards]
    found = sorted(int(match[1]) for match in matches if match)
    expected = max((int(match[2]) for match in matches if match), default=0)
    if found == list(range(expected)):
        return []
    return [
        f"data/{split}-*.parquet: expected {expected} files numbered from 0, found {', '.join(map(str, found))}; "
        "fetch the missing ones and keep a single revision"
    ]


def not_a_file_here(root: Path, name: str) -> str | None:
    """What is wrong with a file of a download: a link out of it, or a Git LFS pointer in its place; None: nothing."""
    if inside(root, name) is None:
        return (
            f"{name} is a symbolic link out of {root}; put the file itself there, for example with huggingface-cli "
            "download --local-dir"
        )
    with open(root / name, "rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            return f"{name} is a Git LFS pointer, not the data; run git lfs pull"
    return None


def _wrong_header(path: Path, header: list[str], columns: Sequence[str]) -> str:
    if not header:
        return f"{path}: the file is empty"
    if len(header) == 1:
        for delimiter, name in ((";", "semicolons"), ("\t", "TABs"), ("|", "vertical bars")):
            if delimiter in header[0]:
                return f"{path}: the columns are separated by {name}; save the file with commas"
    missing = [column for column in columns if column not in header]
    return f"{path}: missing column(s) {', '.join(missing)}; found {', '.join(header)}"
