"""Several processes behind one port, each with a model of its own: started, watched, started again, and stopped.

Each listens itself (SO_REUSEPORT), and the system deals connections out. One that dies is said, and replaced; one that
dies before it is ready ends all, as it would again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing import connection
from typing import Any, Callable

from ...environment import variables
from ..console import say
from ..ending import answering
from .metrics_folder import FOLDER, forget

MOST_STARTS = 5
"""Times that one is replaced within ``WITHIN_S``; then all is ended."""
WITHIN_S = 600.0
READY = "ready"
_LOOK_S = 0.2


class Link:
    """What a worker knows of the others; handed to its process."""

    def __init__(self, number: int, of: int, port: int, alive: Any, pipe: Any) -> None:
        self.number, self.of, self.port = number, of, port
        self._alive, self._pipe = alive, pipe

    def counts(self) -> dict[str, int]:
        """How many of them take requests."""
        return {"alive": self._alive.value, "of": self.of}

    def say_ready(self) -> None:
        """To the process that started it."""
        self._pipe.send(READY)

    def call_when_orphaned(self, function: Callable[[], None]) -> None:
        """Call it when the process that started this one is gone."""

        def wait() -> None:
            try:
                self._pipe.recv()
            except (EOFError, OSError):
                function()

        threading.Thread(target=wait, daemon=True, name="parent").start()


class Workers:
    """``count`` processes that run ``work(arguments, link)``.

    Args:
        environments: what each has of its own in its environment.
        on_ready: called when all take requests.
    """

    def __init__(
        self,
        work: Callable[[Any, Link], int],
        arguments: Any,
        port: int,
        environments: Sequence[Mapping[str, str]],
        on_ready: Callable[[], None],
    ) -> None:
        self._work, self._arguments, self._port = work, arguments, port
        self._environments, self._on_ready = environments, on_ready
        self._context = multiprocessing.get_context("spawn")  # nothing of CUDA can be inherited
        self._alive = self._context.Value("i", 0)
        count = len(environments)
        self.processes: list[Any] = [None] * count
        self._pipes: list[Any] = [None] * count
        self._is_ready = [False] * count
        self._starts: list[list[float]] = [[] for _ in range(count)]
        self._signals = 0
        self._passed_on = 0
        self._failed = False
        self._was_ready = False

    def run(self) -> int:
        """Until all have ended; the exit code."""
        with answering(self._note), tempfile.TemporaryDirectory(prefix="pefomed-metrics-") as folder:
            self._folder = folder
            for number in range(len(self.processes)):
                self._start(number)
            while any(self.processes):
                self._look()
        return 1 if self._failed else 0

    def _note(self, *_: Any) -> None:
        self._signals += 1

    def _start(self, number: int) -> None:
        pipe, theirs = self._context.Pipe()
        link = Link(number, len(self.processes), self._port, self._alive, theirs)
        process = self._context.Process(
            target=_run, args=(self._work, self._arguments, link), name=f"worker {number}", daemon=True
        )
        with variables({**self._environments[number], FOLDER: self._folder}):
            process.start()
        theirs.close()
        self.processes[number], self._pipes[number], self._is_ready[number] = process, pipe, False
        self._starts[number].append(time.monotonic())

    def _look(self) -> None:
        """What has happened since."""
        there = [process for process in self.processes if process is not None]
        waiting = [pipe for pipe, ready in zip(self._pipes, self._is_ready) if pipe is not None and not ready]
        connection.wait([*(process.sentinel for process in there), *waiting], _LOOK_S)
        for number, pipe in enumerate(self._pipes):
            if pipe is not None and not self._is_ready[number] and pipe.poll():
                self._hear(number, pipe)
        for number, process in enumerate(self.processes):
            if process is not None and not process.is_alive():
                self._bury(number, process)
        while self._passed_on < self._signals:
            self._passed_on += 1
            self._stop_all()

    def _hear(self, number: int, pipe: Any) -> None:
        try:
            self._is_ready[number] = pipe.recv() == READY
        except (EOFError, OSError):  # it died; its process says so
            return
        self._count()
        if all(self._is_ready) and not self._was_ready:
            self._was_ready = True
            self._on_ready()

    def _count(self) -> None:
        self._alive.value = sum(self._is_ready)

    def _bury(self, number: int, process: Any) -> None:
        """One has ended; whether it is replaced, and what is said."""
        process.join()
        was_ready, code = self._is_ready[number], process.exitcode
        self._pipes[number].close()
        self.processes[number], self._pipes[number], self._is_ready[number] = None, None, False
        self._count()
        forget(process.pid, self._folder)
        if self._signals or self._failed:
            self._failed = self._failed or code != 0
            return
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        recent = [start for start in self._starts[number] if time.monotonic() - start < WITHIN_S]
        if not was_ready or len(recent) > MOST_STARTS:
            why = "before it was ready" if not was_ready else f"for the {len(recent)}th time in {WITHIN_S / 60:.0f} min"
            say(f"error: worker {number} (process {process.pid}) {how} {why}; all are ended")
            self._failed = True
            self._stop_all()
            return
        say(f"worker {number} (process {process.pid}) {how}; what it was answering is lost; another one is started")
        self._start(number)

    def _stop_all(self) -> None:
        for process in self.processes:
            if process is not None and process.is_alive():
                os.kill(process.pid, signal.SIGTERM)


def _run(work: Callable[[Any, Link], int], arguments: Any, link: Link) -> None:
    raise SystemExit(work(arguments, link))
