"""Two processes of which one ends: the other ends too, soon, and the first message is that of the cause."""

from __future__ import annotations

import time

import pytest

from tests.conformance.stopped_runs import torchrun

pytestmark = pytest.mark.slow


def test_a_rank_that_raises_stops_the_other_and_its_traceback_comes_first(tmp_path):
    start = time.time()
    done = torchrun(2, tmp_path, "batch_size=1", "max_epoch=100", "raise_at=3", "save_every_steps=1")
    assert done.returncode != 0
    assert time.time() - (tmp_path / "checkpoint_last.pth").stat().st_mtime < 60, "the other rank hung"
    assert time.time() > start
    said = done.stderr
    assert "rank 1 failed:" in said
    cause = said.index("the graphics card of rank 1 is on fire")
    lost = said.find("rank 0: ends because another rank did")
    assert lost == -1 or cause < lost
    assert "Traceback" not in said[: said.index("rank 1 failed:")]
    root = said[said.index("Root Cause") :]
    assert "rank      : 1" in root
    assert "on fire" in root


def test_a_rank_that_is_killed_stops_the_other(tmp_path):
    done = torchrun(2, tmp_path, "batch_size=1", "max_epoch=100", "kill_at=3", "save_every_steps=1")
    assert done.returncode != 0
    assert time.time() - (tmp_path / "checkpoint_last.pth").stat().st_mtime < 60, "the other rank hung"
    root = done.stderr[done.stderr.index("Root Cause") :]
    assert "rank      : 0" in root
    assert "SIGKILL" in root


@pytest.mark.parametrize(
    ("folder", "setting", "message"),
    [
        ("out", "init_lr=-1", "run.init_lr: -1.0 is not more than 0"),
        ("occupied/out", "seed=1", "cannot write"),
    ],
)
def test_a_users_mistake_ends_all_ranks_with_one_message(tmp_path, folder, setting, message):
    """The second can be met by the first rank only, which is the one that writes."""
    (tmp_path / "occupied").write_text("a file where a folder should be")
    done = torchrun(2, tmp_path / folder, "batch_size=1", setting)
    assert done.returncode != 0
    head = done.stderr[: done.stderr.index("torch/distributed/run.py")]  # torchrun's own traceback and summary
    assert head.count("error: ") == 1, done.stderr
    assert head.count(message) == 1, done.stderr
    assert "rank 0 failed" not in head
