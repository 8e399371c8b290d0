"""What is left, and what can be gone on with, when a command is ended from outside: ``kill``, or a closed terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest
import torch

from pefomed_plugin.environment import VARIABLES

pytestmark = pytest.mark.slow
PATIENCE_S = 240.0
_ON_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "pefomed_plugin.cli", *sys.argv[1:]])
"""


def environ(sample, tmp_path):
    (tmp_path / "tmp").mkdir()
    own = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return {
        **own,
        "PEFOMED_SAMPLE": str(sample),
        "TMPDIR": str(tmp_path / "tmp"),
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }


def ended(arguments, folder, variables, says, number=None):
    """Start pefomed on a terminal of its own and end it when it ``says`` that: by a signal, or with the terminal."""

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ON_A_TERMINAL, *arguments],
        cwd=folder, env=variables, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    said, deadline, left = "", time.monotonic() + PATIENCE_S, False
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.2)[0]:
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:  # Linux says so when the last one has let go of the terminal
                break
            said += piece.decode("utf-8", "replace")
        if not left and says in said:
            left = True
            if number is None:
                break
            process.send_signal(number)
    with contextlib.suppress(OSError):
        os.close(ours)
    assert left, said
    return process.wait(PATIENCE_S), said


def test_a_run_whose_terminal_is_closed_has_saved_and_goes_on(sample, tmp_path):
    command = ["train", "--cfg-path", "stage2.yaml", "--options", "run.iters_per_epoch=20000"]
    variables = environ(sample, tmp_path)
    subprocess.run(
        [sys.executable, "-m", "pefomed_plugin.cli", "init", "study"], cwd=tmp_path, env=variables, check=True
    )
    code, _ = ended(command, tmp_path / "study", variables, "epoch 1/1")
    saved = tmp_path / "study" / "output" / "try" / "stage2" / "checkpoint_last.pth"
    deadline = time.monotonic() + PATIENCE_S
    while not saved.is_file() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert 0 < torch.load(saved, weights_only=True)["pefomed"]["iteration"] < 20000 and code == 128 + signal.SIGHUP


def test_a_page_that_is_killed_leaves_nothing_of_what_was_dropped_onto_it(sample, tmp_path):
    pytest.importorskip("gradio")
    variables = environ(sample, tmp_path)
    words = ["chat", "--ckpt", "embedded", "--port", "0"]
    code, said = ended(words, tmp_path, variables, "Ctrl-C ends it", signal.SIGTERM)
    assert "what was dropped onto it is deleted" in said and code == 0
    assert not list((tmp_path / "tmp").glob("pefomed-*"))


def test_an_ended_command_says_what_goes_on_with_it(tmp_path):
    command = ["sample", "--out", "a b"]
    code, said = ended(command, tmp_path, environ(tmp_path / "sample", tmp_path), "making the sample", signal.SIGTERM)
    assert code == 128 + signal.SIGTERM
    assert "ended by SIGTERM" in said and "pefomed sample --out 'a b'" in said and "Traceback" not in said
