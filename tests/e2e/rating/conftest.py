"""A rating page that ends with its test."""

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
