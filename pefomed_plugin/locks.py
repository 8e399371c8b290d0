"""Locks on open files and folders, which end with the process that holds them, however it ends; and who holds one.

Only the system's own locks (``flock``). Where there are none, ``NoLocks`` says why.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Union

from .json_text import parse_json

try:
    import fcntl
except ImportError:  # a system that has no such locks
    fcntl = None  # type: ignore[assignment]

Handle = Union[int, Any]
"""A file descriptor, or an open file."""


class NoLocks(Exception):
    """The system or the file system has no locks; its text says which."""


def take(handle: Handle, *, wait: bool = True, shared: bool = False) -> None:
    """Lock an open file or folder until it is closed.

    Args:
        shared: together with others that share it, but not with one who has it alone.

    Raises:
        BlockingIOError: another process holds it, and ``wait`` is false.
        NoLocks: there are none here.
    """
    if fcntl is None:
        raise NoLocks("this system has no such locks")
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(handle, how if wait else how | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        raise NoLocks(error.strerror or str(error)) from error


def write_holder(handle: int) -> None:
    """Note in a locked file who holds it: process, machine, since when, and the command."""
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": " ".join([os.path.basename(sys.argv[0] or "python"), *sys.argv[1:]])[:200],
    }
    os.ftruncate(handle, 0)
    os.pwrite(handle, (json.dumps(holder) + "\n").encode(), 0)


def holder_of(path: Path) -> str:
    """Who holds a locked file: ``process 4711 on node3 since 2026-11-27T08:12:00+00:00 (pefomed train ...)``."""
    try:
        holder = parse_json(Path(path).read_bytes().decode("utf-8", "replace"))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']} ({holder['command']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def has_ended(path: Path) -> bool:
    """Where there are no locks: whether the process that a file names was one of this machine and is no more."""
    try:
        holder = parse_json(Path(path).read_bytes())
        if holder["host"] != socket.gethostname():
            return False
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except FileNotFoundError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return False
