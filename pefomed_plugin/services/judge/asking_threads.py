"""Whoever answers one question at a time, asked in several threads."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import SimpleQueue

from .chat import Ask, ChatRequest, Gate, Reply, closing_on_error


class AskingThreads:
    """Asks in threads that an ending interpreter does not wait for."""

    def __init__(self, ask: Ask, count: int) -> None:
        self._ask, self._count, self._started = ask, count, 0
        self._waiting: SimpleQueue[tuple[Future, ChatRequest, Gate] | None] = SimpleQueue()

    def start(self, question: ChatRequest, gate: Gate) -> Future[Reply]:
        """Hand a question out."""
        future: Future[Reply] = Future()
        self._waiting.put((future, question, gate))
        if self._started < self._count:
            self._started += 1
            threading.Thread(target=self._work, daemon=True).start()
        return future

    def close(self) -> None:
        """Let every thread end after what it is doing."""
        for _ in range(self._started):
            self._waiting.put(None)

    def _work(self) -> None:
        for future, question, gate in iter(self._waiting.get, None):
            if future.set_running_or_notify_cancel():
                try:
                    with closing_on_error(gate):
                        future.set_result(self._ask(question, gate))
                except BaseException as error:
                    future.set_exception(error)
