"""Threads that do the same thing to many items, in order and with bounded memory; a lock between processes."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Callable, TypeVar

from ..locks import NoLocks, take
from .console import say_once

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_IN_FLIGHT_PER_WORKER = 4


def map_in_threads(
    function: Callable[[_Item], _Result], items: Iterable[_Item], workers: int
) -> Generator[_Result, None, None]:
    """Results in the order of ``items``; only a few items a worker are under way at any time.

    ``Executor.map`` would queue all items at once. What ``function`` raises is raised here.
    """
    with ThreadPoolExecutor(max_workers=workers) as pool:
        under_way: deque[Future] = deque()
        try:
            for item in items:
                under_way.append(pool.submit(function, item))
                if len(under_way) >= _IN_FLIGHT_PER_WORKER * workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def leave_the_group(_: int = 0) -> None:
    """Of a process that loads data: signals to the run's group, such as Ctrl-C or Slurm's, are the run's to answer.

    A loader that they ended would take the run with it before it has saved. It sees by itself when the run is gone.
    """
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``; other processes wait. It is released when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        lock(file, path, "start only one process that uses it at a time")
        yield


def lock(file: IO[Any], path: Path, advice: str, wait: bool = True, shared: bool = False) -> None:
    """Lock an open file until it is closed; where the system or the file system has no locks, say so with ``advice``.

    Args:
        shared: others may share it, and nobody can have it for himself.

    Raises:
        BlockingIOError: another process holds it, and ``wait`` is false.
    """
    try:
        take(file, wait=wait, shared=shared)
    except NoLocks as error:
        say_once(f"{path} is not locked ({error}); {advice}")
