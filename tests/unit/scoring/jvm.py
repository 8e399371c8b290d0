"""Java for the tests: whether there is one, and executables that misbehave as a JVM can."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="needs Java")
needs_shell = pytest.mark.skipif(os.name != "posix", reason="the misbehaving Java is a shell script")


def misbehaving_java(folder: Path, script: str) -> str:
    """An executable that ignores its arguments and runs ``script``; its process id is left in ``folder/pid``."""
    path = folder / "java"
    path.write_text(f"#!/bin/sh\necho $$ > '{folder / 'pid'}'\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def is_running(folder: Path, patience_s: float = 5.0) -> bool:
    """Whether the process of ``misbehaving_java`` lives; waits until it has written its id."""
    until = time.monotonic() + patience_s
    while not (folder / "pid").is_file() or not (folder / "pid").read_text(encoding="utf-8").strip():
        assert time.monotonic() < until, "the script never started"
        time.sleep(0.01)
    try:
        os.kill(int((folder / "pid").read_text(encoding="utf-8")), 0)
    except ProcessLookupError:
        return False
    return True
