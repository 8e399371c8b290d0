"""Training as curves: what is read of logs that grow, what is drawn, and the page."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.reporting.training.curves import read_training
from pefomed_plugin.reporting.training.drawing import Line, draw, thinned, ticks
from pefomed_plugin.reporting.training.page import training_page


def step(iteration: int, **fields: Any) -> dict[str, Any]:
    line = {"iteration": iteration, "loss": 1 / iteration, "lr": 1e-4, "samples": 8, "tokens": 40, "grad_norm": 0.5}
    return {**line, "samples_per_s": 4.0, "tokens_per_s": 20.0, **fields}


def log(folder: Path, steps: int, iterations: int | None = 100, **fields: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [step(number, **fields) for number in range(1, steps + 1)]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if iterations:
        epochs = [{"iteration": 0, "iterations": iterations, "per_epoch": 10, "time": 0}]
        epochs += [
            {"iteration": 10 * epoch, "epoch": epoch, "time": 0, "valid/loss": 2 / epoch, "valid/loss/slake": 3 / epoch}
            for epoch in range(1, steps // 10 + 1)
        ]
        (folder / "epochs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in epochs))
    return folder


def test_how_far_it_is_and_how_long_it_takes(tmp_path: Path) -> None:
    found = read_training(log(tmp_path / "run", 40))
    assert (found.name, found.iteration, found.iterations, found.state()) == ("run", 40, 100, "running")
    assert found.remaining_s == pytest.approx(60 * 2.0), "8 samples at 4 a second"
    assert found.validation() == [(10 * epoch, 2 / epoch) for epoch in range(1, 5)]
    assert read_training(log(tmp_path / "done", 100)).state() == "done"


def test_a_line_that_is_half_written_waits(tmp_path: Path) -> None:
    folder = log(tmp_path / "run", 3)
    with open(folder / "log.jsonl", "a") as file:
        file.write('{"iteration": 4, "lo')
    assert read_training(folder).iteration == 3
    with open(folder / "log.jsonl", "a") as file:
        file.write("\n")
    with pytest.raises(DataError, match="line 4"):
        read_training(folder)


def test_a_run_that_is_silent_is_told_so(tmp_path: Path) -> None:
    folder = log(tmp_path / "run", 5)
    os.utime(folder / "log.jsonl", (time.time() - 3600,) * 2)
    assert read_training(folder).state() == "quiet for 60 min"


def test_a_run_before_its_first_step_is_starting(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("run: {}\n")
    assert read_training(tmp_path).state() == "starting"


def test_what_has_no_training_names_one_that_has(tmp_path: Path) -> None:
    log(tmp_path / "output" / "stage2", 1)
    with pytest.raises(ConfigError, match="there is one in stage2"):
        read_training(tmp_path / "output")


def test_a_log_of_an_earlier_version_has_no_end(tmp_path: Path) -> None:
    found = read_training(log(tmp_path / "run", 5, iterations=None))
    assert (found.iterations, found.remaining_s, found.is_done) == (None, None, False)
    assert "iteration 5" in training_page([found])


def test_drawings_are_whole_and_hold_nothing_foreign() -> None:
    lines = [Line("<b>&", [(1, 0.5), (100, 2.5)], [(50, 1.0)], "validation"), Line("other", [(1, 1.0)])]
    picture = ElementTree.fromstring(draw(lines, "loss"))
    assert "<b>& from 0.5 to 2.5" in picture.attrib["aria-label"]
    circle = next(each for each in picture.iter() if each.tag == "circle")
    assert "<b>&" in (circle[0].text or "")
    points = [each.attrib["points"].split() for each in picture.iter() if each.tag == "polyline"]
    (x0, y0), (x1, y1) = (map(float, place.split(",")) for place in points[0])
    assert x1 > x0 and y1 < y0, "later is to the right, larger is higher"
    assert "nothing logged yet" in draw([Line("a", [])], "loss")


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.003, 0.0031), (-5, 1e6), (2, 2.0001)])
def test_ticks_are_round_and_within(low: float, high: float) -> None:
    found = ticks(low, high, 4)
    assert 2 <= len(found) <= 9 and all(low - 1e-9 <= tick <= high + 1e-9 for tick in found)


def test_many_points_are_means_of_stretches() -> None:
    points = [(float(number), float(number % 2)) for number in range(10_000)]
    found = thinned(points)
    assert len(found) <= 400 and all(0.4 < y < 0.6 for _, y in found)
    assert thinned(points[:10]) == points[:10]


def test_the_page_of_runs_side_by_side(tmp_path: Path) -> None:
    runs = [read_training(log(tmp_path / name, 20)) for name in ("<one>", "two")]
    page = training_page(runs, refresh_s=5)
    assert '<meta http-equiv="refresh" content="5">' in page and "<script" not in page
    assert "<one>" not in page and "&lt;one&gt;" in page
    assert page.count("<polyline") == 8 and page.count("<circle") == 4
    assert "two, slake" in page and "1.5000" in page
    assert not re.search(r'(src|href)="', page)
    assert "refresh" not in training_page(runs)


def test_steps_without_a_finite_loss_are_told(tmp_path: Path) -> None:
    found = read_training(log(tmp_path / "run", 3, loss=None))
    assert "the loss of 3 steps is no finite number" in training_page([found])


def test_the_command_looks_once_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = log(tmp_path / "run", 40)
    assert main(["watch", str(folder), "--once", "--label", "mine", "--out", str(tmp_path / "t.html")]) == 0
    said = capsys.readouterr().out
    assert "40 of 100" in said and "mine" in said and "2 min" in said
    assert "refresh" not in (tmp_path / "t.html").read_text()
    assert main(["watch", str(folder), "--label", "a", "--label", "b", "--once"]) == 2


def test_watching_ends_with_the_run(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["watch", str(log(tmp_path / "run", 100)), "--out", str(tmp_path / "t.html")]) == 0
    assert "done" in capsys.readouterr().out


def test_the_report_of_a_run_without_answers_shows_training(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = log(tmp_path / "run", 20)
    assert main(["report", str(folder), "--out", str(tmp_path / "report.html")]) == 0
    assert "no answers yet" in capsys.readouterr().out
    assert "<polyline" in (tmp_path / "report.html").read_text()
