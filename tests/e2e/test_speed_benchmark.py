"""The benchmark of training and answering, on a model too small to say anything: it checks equality before it times."""

from __future__ import annotations

import json

import pytest

from projects.benchmarks.speed.__main__ import _is_equal, main

pytestmark = pytest.mark.slow


def test_every_way_is_checked_and_timed(tmp_path, monkeypatch):
    for name in ("MINIGPT4_HOME", "MINIGPT4_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    assert main(["--tiny", "--rounds", "2", "--out", str(tmp_path)]) == 0
    tasks = json.loads((tmp_path / "speed.json").read_text())["tasks"]
    assert [way["equal"] for task in tasks for way in task["ways"]] == [True] * 8
    assert all(len(way["seconds"]) == 2 for task in tasks for way in task["ways"])
    plain, *_, shared = tasks[0]["ways"]
    assert shared["flops"] < plain["flops"]
    assert "| tiny, VQA | shared, cached |" in (tmp_path / "speed.md").read_text()


def test_what_is_not_equal():
    found = {"loss": 1.0, "grad_norm": 2.0}
    assert _is_equal(found, {"loss": 1.000009, "grad_norm": 2.0}, "cpu")
    assert not _is_equal(found, {"loss": 1.00002, "grad_norm": 2.0}, "cpu")
    assert not _is_equal(found, {"loss": 1.0, "grad_norm": 2.0001}, "cpu")
    assert not _is_equal({"answers": ["a"]}, {"answers": ["b"]}, "cpu")
