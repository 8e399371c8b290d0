"""Ratings in an SQLite file: one per rater and item, on the disk before ``save`` returns; all by one rubric.

Several threads and several processes may write at once; the last word of a rater on an item counts.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from ...errors import DataError, one_line, why
from ...json_text import parse_json
from ...rubrics import Rubric, built_in_rubric, require_same_rubric, rubric_from_json
from ..private_files import go_on_privately

STORE = "ratings.sqlite"
_VERSION = 1
_WAIT_S = 30.0
"""How long a writer waits for another process's transaction."""
_TABLE = """
CREATE TABLE IF NOT EXISTS ratings (
    rater TEXT NOT NULL,
    sample_id TEXT NOT NULL,
    rating INTEGER CHECK (typeof(rating) IN ('integer', 'null')),
    comment TEXT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (rater, sample_id))"""
_FACTS = "CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
_SAVE = """
INSERT INTO ratings VALUES (:rater, :sample_id, :rating, coalesce(:comment, ''), :at)
ON CONFLICT (rater, sample_id) DO UPDATE
SET rating = coalesce(:rating, rating), at = :at,
    comment = CASE WHEN :seen IS NULL OR comment = :seen THEN coalesce(:comment, comment) ELSE comment END"""
_COMMENT = "SELECT comment FROM ratings WHERE rater = :rater AND sample_id = :sample_id"


class StoreError(DataError):
    """The file cannot be opened, read or written."""


@dataclass(frozen=True)
class StoredRating:
    """One rater's word on one item."""

    rating: int | None
    """None while there is only a comment."""
    comment: str
    """The rater's words, or nothing."""
    at: str
    """When it was last changed: UTC, ISO 8601."""


class RatingStore:
    """The file. Use in a ``with`` block, or ``close`` it.

    Raises:
        StoreError: it cannot be opened, is not a store of ratings, is one of another version, or holds ratings made
            under another rubric than ``rubric``.
    """

    def __init__(self, path: Path, rubric: Rubric) -> None:
        self.path, self._rubric = Path(path), rubric
        self._lock, self._reading = threading.Lock(), threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            go_on_privately(self.path)
            self._base = self._connect()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"cannot open {self.path}: {why(error)}") from error
        try:
            self._prepare()
            self._reader = self._connect()
        except sqlite3.Error as error:
            self._base.close()
            raise StoreError(
                f"cannot use {self.path} as a store of ratings: {one_line(error)}; move it away, or choose another "
                "folder"
            ) from error
        except StoreError:
            self._base.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(str(self.path), timeout=_WAIT_S, isolation_level=None, check_same_thread=False)

    def _prepare(self) -> None:
        [version] = self._base.execute("PRAGMA user_version").fetchone()
        [tables] = self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version != _VERSION and (version or tables):
            raise StoreError(
                f"{self.path} is not a store of ratings, or is of another version of the program; choose another folder"
            )
        self._base.execute("PRAGMA journal_mode = WAL")  # readers never wait, and a killed process leaves no half write
        self._base.execute("PRAGMA synchronous = FULL")
        self._base.execute(_TABLE)
        self._base.execute(_FACTS)
        self._base.execute(f"PRAGMA user_version = {_VERSION}")
        self._check_rubric()

    def _check_rubric(self) -> None:
        """Ratings of one rubric are not added to those of another; a store without ratings takes the new one."""
        found = self._base.execute("SELECT value FROM facts WHERE name = 'rubric'").fetchone()
        [ratings] = self._base.execute("SELECT count(*) FROM ratings").fetchone()
        before = rubric_from_json(parse_json(found[0]), str(self.path)) if found else built_in_rubric(self._rubric.task)
        if ratings:
            try:
                require_same_rubric(before, self._rubric, f"the ratings in {self.path}")
            except DataError as error:
                raise StoreError(error.summary) from None
        if not found:
            content = json.dumps(self._rubric.to_json())
            self._base.execute("INSERT OR IGNORE INTO facts VALUES ('rubric', ?)", (content,))
        elif before.digest != self._rubric.digest:
            self._base.execute("UPDATE facts SET value = ?", (json.dumps(self._rubric.to_json()),))

    def __enter__(self) -> RatingStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish what is being written and let the file go."""
        with self._lock, self._reading:
            self._base.close()
            self._reader.close()

    def save(
        self,
        rater: str,
        sample_id: str,
        rating: int | None = None,
        comment: str | None = None,
        seen: str | None = None,
    ) -> str:
        """Keep a rating, a comment or both; what is None stays as it was.

        Args:
            seen: the comment that this one takes the place of. Where another one stands by now, that one is kept.

        Returns:
            The comment that stands now.

        Raises:
            StoreError: it could not be written, for example because the disk is full.
        """
        at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        values = {"rater": rater, "sample_id": sample_id, "rating": rating, "comment": comment, "seen": seen, "at": at}
        with self._told(), self._lock:  # one connection, several threads
            self._base.execute("BEGIN IMMEDIATE")
            try:
                self._base.execute(_SAVE, values)
                [kept] = self._base.execute(_COMMENT, values).fetchone()
                self._base.execute("COMMIT")
            except BaseException:
                if self._base.in_transaction:
                    self._base.execute("ROLLBACK")
                raise
        return str(kept)

    def ratings_of(self, rater: str) -> dict[str, StoredRating]:
        """What a rater has said, by sample id.

        Raises:
            StoreError: the file cannot be read.
        """
        found = self._read("SELECT sample_id, rating, comment, at FROM ratings WHERE rater = :rater", {"rater": rater})
        return {sample_id: StoredRating(*rest) for sample_id, *rest in found}

    def counts(self) -> dict[str, int]:
        """Who has rated how many items, by name; who only left comments is no rater.

        Raises:
            StoreError: the file cannot be read.
        """
        return dict(
            self._read(
                "SELECT rater, count(rating) FROM ratings WHERE rating IS NOT NULL GROUP BY rater ORDER BY rater", {}
            )
        )

    def _read(self, command: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Through a connection of its own: with SQLite's write-ahead log, readers do not wait for a writer."""
        with self._told(), self._reading:
            return self._reader.execute(command, values).fetchall()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: {one_line(error)}") from error
