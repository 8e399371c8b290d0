from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pefomed_plugin import locks
from pefomed_plugin.services.parallel import locked, map_in_threads


def test_results_keep_the_order_of_the_items() -> None:
    def slow_when_early(number: int) -> int:
        time.sleep(0.01 if number < 3 else 0)
        return number * number

    assert list(map_in_threads(slow_when_early, range(20), workers=4)) == [number * number for number in range(20)]


def test_items_are_drawn_only_as_results_are_taken() -> None:
    drawn = []

    def items() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    results = map_in_threads(str, items(), workers=2)
    assert next(results) == "0"
    assert len(drawn) <= 8


def test_what_the_function_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(map_in_threads(lambda number: 1 // number, [1, 0, 1], workers=2))


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, None])
def test_where_there_are_no_locks_the_work_is_done_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, number: int | None
) -> None:
    def no_locks(*_: Any) -> None:
        assert number is not None
        raise OSError(number, os.strerror(number))

    system = None if number is None else SimpleNamespace(flock=no_locks, LOCK_EX=2, LOCK_SH=1)
    monkeypatch.setattr(locks, "fcntl", system)
    for _ in range(2):
        with locked(tmp_path / "a.lock"):
            pass
    assert capsys.readouterr().err.count("a.lock is not locked") == 1
