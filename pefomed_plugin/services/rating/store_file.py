"""The SQLite file of a store of ratings: made or opened, taken over from its first version, and of one rubric."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import DataError, one_line, why
from ...json_text import parse_json
from ...rubrics import Rubric, built_in_rubric, require_same_rubric, rubric_from_json
from ..private_files import go_on_privately

_VERSION = 2
"""2: every answer is kept, in rounds, and whoever cannot judge says so. 1: the last word alone, in ``ratings``."""
_WAIT_S = 30.0
"""How long a writer waits for another process's transaction."""
_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS said (
        number INTEGER PRIMARY KEY,
        rater TEXT NOT NULL,
        sample_id TEXT NOT NULL,
        round INTEGER NOT NULL,
        rating INTEGER CHECK (typeof(rating) IN ('integer', 'null')),
        cannot INTEGER NOT NULL CHECK (cannot IN (0, 1)),
        comment TEXT NOT NULL,
        origin TEXT NOT NULL,
        at TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS said_of ON said (rater, sample_id, round, number)",
    "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)
_FIRST_VERSION = (
    "INSERT INTO said (rater, sample_id, round, rating, cannot, comment, origin, at) "
    "SELECT rater, sample_id, 1, rating, 0, comment, 'page', at FROM ratings ORDER BY at, rowid",
    "DROP TABLE ratings",
)
_VIEW = (
    "CREATE VIEW IF NOT EXISTS ratings AS "
    "SELECT * FROM said WHERE number IN (SELECT max(number) FROM said GROUP BY rater, sample_id, round)"
)


class StoreError(DataError):
    """The file cannot be opened, read or written."""


def open_store(path: Path, rubric: Rubric) -> sqlite3.Connection:
    """A connection to the file, which is made where there is none.

    Raises:
        StoreError: it cannot be opened, is not a store of ratings, is one of another version, or holds ratings made
            under another rubric.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        go_on_privately(path)
        base = connect(path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"cannot open {path}: {why(error)}") from error
    try:
        _prepare(base, path)
        _check_rubric(base, path, rubric)
    except sqlite3.Error as error:
        base.close()
        raise StoreError(
            f"cannot use {path} as a store of ratings: {one_line(error)}; move it away, or choose another folder"
        ) from error
    except DataError:
        base.close()
        raise
    return base


def connect(path: Path) -> sqlite3.Connection:
    """One more connection, for several threads that take turns. Raises sqlite3.Error."""
    return sqlite3.connect(str(path), timeout=_WAIT_S, isolation_level=None, check_same_thread=False)


@contextmanager
def writing(base: sqlite3.Connection) -> Iterator[None]:
    """A transaction: all of it is kept, or, after an exception, nothing. Raises sqlite3.Error."""
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
        base.execute("COMMIT")
    except BaseException:
        if base.in_transaction:
            base.execute("ROLLBACK")
        raise


def _prepare(base: sqlite3.Connection, path: Path) -> None:
    [version] = base.execute("PRAGMA user_version").fetchone()
    [tables] = base.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version not in (1, _VERSION) and (version or tables):
        raise StoreError(
            f"{path} is not a store of ratings, or is of another version of the program; choose another folder"
        )
    base.execute("PRAGMA journal_mode = WAL")  # readers never wait, and a killed process leaves no half write
    base.execute("PRAGMA synchronous = FULL")
    with writing(base):
        [version] = base.execute("PRAGMA user_version").fetchone()  # another process may have been first
        for command in (*_TABLES, *(_FIRST_VERSION if version == 1 else ()), _VIEW):
            base.execute(command)
        base.execute(f"PRAGMA user_version = {_VERSION}")


def _check_rubric(base: sqlite3.Connection, path: Path, rubric: Rubric) -> None:
    """Ratings of one rubric are not added to those of another; a store without ratings takes the new one."""
    with writing(base):
        found = base.execute("SELECT value FROM facts WHERE name = 'rubric'").fetchone()
        [ratings] = base.execute("SELECT count(*) FROM said").fetchone()
        before = rubric_from_json(parse_json(found[0]), str(path)) if found else built_in_rubric(rubric.task)
        if ratings:
            try:
                require_same_rubric(before, rubric, f"the ratings in {path}")
            except DataError as error:
                raise StoreError(error.summary) from None
        if not found or before.digest != rubric.digest:
            base.execute("INSERT OR REPLACE INTO facts VALUES ('rubric', ?)", (json.dumps(rubric.to_json()),))
