"""Sixteen ranks, small: every sample exactly once an epoch, the same weights everywhere."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.sixteen_ranks import RANKS, SAMPLES

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_every_sample_exactly_once_on_sixteen_ranks(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.sixteen_ranks", str(tmp_path), str(port)],
        cwd=str(ROOT),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(RANKS)]
    seen = [sample for rank in ranks for sample in rank["seen"]]
    assert len(seen) == len(set(seen))
    left_out = SAMPLES - len(seen)
    assert left_out == SAMPLES % (2 * RANKS) and left_out < RANKS, "too few for one each; the run says so"
    assert f"leaves out {left_out} sample(s)" in done.stdout
    assert {len(rank["seen"]) for rank in ranks} == {6}
    assert len({rank["weights"] for rank in ranks}) == 1
