"""Ending a process at each of its operations on files, one after the other, and looking at what it leaves.

A child is forked for every operation; an audit hook counts in it and ends it, as SIGKILL would, just before the n-th
takes place. Between two operations on names nothing that stays changes but the contents of open files; for those the
file that is being synced is cut in half.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_OPERATIONS = frozenset(
    ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "os.symlink", "os.chmod", "open")
)
_KILLED, _FAILED = 77, 78
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def killed_at_each(
    action: Callable[[], Any], begin: Callable[[], Any] = lambda: None, most: int = 1000
) -> Iterator[int]:
    """Do ``action`` in a process of its own, again and again, ended at its first operation, its second, ...

    Yields the number of the operation after each kill; ends when ``action`` gets through.

    Args:
        begin: puts things as they are to be before each of them.
    """
    for number in range(most):
        begin()
        child = os.fork()
        if child == 0:
            _die_at(number)
            try:
                action()
            except BaseException:
                traceback.print_exc()
                os._exit(_FAILED)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, _KILLED), f"the action failed by itself at operation {number}"
        if code == 0:
            assert number > 1, "no operation on a file was seen"
            return
        yield number
    raise AssertionError(f"still not through after {most} operations")


def _die_at(number: int) -> None:
    left = number

    def count() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _OPERATIONS or (event == "open" and not _writes(arguments)):
            return
        if count():
            os._exit(_KILLED)

    def half_synced(handle: int) -> None:
        if count():
            os.ftruncate(handle, os.fstat(handle).st_size // 2)
            os._exit(_KILLED)

    os.fsync = half_synced
    sys.addaudithook(hook)


def _writes(arguments: tuple[Any, ...]) -> bool:
    """Of an ``open``: (path, mode, flags)."""
    flags = arguments[2] if len(arguments) > 2 else 0
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
