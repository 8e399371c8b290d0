"""Whether another request may leave, and how long to wait first; shared by the threads that ask one server."""

from __future__ import annotations

import threading
import time


class Halted(Exception):
    """The gate is closed: interrupted, a limit was reached, or somebody found that nothing can be answered."""


class Gate:
    """Lets requests through until it is closed or ``max_requests`` have passed; a pause holds all of them back."""

    def __init__(self, max_requests: int | None = None) -> None:
        self.passed = 0
        """Requests let through so far."""
        self.reason: str | None = None
        """Why it was closed."""
        self._max_requests = max_requests
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._open_at_s = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether nothing more may leave."""
        return self._closed.is_set()

    def enter(self) -> None:
        """Wait for the end of a pause, then count one request.

        Raises:
            Halted: it may not leave.
        """
        while not self.is_closed and self._open_at_s > time.monotonic():
            self._closed.wait(self._open_at_s - time.monotonic())
        with self._lock:
            if self._max_requests is not None and self.passed >= self._max_requests:
                self.close(f"--max-requests {self._max_requests} reached")
            if self.is_closed:
                raise Halted(self.reason)
            self.passed += 1

    def sleep(self, seconds: float) -> None:
        """Wait before a repeat. Raises Halted when the gate is closed meanwhile."""
        if self._closed.wait(seconds):
            raise Halted(self.reason)

    def pause_all(self, seconds: float) -> None:
        """Hold every thread's next request back, as a server asked for."""
        with self._lock:
            self._open_at_s = max(self._open_at_s, time.monotonic() + seconds)

    def close(self, reason: str) -> None:
        """Let nothing more through; the first reason stays."""
        self.reason = self.reason or reason
        self._closed.set()
