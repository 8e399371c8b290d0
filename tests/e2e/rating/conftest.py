"""Rating pages and their servers that end with their tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from .page import Served


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """``serve(predictions, *arguments)``; what was started ends with the test."""
    running: list[Served] = []

    def start(*given: Any) -> Served:
        running.append(Served(tmp_path, *given))
        return running[-1]

    yield start
    for served in running:
        served.kill()


@pytest.fixture
def server(tmp_path):
    from .serving import served  # late: skips where a package is missing

    with served(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """One server for all tests that expect it to keep nothing."""
    from .serving import served  # late: skips where a package is missing

    with served(tmp_path_factory.mktemp("strict")) as running:
        yield running
