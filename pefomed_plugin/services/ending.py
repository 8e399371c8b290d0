"""What tells a process to end: Ctrl-C, SIGTERM (``kill``, a scheduler, a container), SIGHUP (its terminal is closed).

One that is ignored stays so: a shell begins with SIGINT ignored what it runs in the background, ``nohup`` SIGHUP.
"""

from __future__ import annotations

import math
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Callable

FATAL = 128
"""Exit code of what a signal ended, less the signal's number; shells say it so."""
_HANGUP: int = getattr(signal, "SIGHUP", 0)
"""0 where the system has none."""
_ALL = tuple(number for number in (signal.SIGINT, signal.SIGTERM, _HANGUP) if number)
_SAME_S = 0.5
"""Within so long SIGTERM and SIGHUP tell of the same ending: ``timeout`` tells a process and then its group, a launcher
passes on what its group was told, and of a closed terminal shell and system both tell. Each Ctrl-C counts."""


class _Told:
    """That this process was told to end."""

    at = -math.inf
    """By ``time.monotonic``."""


class Ended(KeyboardInterrupt):
    """The process was told to end; whatever does something at Ctrl-C does it now."""

    def __init__(self, number: int) -> None:
        super().__init__(words_of(number))
        self.number = number


@contextmanager
def answering(answer: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Whatever tells this process to end calls ``answer`` with its number.

    In a thread beside the main one nothing changes: Python hands signals to the main one.
    """
    with _handling(_ALL, answer):
        yield


@contextmanager
def unwinding() -> Iterator[None]:
    """SIGTERM and SIGHUP raise ``Ended`` here, as Ctrl-C raises, so that folders for the time being are removed.

    The system would end the process at once.
    """

    def end(number: int, _: FrameType | None) -> None:
        raise Ended(number)

    with _handling([number for number in _ALL if signal.getsignal(number) == signal.SIG_DFL], end):
        yield


@contextmanager
def lent() -> Iterator[None]:
    """Here another program may answer in its own way (torchrun does, and gives nothing back); then it is as before.

    What it was told just before it ended is known afterwards.
    """
    before = {number: signal.getsignal(number) for number in _ALL}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            _give_back(before)
            _Told.at = time.monotonic()


def words_of(number: int) -> str:
    """How something was ended, in words."""
    return "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"


def number_of(error: KeyboardInterrupt) -> int:
    """The signal that it stands for."""
    return int(error.number if isinstance(error, Ended) else signal.SIGINT)


def exit_code_of(error: KeyboardInterrupt) -> int:
    """As shells say it: 128 and the signal's number."""
    return FATAL + number_of(error)


@contextmanager
def _handling(numbers: Any, handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Processes forked from this one are ended as before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            signal.signal(number, before[number] or signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if number == _HANGUP:
            _let_go_of_the_terminal()
        if not _is_known(number):
            handler(number, frame)

    _Told.at = -math.inf
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: one for number, one in before.items() if one != signal.SIG_IGN}
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        _give_back(before)


def _give_back(before: Mapping[int, Any]) -> None:
    """Who answered before; of a handler that was not set through Python (None) nobody can: the system does."""
    for number, handler in before.items():
        signal.signal(number, handler or signal.SIG_DFL)


def _is_known(number: int) -> bool:
    """Whether it was told just now, by another one; notes when it is told."""
    if number == signal.SIGINT:
        return False
    now = time.monotonic()
    if now - _Told.at < _SAME_S:
        return True
    _Told.at = now
    return False


def _let_go_of_the_terminal() -> None:
    """What is printed to a terminal that is gone is an error, which would come before the run has saved."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            descriptor = stream.fileno()
            if stat.S_ISCHR(os.fstat(descriptor).st_mode) and not os.isatty(descriptor):  # it was a terminal
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, descriptor)
                os.close(nothing)
