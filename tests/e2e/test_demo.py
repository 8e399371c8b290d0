"""The demo as a user runs it: it learns, and what it learns comes from the images."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = ("none", "stage1_test", "stage2", "both", "shuffled", "blind")
SETS = ("vqa_rad", "slake", "path_vqa", "iu_xray")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "projects/embedded/demo.py", "--out", str(out)],
        cwd=str(ROOT),
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out, done.stdout


def exact_match(out, run):
    metrics = json.loads((out / run / "metrics.json").read_text())
    assert metrics["origin"] == {"data": dict.fromkeys(SETS, "generated"), "model": "tiny"}
    assert set(metrics["results"]) == {f"{name}-test" for name in SETS}
    return metrics["results"]["vqa_rad-test"]["scores"]["exact_match/pefomed"]["overall"]["value"] / 100


def test_the_rows_of_the_ablation(demo):
    out, _ = demo
    rows = {run: exact_match(out, run) for run in ROWS}
    assert rows["both"] >= 0.85, rows
    assert rows["both"] - rows["shuffled"] >= 0.35, rows
    assert rows["none"] < 0.35, rows
    assert rows["both"] - rows["blind"] >= 0.35, rows
    assert rows["none"] <= rows["stage1_test"] < rows["both"], rows


def test_every_run_says_that_it_is_no_result_at_the_start_and_at_the_end(demo):
    out, said = demo
    for run in (*ROWS, "stage1"):
        lines = (out / "logs" / (run + ".log")).read_text().splitlines()
        said_at = [n for n, line in enumerate(lines) if "Not a result: tiny model, generated data (" in line]
        assert said_at == [1, len(lines) - 2] and lines[-1].startswith("next: pefomed "), run
    lines = said.splitlines()
    assert lines[0] == "The demo runs on generated data and a tiny model: its figures say nothing about medicine."
    assert any("s in all, on generated data" in line for line in lines)
    said_of_rows = [line for line in lines if ": tiny model, generated data (" in line]
    assert len(said_of_rows) == len(ROWS) * len(SETS)


def test_it_shows_every_command_and_the_paths_of_everything(demo):
    out, said = demo
    for command in (
        "train.py --cfg-path train_configs/pefomed_stage1.yaml",
        "train.py --cfg-path train_configs/pefomed_stage2.yaml",
        "evaluate.py --cfg-path eval_configs/pefomed_stage2.yaml",
        "run.images=shuffled",
        "pefomed_plugin.cli judge report",
        "pefomed_plugin.cli wasm",
    ):
        assert command in said
    tail = said[said.rindex("Everything is in") :]
    for path in out.iterdir():
        assert str(path) in tail


def test_questions_and_reports_were_trained_in_one_run(demo):
    out, _ = demo
    log = (out / "logs" / "both.log").read_text()
    for name in SETS:
        assert f"{name}: " in log and log.count(" 3.0 passes over ") == len(SETS)
    last = log[log.index("epoch 3: validation loss") :]
    assert all(name in last.splitlines()[0] for name in SETS[1:]), "VQA-RAD has no validation split"
    assert all(f"{name}-test  " in last for name in SETS), "one table"


def test_the_page_is_one_file_with_every_question(demo):
    out, _ = demo
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(f"{name}-test" in page for name in SETS)
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_reports_are_generated_and_scored(demo):
    out, _ = demo
    metrics = json.loads((out / "both" / "metrics.json").read_text())["results"]["iu_xray-test"]
    assert metrics["n"] == 60
    assert metrics["scores"]["lexical/coco"]["rouge_l"]["value"] > 0.5


def test_every_result_is_marked(demo):
    out, _ = demo
    for path in out.glob("*/results/*/metrics.json"):
        assert json.loads(path.read_text())["origin"]["model"] == "tiny", path
    for path in out.glob("*/results/*/predictions.jsonl"):
        assert all(
            list(json.loads(line)["producer"]["origin"]["data"].values()) == ["generated"]
            for line in path.read_text().splitlines()
        ), path


def test_the_table_holds_the_figures_of_the_files(demo):
    out, said = demo
    table = (out / "compare.md").read_text(encoding="utf-8")
    for run in ROWS:
        assert f"{100 * exact_match(out, run):.1f}" in table
        assert f"{100 * exact_match(out, run):.1f}" in said
    assert table.count("floor: ") >= len(SETS), "what is reached without looking stands below"


def test_the_vqa_release_is_held_out(demo):
    out, _ = demo
    rows = {
        name: json.loads((out / "sample" / "vqa_rad" / name).read_text()) for name in ("trainset.json", "testset.json")
    }
    images = [{row["image_name"] for row in each} for each in rows.values()]
    assert not images[0] & images[1]
