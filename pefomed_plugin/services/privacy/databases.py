"""Texts of SQLite files, as ratings are kept in, and of parquet; the same files with what a visitor makes of them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...errors import ConfigError, DataError, one_line
from ...json_text import JsonFault, parse_json
from ...requirements import Need
from .said import Say, Visit

SQLITE = b"SQLite format 3\0"
PARQUET = b"PAR1"
BESIDE = ("-wal", "-shm", "-journal")
"""Ends the names of files that SQLite keeps beside its own; they are read with it."""
_PYARROW = Need("pyarrow", "parquet files", "pyarrow")


def visit_sqlite(path: Path, visit: Visit, out: Path | None) -> None:
    """Every text of every table. The file itself is not opened, because that would write beside it: a copy is.

    Raises:
        DataError: it is damaged.
    """
    with TemporaryDirectory() as folder:
        copy = Path(folder, "base")
        shutil.copyfile(path, copy)
        for end in BESIDE:
            if Path(f"{path}{end}").is_file():
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
        try:
            with closing(sqlite3.connect(copy, isolation_level=None)) as base:
                base.execute("PRAGMA secure_delete = ON")
                ours = _is_ours(base)
                for table, column, row, value in list(_cells(base)):
                    if ours and column == "at":
                        continue
                    place = f"{table}, row {row}, {column}"
                    changed = visit(str(value), place, column)
                    if out is not None and changed != str(value):
                        base.execute(f"UPDATE {_name(table)} SET {_name(column)} = ? WHERE rowid = ?", (changed, row))
                base.execute("PRAGMA journal_mode = DELETE")
                base.execute("VACUUM")  # what was replaced is in no free page either
        except sqlite3.Error as error:
            raise DataError(f"{path}: a damaged SQLite file ({one_line(error)})") from error
        if out is not None:
            shutil.copyfile(copy, out)


def _is_ours(base: sqlite3.Connection) -> bool:
    """Whether it is a store of ratings, which says when each was given."""
    tables = {name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return {"said", "facts"} <= tables


def _cells(base: sqlite3.Connection) -> Iterator[tuple[str, str, int, Any]]:
    """(table, column, row, value) of all texts, and of whole numbers."""
    for (table,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
        found = base.execute(f"SELECT rowid, * FROM {_name(table)}")
        columns = [one[0] for one in found.description[1:]]
        for row, *values in found:
            for column, value in zip(columns, values):
                if isinstance(value, (str, int)):
                    yield table, column, row, value


def _name(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def visit_parquet(path: Path, visit_value: Any, out: Path | None, say: Say) -> None:
    """Every text of every row.

    Args:
        visit_value: ``visit_value(row, start)`` of a row as JSON has it.

    Raises:
        ConfigError: pyarrow is missing.
        DataError: it is damaged.
    """
    try:
        import pyarrow  # late: optional
        from pyarrow import parquet  # late: optional
    except ImportError:
        raise ConfigError(_PYARROW.message) from None
    try:
        with parquet.ParquetFile(path) as file:
            said = _visit_metadata(file.schema_arrow.metadata or {}, visit_value)
            schema, rows, number = file.schema_arrow.with_metadata(said), [], 0
            for batch in file.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    seen = visit_value(row, f"row {number}, ")
                    rows += [seen] if out is not None else []
        if "binary" in str(schema):
            say("images within parquet were not looked at")
        if out is not None:
            try:
                table = pyarrow.Table.from_pylist(rows, schema=schema)
            except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):  # a number became a text
                table = pyarrow.Table.from_pylist(rows).replace_schema_metadata(said)
            parquet.write_table(table, out)
    except (OSError, pyarrow.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{path}: a damaged parquet file ({type(error).__name__})") from error


def _visit_metadata(metadata: Mapping[bytes, bytes], visit_value: Any) -> dict[str, Any]:
    """What a parquet file says of itself; pandas and datasets keep JSON there."""
    said = {}
    for key, value in metadata.items():
        text = value.decode("utf-8", "replace")
        name = key.decode("utf-8", "replace")
        try:
            held = parse_json(text)
        except JsonFault:
            held = text
        seen = visit_value({name: held}, "metadata, ")
        for new, changed in seen.items():
            as_it_was = text if changed == held else changed
            said[new] = as_it_was if isinstance(as_it_was, str) else json.dumps(as_it_was)
    return said
