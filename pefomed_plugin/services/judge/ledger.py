"""The ledger of paid replies: append-only JSON lines, on disk before they are used, found again by a key.

An entry is a JSON object with ``key``. A process killed while writing leaves a torn last line; it is dropped when the
ledger is opened again. One process at a time holds a ledger. Entries stay on the disk: memory holds where each begins.
Where the disk is full, or a limit is reached, they are kept in the user's own folder until the ledger is opened again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Callable

from ...environment import state_folder
from ...errors import DataError, why
from ...input_files import refuse_special
from ...json_fields import wrong_fields
from ...json_text import JsonFault, parse_json
from ...storage import SCHEMA
from ..console import say
from ..parallel import lock
from ..private_files import go_on_privately

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
        self._newest: dict[int, int] = {}
        """Hash of a key -> where its newest entry begins, in bytes; two keys of one hash share it."""
        self._earlier: dict[int, int] = {}
        """Where an entry begins -> where the one before it of the same hash begins."""
        self._file: BinaryIO | None = None
        self._reader: BinaryIO | None = None

    def __enter__(self) -> Ledger:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                refuse_special(self.path)
            go_on_privately(self.path)
            self._file = open(self.path, "a+b", buffering=0)
            self._reader = open(self.path, "rb")
        except OSError as error:
            self._close()
            raise DataError(f"cannot open the ledger {self.path}: {why(error)}") from error
        try:
            self._lock(self._file)
            self._load(self._file, self._reader)
            _sync_folder(self.path.parent)
            self._take_in()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def entries(self, key: str) -> Sequence[Entry]:
        """Entries of one key, the oldest first, read from the file."""
        found: list[Entry] = []
        place = self._newest.get(hash(key))
        while place is not None:
            if self._reader is None:
                raise ValueError("the ledger is not open")
            self._reader.seek(place)
            entry = parse_json(self._reader.readline())
            if entry["key"] == key:
                found.append(entry)
            place = self._earlier.get(place)
        return tuple(reversed(found))

    def append(self, entries: Sequence[Entry]) -> None:
        """Add entries; they are on the disk when this returns.

        Raises:
            DataError: the disk is full or gone; what was written before is whole.
        """
        if self._file is None:
            raise ValueError("the ledger is not open")
        if not entries:
            return
        rows = [json.dumps({"schema": SCHEMA, **entry}, ensure_ascii=False) + "\n" for entry in entries]
        lines = [row.encode("utf-8", errors="backslashreplace") for row in rows]
        data = memoryview(b"".join(lines))
        place = self._file.seek(0, os.SEEK_END)
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except BaseException as error:
            with suppress(OSError):
                self._file.truncate(place)  # so that the next line does not begin within a torn one
            if not isinstance(error, OSError):
                raise
            kept = _kept_elsewhere(self._elsewhere, lines)
            fate = f"are kept in {kept} until then" if kept else "and those in flight are asked for again"
            raise DataError(
                f"cannot write the ledger {self.path}: {why(error)}; what stands in it is whole. Start the same "
                f"command again: these {len(entries):,} replies {fate}"
            ) from error
        for entry, line in zip(entries, lines):
            self._note(entry["key"], place)
            place += len(line)

    def _elsewhere(self) -> Path:
        """Where entries are kept that could not be written."""
        name = hashlib.sha256(os.fsencode(os.path.abspath(self.path))).hexdigest()[:16]
        return state_folder() / f"ledger-{name}.jsonl"

    def _take_in(self) -> None:
        """Write what could not be written before."""
        try:
            path = self._elsewhere()
            text = path.read_bytes()
        except (OSError, RuntimeError):
            return  # nothing there, or no home
        entries = [parse_json(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
        fresh = [
            entry for entry in entries if entry not in self.entries(entry["key"])
        ]  # it was killed at the last line
        self.append(fresh)
        path.unlink()
        say(f"{len(fresh):,} replies that {self.path} had no room for were kept in {path}, and are in it now")

    def _note(self, key: str, place: int) -> None:
        before = self._newest.get(hash(key))
        if before is not None:
            self._earlier[place] = before
        self._newest[hash(key)] = place

    def _close(self) -> None:
        for file in (self._reader, self._file):
            if file is not None:
                file.close()
        self._reader = self._file = None

    def _lock(self, file: BinaryIO) -> None:
        try:
            lock(file, self.path, "start only one judge on it at a time", wait=False)
        except BlockingIOError as error:
            raise DataError(
                f"{self.path} is in use by another process; wait for it, or choose another file with --ledger"
            ) from error

    def _load(self, file: BinaryIO, reader: BinaryIO) -> None:
        whole, damaged = 0, []
        for number, line in enumerate(reader, 1):
            if not line.endswith(b"\n"):
                self.torn_bytes = len(line)
                break
            key, problem = _read_entry(line)
            if problem:
                damaged.append(f"{self.path}, line {number}: {problem}; remove the line, its question is asked again")
            else:
                self._note(key, whole)
            whole += len(line)
        if damaged:
            raise DataError(f"the ledger {self.path} is damaged", damaged)
        if self.torn_bytes:
            file.truncate(whole)
            os.fsync(file.fileno())
            reader.seek(0, os.SEEK_END)  # forgets the torn bytes that it read ahead


_FIELDS = {
    **dict.fromkeys(("text", "fault", "returned_model", "system_fingerprint", "server", "endpoint"), "str | None"),
    "key": "str",
    "usage": "Mapping[str, int]",
    "dropped": "list",
    "digit_logprobs": "list",
    "raw": "str",
    "final": "bool",
}
"""Fields that are read back -> what they must be, where they are there."""


def _read_entry(line: bytes) -> tuple[str, str]:
    """The key of a line, and what is wrong with it."""
    try:
        entry = parse_json(line)
    except JsonFault as fault:
        return "", f"not an entry ({fault})"
    wrong = wrong_fields(entry, _FIELDS, ("key",))
    if not wrong and any(count < 0 for count in entry.get("usage", {}).values()):
        wrong = ["usage is below 0"]
    return ("", f"not an entry ({'; '.join(wrong)})") if wrong else (entry["key"], "")


def _kept_elsewhere(find: Callable[[], Path], lines: Sequence[bytes]) -> Path | None:
    """Add lines to a file that is the user's alone; the file, if they are on the disk."""
    try:
        path = find()
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
            before = file.tell()
            try:
                file.writelines(lines)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), before)
                raise
    except (OSError, RuntimeError):  # there is no home
        return None
    return path


def _sync_folder(folder: Path) -> None:
    """Make the new file's name durable, too."""
    handle = os.open(str(folder), os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
