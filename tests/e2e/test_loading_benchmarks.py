"""The loading benchmarks, run as a user would, on a few made-up images and without a checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from projects.benchmarks.data_path.__main__ import WAYS
from projects.benchmarks.data_path.__main__ import main as measure_loading
from projects.benchmarks.epoch_turn import main as measure_turns
from projects.benchmarks.toolkit_process import BUNDLED, ToolkitProcess

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINIGPT4_HOME", raising=False)


def folder_of(path: Path, count: int) -> Path:
    path.mkdir()
    for number in range(count):
        noise = np.random.default_rng(number).integers(0, 256, (30 + number, 40, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path / f"{number}.png")
    return path


def test_a_process_that_ends_is_named(tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "spec.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SystemExit, match="the process of bundled ended with exit code 1; its message stands above"):
        with ToolkitProcess("projects.benchmarks.data_path.worker", tmp_path / "spec.json", BUNDLED) as process:
            process.ask(do="time")
    assert "KeyError" in capfd.readouterr().err


def test_all_ways_are_compared_and_timed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert (
        measure_loading(
            [
                "--out",
                str(out),
                "--images",
                str(folder_of(tmp_path / "images", 3)),
                "--count",
                "3",
                "--image-size",
                "56",
                "--rounds",
                "2",
            ]
        )
        == 0
    )
    found = json.loads((out / "data_path.json").read_text(encoding="utf-8"))
    assert list(found["seconds"]) == [way for way in WAYS if way != "checkout"]
    assert {len(each) for each in found["seconds"].values()} == {2}
    assert found["differences"] == {"pixels": 0.0}
    assert (out / "data_path.md").read_text(encoding="utf-8").count("\n| ") == len(found["seconds"]) + 1


def test_the_turn_of_an_epoch_is_told_from_the_batches_around_it(tmp_path: Path) -> None:
    measure_turns(
        [
            "--out",
            str(tmp_path),
            "--images",
            str(folder_of(tmp_path / "images", 16)),
            "--turns",
            "2",
            "--batches",
            "2",
            "--workers",
            "1",
            "--step-s",
            "0.01",
        ]
    )
    waits = json.loads((tmp_path / "epoch_turn.json").read_text(encoding="utf-8"))["waits"]["ours"]
    assert (len(waits["turn"]), len(waits["within"])) == (2, 2)
    assert "| ours |" in (tmp_path / "epoch_turn.md").read_text(encoding="utf-8")
