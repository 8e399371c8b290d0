"""What tells a process to end: Ctrl-C, SIGTERM (``kill``, a scheduler, a container), SIGHUP (its terminal is closed).

One that is ignored stays so: a shell begins with SIGINT ignored what it runs in the background, ``nohup`` SIGHUP.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Callable

_HANGUP: int = getattr(signal, "SIGHUP", 0)
"""0 where the system has none."""
_ALL = tuple(number for number in (signal.SIGINT, signal.SIGTERM, _HANGUP) if number)


class Ended(KeyboardInterrupt):
    """The process was told to end; whatever does something at Ctrl-C does it now."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
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

    The system would end the process at once. Processes forked from this one are ended as before.
    """
    owner = os.getpid()

    def end(number: int, _: FrameType | None) -> None:
        if os.getpid() != owner:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        raise Ended(number)

    with _handling([number for number in _ALL if signal.getsignal(number) == signal.SIG_DFL], end):
        yield


def exit_code_of(error: KeyboardInterrupt) -> int:
    """As shells say it: 128 and the signal's number."""
    return 128 + int(error.number if isinstance(error, Ended) else signal.SIGINT)


@contextmanager
def _handling(numbers: Any, handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if number == _HANGUP:
            _let_go_of_the_terminal()
        handler(number, frame)

    before = {number: signal.signal(number, handle) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield
    finally:
        for number, one in before.items():
            signal.signal(number, one)


def _let_go_of_the_terminal() -> None:
    """What is printed to a terminal that is gone is an error, which would come before the run has saved."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            descriptor = stream.fileno()
            if stat.S_ISCHR(os.fstat(descriptor).st_mode) and not os.isatty(descriptor):  # it was a terminal
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, descriptor)
                os.close(nothing)
