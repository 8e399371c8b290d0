"""The benchmark of answering, one round on a model that is too small to say anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from projects.benchmarks.answering import main


@pytest.mark.slow
def test_a_round(tmp_path: Path) -> None:
    (tmp_path / "iu_xray").mkdir()
    rows = [{"report": f"The heart is normal. {'No acute disease. ' * number}"} for number in range(4)]
    (tmp_path / "iu_xray" / "annotation.json").write_text(json.dumps({"train": rows, "val": [], "test": rows}))
    arguments = ["--data", tmp_path, "--out", tmp_path / "out", "--only", "reports", "--size", "tiny"]
    assert main([*map(str, arguments), "--rounds", "1", "--every", "1", "--slots", "2"]) == 0
    found = json.loads((tmp_path / "out" / "answering.json").read_text())["reports"]
    assert len(found["ways"]) == 4 and all(way["equal"] for way in found["ways"].values())
