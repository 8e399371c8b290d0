"""The ledger of paid replies: append-only JSON lines, on disk before they are used, found again by a key.

An entry is a JSON object with ``key``. A process killed while writing leaves a torn last line; it is dropped when the
ledger is opened again. One process at a time holds a ledger.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from ...errors import DataError
from ...storage import SCHEMA
from ..console import say_once

Entry = dict[str, Any]


def ledger_key(content: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON object, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


class Ledger:
    """A ledger on disk; use it as a context manager.

    Raises:
        DataError: on entering: another process holds it, it cannot be read or written, or a line before the last is
            damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.torn_bytes = 0
        """Bytes of a torn last line that were dropped on opening."""
        self._entries: dict[str, list[Entry]] = {}
        self._file: BinaryIO | None = None

    def __enter__(self) -> Ledger:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "a+b", buffering=0)
        except OSError as error:
            raise DataError(f"cannot open the ledger {self.path}: {error.strerror}") from error
        try:
            self._lock(self._file)
            self._load(self._file)
            _sync_folder(self.path.parent)
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def entries(self, key: str) -> Sequence[Entry]:
        """Entries of one key, the oldest first."""
        return self._entries.get(key, ())

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries; they are on the disk when this returns.

        Raises:
            DataError: the disk is full or gone; what was written before is whole.
        """
        if self._file is None:
            raise ValueError("the ledger is not open")
        if not entries:
            return
        lines = [json.dumps({"schema": SCHEMA, **entry}, ensure_ascii=False) + "\n" for entry in entries]
        data = memoryview("".join(lines).encode("utf-8", errors="backslashreplace"))
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise DataError(
                f"cannot write the ledger {self.path}: {error.strerror}; make room and start the same command again"
            ) from error
        for entry in entries:
            self._entries.setdefault(entry["key"], []).append(entry)

    def _lock(self, file: BinaryIO) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(
                f"{self.path} is in use by another process; wait for it, or choose another file with --ledger"
            ) from error
        except OSError as error:
            say_once(f"{self.path} is not locked ({error.strerror}); start only one judge on it at a time")

    def _load(self, file: BinaryIO) -> None:
        file.seek(0)
        whole, damaged = 0, []
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                self.torn_bytes = len(line)
                break
            whole += len(line)
            try:
                entry = json.loads(line)
                self._entries.setdefault(entry["key"], []).append(entry)
            except (ValueError, KeyError, TypeError):
                damaged.append(
                    f"{self.path}, line {number}: not an entry; remove the line, its question is asked again"
                )
        if damaged:
            raise DataError(f"the ledger {self.path} is damaged", damaged)
        if self.torn_bytes:
            file.truncate(whole)
            os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make the new file's name durable, too."""
    handle = os.open(str(folder), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
