"""What the tests of the question and report readers write with. All text in these tests is invented."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

Row = dict[str, Any]


def write_json(path: Path, content: Any, encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding=encoding)


def write_lines(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    """A text file with LF after every line; ``utf-8-sig`` puts a BOM before it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + "\n" for line in lines).encode(encoding))
    return path


def write_parquet(path: Path, rows: Sequence[Row], columns: Sequence[str] = ("question", "answer")) -> None:
    """A file with the columns of the Hugging Face copies; the image bytes are no image, readers must not look."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    table: dict[str, list[Any]] = {"image": [{"bytes": b"not an image", "path": None} for _ in rows]}
    table.update((name, [row.get(name) for row in rows]) for name in columns)
    pq.write_table(pa.table(table), path)
