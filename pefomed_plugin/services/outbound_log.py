"""The log of what leaves this machine: a line a request, in a file that turns at a certain size, one older one kept.

Whoever adds to it or reads it holds the folder's lock meanwhile, so that no process turns it under another's hands.
Lines are numbered: the first one that is left says how many went with files before.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from ..environment import state_folder
from ..errors import DataError, why
from ..input_files import read_bytes, refuse_special, special_kind
from ..json_text import JsonFault, parse_json
from ..locks import NoLocks, take

LOG, OLDER = "outbound.jsonl", "outbound.1.jsonl"
MOST_BYTES = 4 * 2**20
"""Of each of the two files: some 20,000 requests."""
_TAIL_BYTES = 2**12
"""Of a file that are read for its last line, which is shorter mostly."""
_HELD = {"time": str, "host": str, "bytes": int, "texts": int}
"""What every line of the log holds; whoever shows it counts on that."""
_NUMBER = "number"
"""Of a line: how many requests there were up to this one."""
_writing = Lock()


def log_path() -> Path:
    """Where requests are noted; the file need not be there."""
    return state_folder() / LOG


def older_path() -> Path:
    """The file that was turned last, beside the one that the log is (a link is followed); it need not be there."""
    return Path(os.path.realpath(log_path())).with_name(OLDER)


def check_writable() -> None:
    """Raises DataError where nothing could be noted."""
    with _writing:
        os.close(_open())


def append(entry: Mapping[str, Any]) -> None:
    """Add a line, whole or not at all.

    Raises:
        DataError: it cannot be written.
    """
    with _writing:
        os.close(_open())  # its folder, which is locked, is there
        with _alone(shared=False) as is_alone:
            try:
                line = (json.dumps({**entry, _NUMBER: _next_number()}, ensure_ascii=False) + "\n").encode()
                _write(line, is_alone)
            except OSError as error:
                raise _cannot_note(error) from error


def _write(line: bytes, is_alone: bool) -> None:
    held = log_path().stat().st_size
    if is_alone and held and held + len(line) > MOST_BYTES:
        _turn()
    handle = _open()
    try:
        size = os.fstat(handle).st_size
        if os.write(handle, line) != len(line):  # one write at the end: processes do not mix their lines
            if is_alone:
                os.ftruncate(handle, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(handle)


def read_log() -> tuple[list[dict[str, Any]], int]:
    """All that has left and is still noted, the oldest first, and how many requests before are not any more.

    Raises:
        DataError: a line is none of ours.
    """
    with _alone(shared=True):
        entries = [entry for path in (older_path(), log_path()) for entry in _read(path)]
    first = entries[0].get(_NUMBER) if entries else None
    return entries, max(first - 1, 0) if isinstance(first, int) else 0


def names_of(noted: str) -> set[str]:
    """What a host of the log may be called: as it was noted, without its port, and of a proxy either of the two."""
    hosts = {noted, *noted.split(" through the proxy ")}
    return {*hosts, *(re.sub(r":\d+$", "", host).strip("[]") for host in hosts)}


def _read(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        try:
            entry = parse_json(line)
        except JsonFault as fault:
            raise DataError(f"{path}, line {number}: {fault}; remove the line") from None
        if not isinstance(entry, dict) or any(not isinstance(entry.get(name), kind) for name, kind in _HELD.items()):
            raise DataError(f"{path}, line {number}: no entry of this log; remove the line")
        yield entry


def _next_number() -> int:
    """By the last line that there is; of a log without numbers by its lines."""
    for path in (log_path(), older_path()):
        size = path.stat().st_size if path.is_file() else 0
        if size:
            with open(path, "rb") as file:
                file.seek(max(0, size - _TAIL_BYTES))
                _, is_whole, last = file.read().rstrip(b"\n").rpartition(b"\n")
                file.seek(0)
                try:
                    return int(parse_json(last if is_whole else file.read().splitlines()[-1])[_NUMBER]) + 1
                except (JsonFault, IndexError, KeyError, TypeError, ValueError):
                    file.seek(0)
                    return sum(1 for _ in file) + 1
    return 1


def _turn() -> None:
    """Make the log the older file, in the place of the one before. Where that cannot be done it goes on growing, as
    where somebody has made it append-only.
    """
    older = older_path()
    with suppress(OSError):
        if not older.exists() or special_kind(older) is None:
            os.replace(os.path.realpath(log_path()), older)


@contextmanager
def _alone(*, shared: bool) -> Iterator[bool]:
    """Hold the lock of the log's folder; whether there is one."""
    folder = older_path().parent
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        yield False
        return
    try:
        try:
            take(handle, shared=shared)
            is_alone = True
        except NoLocks:
            is_alone = False
        yield is_alone
    finally:
        os.close(handle)


def _open() -> int:
    path = log_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            refuse_special(path)
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        mode = os.fstat(handle)
        if mode.st_uid == os.getuid() and mode.st_mode & 0o077:  # hosts and data sets are nobody else's to read
            os.fchmod(handle, 0o600)
        return handle
    except OSError as error:
        raise _cannot_note(error) from error


def _cannot_note(error: OSError) -> DataError:
    return DataError(
        f"{log_path()}: {why(error)}; nothing is sent that cannot be noted there; set XDG_STATE_HOME to a folder that "
        "can be written"
    )
