"""Training as curves: what is read of logs that grow, what is drawn, and the page."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pefomed_plugin.cli import main, watch
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.reporting.training.curves import look_again, read_training, read_trainings
from pefomed_plugin.reporting.training.drawing import MOST_LINES, Line, draw, key_of, number, thinned, ticks
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


def test_a_run_that_answered_before_its_end_is_not_done(tmp_path: Path) -> None:
    for name, steps in (("early", 30), ("whole", 100)):
        results = log(tmp_path / name, steps) / "results" / "vqa_rad-test"
        results.mkdir(parents=True)
        (results / "predictions.jsonl").write_text("")
    early, whole = read_trainings([tmp_path / "early", tmp_path / "whole"])
    assert (early.state(), early.goes_on) == ("stopped before its end", False)
    assert whole.state() == "done"
    os.utime(tmp_path / "early" / "results/vqa_rad-test/predictions.jsonl", (time.time() - 3600,) * 2)
    assert read_training(tmp_path / "early").state() == "running", "it was resumed after it had answered"


def test_a_run_before_its_first_step_is_starting(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("run: {}\n")
    assert read_training(tmp_path).state() == "starting"


def test_what_has_no_training_names_one_that_has(tmp_path: Path) -> None:
    log(tmp_path / "output" / "stage2", 1)
    with pytest.raises(ConfigError, match="there is one in stage2"):
        read_training(tmp_path / "output")


def test_a_log_of_an_earlier_version_has_no_end(tmp_path: Path) -> None:
    found = read_training(log(tmp_path / "run", 5, iterations=None))
    assert (found.iterations, found.remaining_s, found.goes_on) == (None, None, True)
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
    assert len(found) <= 400 and all(0.4 < y < 0.6 for _, y in found[1:-1])
    assert thinned(points[:10]) == points[:10]
    assert (found[0], found[-1]) == (points[0], points[-1]), "a curve begins and ends where it does"


def test_a_run_has_its_colour_also_where_another_has_nothing_to_draw() -> None:
    picture = draw([Line("a", []), Line("b", [(1, 1.0), (2, 2.0)])], "gradient norm")
    assert '<polyline class="series s1"' in picture and 'class="key s1"' in key_of(1)
    looks = {re.sub("<title>.*", "", key_of(place)) for place in range(MOST_LINES)}
    assert len(looks) == MOST_LINES, "thirty runs look different"


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0"), (0.00015, "1.5e-4"), (5e-5, "5e-5"), (0.25, "0.25"), (1500, "1,500")]
)
def test_figures_at_an_axis_are_short(value: float, told: str) -> None:
    assert number(value) == told


def test_the_page_of_runs_side_by_side(tmp_path: Path) -> None:
    runs = [read_training(log(tmp_path / name, 20)) for name in ("<one>", "two")]
    page = training_page(runs, refresh_s=5)
    assert 'data-seconds="5"' in page and "Pause</button>" in page and 'http-equiv="refresh"' not in page
    assert "<one>" not in page and "&lt;one&gt;" in page
    assert page.count("<polyline") == 8 and page.count("<circle") == 4
    assert "two, slake" in page and "1.5000" in page
    assert not re.search(r'(src|href)="', page)
    done = training_page(runs)
    assert 'data-seconds="' not in done and "Pause</button>" not in done and "a run may have gone on since" in done


def test_steps_without_a_finite_loss_are_told(tmp_path: Path) -> None:
    found = read_training(log(tmp_path / "run", 3, loss=None))
    page = training_page([found])
    assert "the loss of 3 steps is no finite number" in page and "loss not finite" in page


def test_a_loss_that_is_lost_is_not_told_as_the_last_one_that_was(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = log(tmp_path / "run", 20)
    with open(folder / "log.jsonl", "a") as file:
        file.writelines(json.dumps(step(number, loss=None, grad_norm=None)) + "\n" for number in (21, 22))
    with open(folder / "epochs.jsonl", "a") as file:
        file.write(json.dumps({"iteration": 22, "epoch": 3, "time": 0, "valid/loss": None}) + "\n")
    assert main(["watch", str(folder), "--once"]) == 0
    said = capsys.readouterr().out
    assert said.count("not finite") == 2 and "0.0500" not in said, "0.05 is the loss of step 20"
    assert "the loss of 2 steps is no finite number" in said
    assert '<td class="number">not finite</td>' in training_page([read_training(folder)])


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(step(4, loss="0.5")),
        json.dumps(step(-4)),
        json.dumps({**step(4), "iteration": True}),
        "[4, 0.5]",
        "null",
        json.dumps(step(4))[:30] + json.dumps(step(4)),
    ],
)
def test_a_line_that_is_no_step_is_named(tmp_path: Path, line: str) -> None:
    folder = log(tmp_path / "run", 3)
    with open(folder / "log.jsonl", "a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match="line 4: not a step"):
        read_training(folder)


def test_runs_are_called_by_what_tells_them_apart(tmp_path: Path) -> None:
    folders = [log(tmp_path / part, 2) for part in ("a/stage2", "b/stage2", "a/stage1")]
    assert [found.name for found in read_trainings(folders)] == ["a/stage2", "b/stage2", "stage1"]
    for labels, words in ([["x", "x", "y"], "several runs are called x"], [["x"], "3 run\\(s\\) and 1 label"]):
        with pytest.raises(ConfigError, match=words):
            read_trainings(folders, labels)
    with pytest.raises(ConfigError, match="several runs are called"):
        read_trainings([folders[0], folders[0]])


def test_a_run_that_is_deleted_meanwhile_stops_no_other(tmp_path: Path) -> None:
    runs = read_trainings([log(tmp_path / "gone", 4), log(tmp_path / "stays", 4)])
    shutil.rmtree(tmp_path / "gone")
    log(tmp_path / "stays", 9)
    gone, stays = look_again(runs)
    assert (gone.iteration, gone.state(), gone.goes_on) == (4, "cannot be read", False)
    assert stays.iteration == 9
    assert "shown is what was read before" in training_page([gone, stays])


def test_watching_that_is_interrupted_leaves_a_page_that_waits_for_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "t.html"

    def interrupt(_: float) -> None:
        assert "data-seconds" in page.read_text()
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", interrupt)
    assert main(["watch", str(log(tmp_path / "run", 10)), "--out", str(page)]) == 0
    assert "data-seconds" not in page.read_text() and "a run may have gone on since" in page.read_text()


def test_the_command_looks_once_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = log(tmp_path / "run", 40)
    assert main(["watch", str(folder), "--once", "--label", "mine", "--out", str(tmp_path / "t.html")]) == 0
    said = capsys.readouterr().out
    assert "40 of 100" in said and "mine" in said and "2 min left" in said
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


def test_what_a_page_of_training_has_no_use_for_is_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    options = ["--no-texts", "--full-images", "linked", "--by", "organ"]
    assert main(["report", str(log(tmp_path / "run", 2)), "--out", str(tmp_path / "report.html"), *options]) == 0
    assert "not used, for they are about answers: --full-images, --no-texts, --by" in capsys.readouterr().out
