"""How a rank ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("ranks", ["1", "2"])
def test_a_process_ends_with_its_code_and_what_python_does_at_the_end(ranks):
    code = (
        "import atexit, sys; from pefomed_plugin.services.ranks import end_process\n"
        "atexit.register(print, 'the end'); sys.stdout.write('said, '); end_process(3)"
    )
    environ = {**os.environ, "WORLD_SIZE": ranks, "RANK": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "said, the end\n", "")
