"""A machine without a browser is told how many tests were left out, and what is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["tests/e2e/rating/test_rating.py", "tests/e2e/rating/test_shown.py"]


@pytest.mark.slow
def test_tests_left_out_for_want_of_a_browser_are_counted(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PAGES]
    for spread in ([], ["-n", "2"]):
        run = subprocess.run(
            [*command, *spread],
            cwd=str(ROOT),
            env={**os.environ, "PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        (count,) = re.findall(r"(\d+) skipped", run.stdout)
        assert int(count) > 10
        told = f"{count} tests of pages in a browser were left out: no Chromium on PATH (apt-get install chromium)"
        assert told in run.stdout
