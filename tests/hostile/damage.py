"""Damaged files, made by rule from whole ones: the same every time."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECRET = "carcinoma of Zebedee Quill"
"""Stands in texts of the corpus; no message may quote it."""


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder, with its content; what is no file by its kind alone."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "special"
        for path in sorted(folder.rglob("*"))
        if not path.is_dir()
    }


def _bytes(content: bytes) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        path.write_bytes(content)

    return change


def _text(change: Callable[[str], str]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        path.write_text(change(path.read_text(encoding="utf-8", errors="replace")), encoding="utf-8")

    return apply


def _rows(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """Change the first object of a JSON or JSON-lines file, at whatever depth it stands."""

    def first(value: Any) -> Any:
        if isinstance(value, list):
            return [first(value[0]), *value[1:]] if value else value
        return change(value) if isinstance(value, dict) else value

    def apply(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        try:
            path.write_text(json.dumps(first(json.loads(text))), encoding="utf-8")
        except ValueError:
            lines = text.splitlines()
            path.write_text("\n".join([json.dumps(first(json.loads(lines[0]))), *lines[1:], ""]), encoding="utf-8")

    return apply


def _all_fields(value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda row: dict.fromkeys(row, value)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


DAMAGES: dict[str, Callable[[Path], None]] = {
    "empty": _bytes(b""),
    "blank": _bytes(b"\n \n\n"),
    "bom": _bytes(b"\xef\xbb\xbf"),
    "utf16": _text(lambda text: text.encode("utf-16-le", "replace").decode("latin-1")),
    "not utf8": _bytes(b'{"id": "\xff\xfe"}\n'),
    "nul": _bytes(bytes(4096)),
    "cut": _text(lambda text: text[: len(text) * 2 // 3]),
    "html": _bytes(b"<!doctype html><html><body>log in</body></html>"),
    "null": _bytes(b"null"),
    "number": _bytes(b"7"),
    "list of numbers": _bytes(b"[1, 2, 3]"),
    "list of lists": _bytes(b"[[[]], [[]]]"),
    "text": _bytes(json.dumps(SECRET).encode()),
    "deep": _bytes(b"[" * 200_000),
    "deep object": _bytes(b'{"a":' * 5000 + b"1" + b"}" * 5000),
    "long number": _bytes(b'{"id": ' + b"9" * 5000 + b"}"),
    "nan": _bytes(b'{"id": NaN, "scores": Infinity}'),
    "keys twice": _bytes(b'{"id": 1, "id": 2}'),
    "escapes": _bytes(b'{"\\u001b[2J\\u202e": "\\ud800"}'),
    "no fields": _rows(lambda row: {}),
    "all null": _rows(_all_fields(None)),
    "all lists": _rows(_all_fields([])),
    "all objects": _rows(_all_fields({})),
    "all numbers": _rows(_all_fields(-1)),
    "all big": _rows(_all_fields(10**299)),
    "all texts": _rows(_all_fields(SECRET)),
    "all true": _rows(_all_fields(True)),
    "nested": _rows(lambda row: {name: [{"a": [row]}] for name in row}),
    "pipe": _pipe,
    "folder": _folder,
    "device": _device,
}
