"""The ablation's commands: every file they name exists, every row finds the weights it starts from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from projects.ablation_rows import FOLDERS, ROWS, Study, commands, compare, report, run_all

ROOT = Path(__file__).resolve().parents[3]
STAGE_1 = "train_configs/pefomed_stage1.yaml"
PLAN_ORDER = ["vqa_rad", "slake", "path_vqa", "iu_xray"]
PLAN = yaml.safe_load((ROOT / "projects/pefomed/ablation.yaml").read_text(encoding="utf-8"))


def option(command: list[str], name: str) -> str:
    return next((each.partition("=")[2] for each in command if each.startswith(name + "=")), "")


@pytest.mark.parametrize("name", sorted(PLAN["studies"]))
def test_every_file_exists_and_tests_the_studys_data(name: str) -> None:
    study = PLAN["studies"][name]
    for path in (PLAN["stage_1"], *study.values()):
        assert (ROOT / path).is_file()
    for path in study.values():
        named = list(yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))["datasets"])
        assert named == (sorted(named, key=PLAN_ORDER.index) if name == "joint" else [name])


def test_each_row_starts_from_weights_that_were_written_before() -> None:
    written: list[str] = []
    study = Study(STAGE_1, "train_configs/pefomed_stage2.yaml", "eval_configs/pefomed_stage2.yaml", processes=4)
    for command in commands(study, Path("out")):
        start = option(command, "model.ckpt")
        assert not start or str(Path(start).parent) in written
        assert command[command.index("--nproc-per-node") + 1] == "4"
        written.append(option(command, "run.output_dir"))
    assert written == ["out/" + folder for folder in FOLDERS]
    assert {"out/" + folder for folder, _ in ROWS} < set(written)


@pytest.mark.parametrize(
    ("stage_2", "weights"),
    [
        ("train_configs/pefomed_stage2.yaml", "checkpoint_best.pth"),
        ("projects/pefomed/stage2_vqa_rad.yaml", "checkpoint_last.pth"),
    ],
)
def test_shuffled_and_blind_ask_the_weights_that_answered(stage_2: str, weights: str) -> None:
    rows = commands(Study(STAGE_1, stage_2, "eval_configs/pefomed_stage2.yaml"), Path("out"))
    assert [option(row, "model.ckpt") for row in rows[-2:]] == ["out/both/" + weights] * 2


def test_the_rows_are_compared_in_the_papers_order_and_the_best_is_shown() -> None:
    assert compare(Path("out"))[4:10] == ["out/" + folder for folder, _ in ROWS]
    assert report(Path("out"))[4] == "out/both"


def test_a_failing_command_ends_the_run() -> None:
    assert run_all([[sys.executable, "-c", "raise SystemExit(3)"], ["does not exist"]]) == 3


def test_the_driver_lists_its_commands() -> None:
    shown = subprocess.run(
        [sys.executable, "projects/pefomed/ablation.py", "--study", "slake", "--dry-run"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert len(shown) == len(FOLDERS) + 2
    assert sum("run.images=" in line for line in shown) == 2
    assert "compare.md" in shown[-2] and "report.html" in shown[-1]
