from __future__ import annotations

from pathlib import Path

import pytest

from .rows import QUESTIONS, lines


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A release of own data with two questions."""
    folder = tmp_path / "own"
    (folder / "images").mkdir(parents=True)
    fields = ("id", "image", "question", "answer")
    lines(folder / "test.jsonl", [dict(zip(fields, row)) for row in QUESTIONS])
    return folder
