"""What raters have said, in an SQLite file: every answer stays, the last one of a rater on an item in a round counts.

On the disk before ``save`` returns; all by one rubric. Several threads and several processes may write at once.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from ...errors import DataError, one_line
from ...rubrics import Rubric
from .store_file import StoreError, connect, open_store, writing

STORE = "ratings.sqlite"
PAGE, UNDONE = "page", "undone"
"""Where an answer was given; one of a sheet has the sheet's file name."""
_COLUMNS = "number, rating, cannot, comment, origin, at"
_SAVE = (
    "INSERT INTO said (rater, sample_id, round, rating, cannot, comment, origin, at) "
    "VALUES (:rater, :sample_id, :round, :rating, :cannot, :comment, :origin, :at)"
)
_OF_ITEM = (
    f"SELECT {_COLUMNS} FROM said WHERE rater = :rater AND sample_id = :sample_id AND round = :round "
    "ORDER BY number DESC LIMIT 2"
)


@dataclass(frozen=True)
class StoredRating:
    """One rater's word on one item."""

    number: int
    """Of all that was said in this file."""
    rating: int | None
    """None while there is only a comment, and where the rater cannot judge."""
    cannot: bool
    """The rater cannot judge this item."""
    comment: str
    """The rater's words, or nothing."""
    origin: str
    """``PAGE``, ``UNDONE``, or the name of a sheet."""
    at: str
    """When it was said: UTC, ISO 8601."""

    @property
    def is_answer(self) -> bool:
        """Whether the item is done: rated, or declared to be beyond judging."""
        return self.rating is not None or self.cannot


class Saved(NamedTuple):
    """What stands after a ``save``."""

    number: int
    """Of what was said; ``undo`` takes it."""
    comment: str
    """The comment that stands now."""
    before: StoredRating | None
    """What stood until now."""


class Said(NamedTuple):
    """An answer to be kept."""

    rater: str
    sample_id: str
    round: int
    rating: int | None
    cannot: bool
    comment: str
    origin: str


class Progress(NamedTuple):
    """How far one rater is in one round, and nothing of what they said."""

    rater: str
    round: int
    rated: int
    cannot: int
    commented: int
    on_page: int
    on_sheets: int
    last: str


class RatingStore:
    """The file. Use in a ``with`` block, or ``close`` it. One of the first version is taken over where it lies.

    Raises:
        StoreError: it cannot be opened, is not a store of ratings, is one of another version, or holds ratings made
            under another rubric than ``rubric``.
    """

    def __init__(self, path: Path, rubric: Rubric) -> None:
        self.path = Path(path)
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._base = open_store(self.path, rubric)
        with self._told():
            self._reader = connect(self.path)

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
        *,
        cannot: bool = False,
        number: int = 1,
        origin: str = PAGE,
    ) -> Saved:
        """Keep a rating, that somebody cannot judge, a comment, or several of these; what is None stays as it was.

        Args:
            seen: the comment that this one takes the place of. Where another one stands by now, that one is kept.
            cannot: in place of a rating; a rating takes its place again.
            number: of the round.

        Raises:
            StoreError: it could not be written, for example because the disk is full.
        """
        values: dict[str, Any] = {"rater": rater, "sample_id": sample_id, "round": number, "origin": origin}
        with self._told(), self._lock, writing(self._base):  # one connection, several threads
            before = next(self._last_two(values), None)
            old = before or StoredRating(0, None, False, "", origin, "")
            values["rating"], values["cannot"] = old.rating, old.cannot
            if rating is not None or cannot:
                values["rating"], values["cannot"] = (None, True) if cannot else (rating, False)
            is_stale = seen is not None and old.comment != seen
            values["comment"] = old.comment if comment is None or is_stale else comment
            if before and all(values[name] == getattr(old, name) for name in ("rating", "cannot", "comment")):
                return Saved(old.number, old.comment, before)
            return Saved(self._insert(values), values["comment"], before)

    def undo(self, rater: str, sample_id: str, saved: int, number: int = 1) -> StoredRating:
        """Take the rating that ``save`` called ``saved`` back: what stood before stands again, the comment stays.

        Raises:
            StoreError: it could not be written.
            DataError: something else has been said of this item since.
        """
        values: dict[str, Any] = {"rater": rater, "sample_id": sample_id, "round": number, "origin": UNDONE}
        with self._told(), self._lock, writing(self._base):
            found = list(self._last_two(values))
            if not found or found[0].number != saved:
                raise DataError("this rating was changed since, and is not undone")
            old = found[1] if len(found) > 1 else StoredRating(0, None, False, "", UNDONE, "")
            values.update(rating=old.rating, cannot=old.cannot, comment=found[0].comment)
            kept = self._insert(values)
        return StoredRating(kept, old.rating, old.cannot, found[0].comment, UNDONE, "")

    def keep(self, answers: Iterable[Said]) -> None:
        """Keep answers of sheets, all of them or none. Raises StoreError as ``save``."""
        with self._told(), self._lock, writing(self._base):
            for answer in answers:
                self._insert(answer._asdict())

    def _last_two(self, values: dict[str, Any]) -> Iterator[StoredRating]:
        for row in self._base.execute(_OF_ITEM, values).fetchall():
            yield _stored(row)

    def _insert(self, values: dict[str, Any]) -> int:
        at = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return int(self._base.execute(_SAVE, {**values, "at": at}).lastrowid or 0)

    def ratings_of(self, rater: str, number: int = 1) -> dict[str, StoredRating]:
        """What a rater has said in a round, by sample id.

        Raises:
            StoreError: the file cannot be read.
        """
        command = (
            f"SELECT sample_id, {_COLUMNS} FROM said WHERE number IN "
            "(SELECT max(number) FROM said WHERE rater = :rater AND round = :round GROUP BY sample_id)"
        )
        found = self._read(command, {"rater": rater, "round": number})
        return {sample_id: _stored(rest) for sample_id, *rest in found}

    def history(self) -> dict[tuple[str, int, str], list[StoredRating]]:
        """All that was ever said, by rater, round and sample id, the first word first. Raises StoreError."""
        said: dict[tuple[str, int, str], list[StoredRating]] = {}
        for rater, number, sample_id, *rest in self._read(
            f"SELECT rater, round, sample_id, {_COLUMNS} FROM said ORDER BY number", {}
        ):
            said.setdefault((rater, number, sample_id), []).append(_stored(rest))
        return said

    def counts(self, number: int | None = None) -> dict[str, int]:
        """Who has answered how many items of a round, or of all; who only left comments is no rater.

        Raises:
            StoreError: the file cannot be read.
        """
        counts: dict[str, int] = {}
        for found in self.progress():
            if number in (None, found.round) and found.rated + found.cannot:
                counts[found.rater] = counts.get(found.rater, 0) + found.rated + found.cannot
        return counts

    def progress(self) -> list[Progress]:
        """How far everybody is in every round. Raises StoreError."""
        done = "(rating IS NOT NULL OR cannot)"
        of_page = f"origin IN ('{PAGE}', '{UNDONE}')"
        rows = self._read(
            f"SELECT rater, round, count(rating), sum(cannot), sum(comment != ''), sum({done} AND {of_page}), "
            f"sum({done} AND NOT {of_page}), max(at) FROM ratings GROUP BY rater, round ORDER BY rater, round",
            {},
        )
        return [Progress(*row) for row in rows]

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


def _stored(row: Any) -> StoredRating:
    number, rating, cannot, comment, origin, at = row
    return StoredRating(number, rating, bool(cannot), comment, origin, at)
