"""The rows of files that ``datasets`` wrote: texts as they are, class labels by their names, images as addresses into
the file. No image's bytes are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError, one_line, quoted
from ...readers.tables import PYARROW, not_a_file_here
from ..images.faults import UnusableImage
from ..images.parquet_images import Address, read_batches
from .hub_classes import class_names
from .tables import Table

_NO_CLASS = -1
"""Of a class label: nobody knows it."""


def read_part(root: Path, files: Sequence[Path], split: str) -> Table:
    """The rows of a split; an image becomes the address of where it is.

    Args:
        root: folder that addresses are relative to.

    Raises:
        DataError: pyarrow is missing, or a file is no file here, or damaged.
    """
    try:
        import pyarrow  # late: optional
    except ImportError as error:
        raise DataError(f"{files[0]}: {PYARROW.message}") from error
    table: Table | None = None
    classes: set[str] = set()
    for path in files:
        name = path.relative_to(root).as_posix()
        problem = not_a_file_here(root, name)
        if problem:
            raise DataError(problem)
        try:
            schema, rows = (_arrow_rows if path.suffix == ".arrow" else _parquet_rows)(path)
            names = class_names(path, schema)
            classes |= set(names)
            if table is None:
                table = Table(path, schema.names, [], [], is_numbered=True)
            if list(schema.names) != list(table.header):
                raise DataError(f"{path}: other columns than {table.path.name}; keep the files of a single revision")
            for number, row in enumerate(rows):
                cells = {column: _cell(name, number, column, value, names) for column, value in row.items()}
                table.rows.append((f"{name}, row {number}", cells))
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read ({one_line(error)}); fetch the file again") from error
        except UnusableImage as error:
            raise DataError(str(error)) from error
    if table is None:
        raise DataError(f"{root}: no files of the split {split}")
    if classes:
        table.said.append(f"class labels read by their names: {', '.join(sorted(classes))}")
    return table


class _Embedded:
    """In place of an image's bytes: that there is one, and how many in a list."""

    def __init__(self, count: int | None = None) -> None:
        self.count = count


def _cell(file: str, row: int, column: str, value: Any, names: Mapping[str, Sequence[str]]) -> Any:
    if isinstance(value, _Embedded):
        if value.count is None:
            return str(Address(file, row, column))
        return [str(Address(file, row, column, item)) for item in range(value.count)]
    if column in names:
        labels = names[column]
        if value is None or value == _NO_CLASS:
            return ""
        if not isinstance(value, int) or not 0 <= value < len(labels):
            raise DataError(
                f"{file}, row {row}: {column} is {quoted(value)}, and its classes are numbered from 0 to "
                f"{len(labels) - 1}; keep file and names of a single revision"
            )
        return labels[value]
    return value


def _parquet_rows(path: Path) -> tuple[Any, Iterator[dict[str, Any]]]:
    """Schema and rows, images as ``_Embedded`` or, where the file only names them, as their path; no pixels are
    read."""
    from pyarrow import parquet  # late: optional

    file = parquet.ParquetFile(path)
    schema = file.schema_arrow
    leaves = [file.schema.column(number).path for number in range(len(file.schema.names))]
    images = {field.name: _image_kind(field.type) for field in schema if _image_kind(field.type)}
    linked = {name for name, kind in images.items() if kind == "struct" and _only_names(file, schema, name)}
    wanted = [leaf for leaf in leaves if leaf.split(".")[0] not in images]
    wanted += [leaf for leaf in leaves if leaf.split(".")[0] in images and not leaf.endswith(".bytes")]

    def rows() -> Iterator[dict[str, Any]]:
        with file:
            binary = [name for name, kind in images.items() if kind == "binary"]
            columns = [leaf for leaf in wanted if leaf.split(".")[0] not in binary]
            for number in range(file.num_row_groups):
                for batch in file.iter_batches(row_groups=[number], columns=columns, batch_size=256):
                    for row in batch.to_pylist():
                        yield {name: _value(name, row.get(name), images, linked) for name in schema.names}

    return schema, rows()


def _arrow_rows(path: Path) -> tuple[Any, Iterator[dict[str, Any]]]:
    """As ``_parquet_rows``, of an arrow file, which is mapped into memory."""
    batches = read_batches(path)
    if not batches:
        raise DataError(f"{path}: no rows; save the data set again")
    schema = batches[0].schema
    images = {field.name: _image_kind(field.type) for field in schema if _image_kind(field.type)}

    def rows() -> Iterator[dict[str, Any]]:
        for batch in batches:
            plain = {name: batch.column(name).to_pylist() for name in schema.names if name not in images}
            paths = {name: _paths(batch.column(name), kind) for name, kind in images.items()}
            for number in range(batch.num_rows):
                row = {name: values[number] for name, values in plain.items()}
                row.update({name: values[number] for name, values in paths.items()})
                yield {name: row[name] for name in schema.names}

    return schema, rows()


def _paths(column: Any, kind: str) -> list[Any]:
    """Of a column of images what ``_value`` makes of each, without their bytes."""
    if kind == "binary":
        return [_Embedded()] * len(column)
    if kind == "struct":
        has_bytes = column.field("bytes").is_valid().to_pylist()
        named = column.field("path").to_pylist()
        return [_Embedded() if has else path or "" for has, path in zip(has_bytes, named)]
    return [_Embedded(count or 0) for count in column.value_lengths().to_pylist()]


def _value(name: str, value: Any, images: Mapping[str, str], linked: set[str]) -> Any:
    kind = images.get(name, "")
    if not kind:
        return value
    if kind == "list":
        return _Embedded(len(value or ()))
    if name in linked:
        return str((value or {}).get("path") or "")
    return _Embedded()


def _image_kind(kind: Any) -> str:
    """``struct`` (bytes and path), ``binary``, ``list`` of either; empty for what is no image."""
    from pyarrow import types  # late: optional

    if types.is_struct(kind):
        return "struct" if {"bytes", "path"} <= {kind.field(number).name for number in range(kind.num_fields)} else ""
    if types.is_binary(kind) or types.is_large_binary(kind):
        return "binary"
    if types.is_list(kind) or types.is_large_list(kind):
        return "list" if _image_kind(kind.value_type) == "struct" else ""
    return ""


def _only_names(file: Any, schema: Any, column: str) -> bool:
    """Whether a column of images holds no bytes, by its type or the statistics of the file; False where none says
    it."""
    kind, leaf = schema.field(column).type, f"{column}.bytes"
    if str(kind.field(kind.get_field_index("bytes")).type) == "null":
        return True
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        found = [
            group.column(place) for place in range(group.num_columns) if group.column(place).path_in_schema == leaf
        ]
        statistics = found[0].statistics if found else None
        if statistics is None or statistics.null_count != group.num_rows:
            return False
    return bool(file.num_row_groups)
