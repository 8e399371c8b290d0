"""Images inside parquet and arrow files, as Hugging Face data sets ship them, row by row, through pyarrow (extra
``parquet``). Gives encoded bytes.

A sample names them ``data/train-0.parquet#17`` (column ``image``), ``...#17:scan`` (column ``scan``) or
``...#17:scans:1`` (the second of its list); marks in a column's name are written as in an address (``%3A``).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from ...errors import one_line
from .faults import UnusableImage

_ADDRESS = re.compile(r"(?P<file>.+\.(?:parquet|arrow))#(?P<row>\d+)(?::(?P<column>[^:/]+)(?::(?P<item>\d+))?)?")
_ROW_GROUPS_KEPT = 2
_COLUMN = "image"
_MOST_BYTES = 2**31
"""Of the images of one row group; two row groups are kept."""


class Address(NamedTuple):
    """Where an embedded image stands."""

    file: str
    row: int
    """From 0."""
    column: str = _COLUMN
    item: int | None = None
    """Of a list of images, from 0; None where the column holds one."""

    def __str__(self) -> str:
        item = "" if self.item is None else f":{self.item}"
        column = f":{quote(self.column, safe='')}" if item or self.column != _COLUMN else ""
        return f"{self.file}#{self.row}{column}{item}"


def split_address(image: str) -> Address | None:
    """``data/train-0.parquet#17`` -> file, row, column, item; None for anything else."""
    match = _ADDRESS.fullmatch(image)
    if match is None:
        return None
    item = match["item"]
    return Address(match["file"], int(match["row"]), unquote(match["column"] or _COLUMN), int(item) if item else None)


def read_embedded(path: Path, row: int, column: str = _COLUMN, item: int | None = None) -> bytes:
    """The encoded image of one row: its column, either ``struct{bytes, path}`` or binary, or a list of those.

    The last row groups are kept in memory, so that reading in file order costs each of them once.

    Raises:
        UnusableImage: pyarrow missing, file damaged, no such column or row, or a row that only names a path.
    """
    where = str(Address(str(path), row, column, item))
    try:
        import pyarrow  # late: optional
    except ImportError as error:
        raise UnusableImage(where, "parquet needs pyarrow", "pip install pyarrow") from error
    try:
        stamp = path.stat().st_mtime_ns
        starts = (_batch_starts if path.suffix == ".arrow" else _row_group_starts)(path, stamp, column)
        if row >= starts[-1]:
            raise UnusableImage(
                where,
                "no such row",
                "the samples were read from another copy, read them again",
                f"the file has {starts[-1]}",
            )
        group = bisect_right(starts, row) - 1
        values = (_batch if path.suffix == ".arrow" else _row_group)(path, stamp, group, column)
        value = values[row - starts[group]].as_py()
    except (pyarrow.ArrowException, OSError) as error:
        raise UnusableImage(where, "cannot read parquet", "fetch the file again", one_line(error)) from error
    if item is not None:
        value = value[item] if isinstance(value, list) and item < len(value) else None
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes) or not data:
        raise UnusableImage(where, "no image bytes in this row", "use the copy of the data set with embedded images")
    return data


@lru_cache(maxsize=64)
def _row_group_starts(path: Path, stamp: int, column: str) -> list[int]:
    """First row of each row group, and the number of rows as the last item. ``stamp`` only tells versions apart."""
    from pyarrow import parquet  # late: optional

    with parquet.ParquetFile(path) as file:
        _need_column(path, column, file.schema_arrow.names)
        counts = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    return [0, *accumulate(counts)]


@lru_cache(maxsize=_ROW_GROUPS_KEPT)
def _row_group(path: Path, stamp: int, group: int, column: str) -> Any:
    from pyarrow import parquet  # late: optional

    with parquet.ParquetFile(path) as file:
        rows = file.metadata.row_group(group)
        columns = (rows.column(number) for number in range(rows.num_columns))
        size = sum(part.total_uncompressed_size for part in columns if part.path_in_schema.split(".")[0] == column)
        if size > _MOST_BYTES:
            raise UnusableImage(
                str(path),
                f"a row group of {size / 2**30:.1f} GiB of images",
                "write the file anew with smaller row groups (pyarrow: row_group_size=100)",
                f"at most {_MOST_BYTES / 2**30:.0f} GiB are unpacked at a time",
            )
        return file.read_row_group(group, columns=[column]).column(column)


@lru_cache(maxsize=64)
def _batch_starts(path: Path, stamp: int, column: str) -> list[int]:
    """As ``_row_group_starts``, of the record batches of an arrow file."""
    batches = read_batches(path)
    _need_column(path, column, batches[0].schema.names if batches else [])
    return [0, *accumulate(batch.num_rows for batch in batches)]


def _batch(path: Path, stamp: int, group: int, column: str) -> Any:
    return _batches(path, stamp)[group].column(column)


@lru_cache(maxsize=8)
def _batches(path: Path, stamp: int) -> list[Any]:
    return read_batches(path)


def read_batches(path: Path) -> list[Any]:
    """Record batches of an arrow file (stream format, as ``datasets`` writes it), mapped into memory, not read.

    Raises:
        UnusableImage: what is packed in it unpacks to more than ``_MOST_BYTES``, which no file of ``datasets`` does.
        pyarrow.ArrowException: no such file.
    """
    import pyarrow  # late: optional

    batches, size, limit = [], 0, max(path.stat().st_size, _MOST_BYTES)
    with pyarrow.memory_map(str(path)) as source, pyarrow.ipc.open_stream(source) as reader:
        for batch in reader:
            batch.validate(full=True)  # offsets out of a damaged file would be followed to wherever they lead
            size += batch.nbytes
            if size > limit:
                raise UnusableImage(
                    str(path),
                    "unpacks to too much",
                    "write it anew with save_to_disk",
                    f"more than {limit / 2**30:.1f} GiB",
                )
            batches.append(batch)
    return batches


def _need_column(path: Path, column: str, names: Sequence[str]) -> None:
    if column not in names:
        raise UnusableImage(
            str(path),
            f"no column {column!r}",
            "use the copy of the data set with embedded images",
            f"only {', '.join(names)}",
        )
