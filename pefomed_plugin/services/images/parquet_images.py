"""Images inside parquet files, as Hugging Face data sets ship them: column ``image``, row by row, through pyarrow
(extra ``parquet``). Gives encoded bytes."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from ...errors import one_line
from .faults import UnusableImage

_ADDRESS = re.compile(r"(?P<file>.+\.parquet)#(?P<row>\d+)")
_ROW_GROUPS_KEPT = 2
_COLUMN = "image"
_MOST_BYTES = 2**31
"""Of the images of one row group; two row groups are kept."""


def split_address(image: str) -> tuple[str, int] | None:
    """``data/train-0.parquet#17`` -> file and row (from 0); None for anything else."""
    match = _ADDRESS.fullmatch(image)
    return (match["file"], int(match["row"])) if match else None


def read_embedded(path: Path, row: int) -> bytes:
    """The encoded image of one row: column ``image``, either ``struct{bytes, path}`` or binary.

    The last row groups are kept in memory, so that reading in file order costs each of them once.

    Raises:
        UnusableImage: pyarrow missing, file damaged, no such column or row, or a row that only names a path.
    """
    where = f"{path}#{row}"
    try:
        import pyarrow  # late: optional
    except ImportError as error:
        raise UnusableImage(where, "parquet needs pyarrow", "pip install pyarrow") from error
    try:
        stamp = path.stat().st_mtime_ns
        starts = _row_group_starts(path, stamp)
        if row >= starts[-1]:
            raise UnusableImage(
                where,
                "no such row",
                "the samples were read from another copy, read them again",
                f"the file has {starts[-1]}",
            )
        group = bisect_right(starts, row) - 1
        value = _row_group(path, stamp, group)[row - starts[group]].as_py()
    except (pyarrow.ArrowException, OSError) as error:
        raise UnusableImage(where, "cannot read parquet", "fetch the file again", one_line(error)) from error
    data = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(data, bytes) or not data:
        raise UnusableImage(where, "no image bytes in this row", "use the copy of the data set with embedded images")
    return data


@lru_cache(maxsize=64)
def _row_group_starts(path: Path, stamp: int) -> list[int]:
    """First row of each row group, and the number of rows as the last item. ``stamp`` only tells versions apart."""
    from pyarrow import parquet  # late: optional

    with parquet.ParquetFile(path) as file:
        if _COLUMN not in file.schema_arrow.names:
            raise UnusableImage(
                str(path),
                "no column 'image'",
                "use the copy of the data set with embedded images",
                f"only {', '.join(file.schema_arrow.names)}",
            )
        counts = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    return [0, *accumulate(counts)]


@lru_cache(maxsize=_ROW_GROUPS_KEPT)
def _row_group(path: Path, stamp: int, group: int) -> Any:
    from pyarrow import parquet  # late: optional

    with parquet.ParquetFile(path) as file:
        rows = file.metadata.row_group(group)
        columns = (rows.column(number) for number in range(rows.num_columns))
        size = sum(column.total_uncompressed_size for column in columns if column.path_in_schema.startswith(_COLUMN))
        if size > _MOST_BYTES:
            raise UnusableImage(
                str(path),
                f"a row group of {size / 2**30:.1f} GiB of images",
                "write the file anew with smaller row groups (pyarrow: row_group_size=100)",
                f"at most {_MOST_BYTES / 2**30:.0f} GiB are unpacked at a time",
            )
        return file.read_row_group(group, columns=[_COLUMN]).column(_COLUMN)
