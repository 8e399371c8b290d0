"""How a rank ends."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from pefomed_plugin.errors import naming
from pefomed_plugin.services.ranks import report_errors


@pytest.mark.parametrize("ranks", ["1", "2"])
def test_a_process_ends_with_its_code_and_what_python_does_at_the_end(ranks):
    code = (
        "import atexit, sys; from pefomed_plugin.services.ranks import end_process\n"
        "atexit.register(print, 'the end'); sys.stdout.write('said, '); end_process(3)"
    )
    environ = {**os.environ, "WORLD_SIZE": ranks, "RANK": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, "said, the end\n", "")


@pytest.mark.parametrize("ranks", ["1", "2"])
def test_a_full_disk_is_a_line_and_the_command_that_goes_on(ranks, monkeypatch, capsys, tmp_path):
    """It ended a run with a traceback that named no file."""
    monkeypatch.setenv("WORLD_SIZE", ranks)
    monkeypatch.setenv("RANK", "0")

    def run():
        try:
            with naming(tmp_path / "answers.jsonl"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            error.to_continue = "pefomed evaluate --cfg-path a.yaml"
            raise

    assert report_errors(run) == 2
    said = capsys.readouterr().err
    assert f"error: {tmp_path / 'answers.jsonl'}: No space left on device; make room" in said
    assert said.endswith("to continue: pefomed evaluate --cfg-path a.yaml\n") and "failed" not in said


def test_a_mistake_of_the_program_keeps_its_traceback(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    for error in (ConnectionResetError(errno.ECONNRESET, "by peer"), OSError("invented"), KeyError("invented")):
        with pytest.raises(type(error)):
            report_errors(lambda error=error: (_ for _ in ()).throw(error))
