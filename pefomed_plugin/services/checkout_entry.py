"""``train.py`` of a MiniGPT-4 checkout with the plugin's import line, and without it: everything else byte for byte."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from ..atomic import replacing
from ..errors import ToolkitError, one_line

ENTRY = "train.py"
LINE = b"import pefomed_plugin.linked  # added by 'pefomed link'; 'pefomed unlink' takes it out"


def read_entry(root: Path) -> bytes:
    """As it lies in the checkout."""
    return (root / ENTRY).read_bytes()


def with_line(content: bytes) -> tuple[bytes, int]:
    """``train.py`` with our line behind its last import from ``minigpt4``, in its own line endings; the line's number.

    There everything that the checkout registers is registered, and no configuration is built yet.
    """
    lines = content.splitlines(keepends=True)
    here = [number for number, line in enumerate(lines) if line.rstrip(b"\r\n") == LINE]
    if here:
        return content, here[0] + 1
    try:
        statements = ast.parse(content).body
    except (SyntaxError, ValueError) as error:
        raise ToolkitError(f"{ENTRY} is not Python: {one_line(error)}") from error
    ends = [
        statement.end_lineno or 0
        for statement in statements
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").split(".")[0] == "minigpt4"
    ]
    if not ends:
        raise ToolkitError(f"{ENTRY} has no 'from minigpt4... import' line: the plugin's import would have no place")
    before = lines[ends[-1] - 1]
    body, ending = _split_ending(before)
    lines[ends[-1] - 1] = body + (ending or _split_ending(lines[0])[1] or b"\n") + LINE + ending
    return b"".join(lines), ends[-1] + 1


def without_line(content: bytes) -> bytes:
    """``train.py`` without our line; the line before it keeps the ending that ours has now."""
    kept: list[bytes] = []
    for line in content.splitlines(keepends=True):
        body, ending = _split_ending(line)
        if body != LINE:
            kept.append(line)
        elif kept:
            kept[-1] = _split_ending(kept[-1])[0] + ending
    return b"".join(kept)


def _split_ending(line: bytes) -> tuple[bytes, bytes]:
    body = line.rstrip(b"\r\n")
    return body, line[len(body) :]


def leftovers(root: Path, restored: bytes) -> list[str]:
    """Lines that still need the plugin: ours, changed since, or the user's own."""
    return [
        f"{root / ENTRY}:{number}: needs pefomed_plugin but is not the line that was added; take it out, then unlink "
        "again"
        for number, line in enumerate(restored.splitlines(), 1)
        if b"pefomed_plugin" in line
    ]


def entry_problems(root: Path) -> list[str]:
    """Why it cannot be written."""
    path = root / ENTRY
    if path.is_symlink():
        return [f"{path}: is a link to {os.readlink(path)}; replace it by the file"]
    if not path.stat().st_mode & 0o200:
        return [f"{path}: is read-only; make it writable (chmod u+w) first"]
    return []


def write_entry(root: Path, before: bytes, after: bytes) -> None:
    """Replace ``train.py`` whole, with the permissions that it had."""
    if before == after:
        return
    path = root / ENTRY
    mode = path.stat().st_mode
    with replacing(path) as file:
        file.write(after)
    os.chmod(path, mode & 0o7777)
