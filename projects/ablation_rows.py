"""The rows of the paper's ablation as commands: which script with which YAML and options, in which folder.

What the demo on generated data and the full study share; starts one command after another and shows each.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

from pefomed_plugin.services.terminal import folded_output, showing

ROOT = Path(__file__).resolve().parents[1]
ROWS: tuple[tuple[str, str], ...] = (
    ("none", "none"),
    ("stage1_test", "stage 1"),
    ("stage2", "stage 2"),
    ("both", "both"),
    ("shuffled", "both, images shuffled"),
    ("blind", "both, image blind"),
)
"""Folder of each row and its label: the paper's four (tables 8 to 10) and two without the right image."""
FOLDERS = ("none", "stage1", "stage1_test", "stage2", "both", "shuffled", "blind")


@dataclass(frozen=True)
class Study:
    """What is trained and tested."""

    stage_1: str
    """YAML of stage 1."""
    stage_2: str
    """YAML of stage 2, which also answers its test split."""
    test: str
    """YAML that answers that test split with any weights."""
    processes: int = 1
    """GPUs of this machine, one process each."""


def commands(study: Study, out: Path) -> list[list[str]]:
    """The launches of all six rows, in an order in which each finds the weights it starts from."""
    after_1 = f"model.ckpt={out / 'stage1' / 'checkpoint_last.pth'}"
    after_both = f"model.ckpt={out / 'both' / answering_weights(study.stage_2)}"

    def launch(script: str, cfg_path: str, folder: str, *options: str) -> list[str]:
        return torchrun(script, cfg_path, out / folder, *options, processes=study.processes)

    return [
        launch("evaluate.py", study.test, "none"),
        launch("train.py", study.stage_1, "stage1"),
        launch("evaluate.py", study.test, "stage1_test", after_1),
        launch("train.py", study.stage_2, "stage2"),
        launch("train.py", study.stage_2, "both", after_1),
        launch("evaluate.py", study.test, "shuffled", after_both, "run.images=shuffled"),
        launch("evaluate.py", study.test, "blind", after_both, "run.images=blind"),
    ]


def answering_weights(cfg_path: str) -> str:
    """Name of the checkpoint that a training run answers its test splits with: the best one where it validates."""
    run = yaml.safe_load((ROOT / cfg_path).read_text(encoding="utf-8"))["run"]
    return "checkpoint_best.pth" if run.get("valid_splits") else "checkpoint_last.pth"


def torchrun(script: str, cfg_path: str, output_dir: Path, *options: str, processes: int = 1) -> list[str]:
    """One launch on this machine."""
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
        script,
        "--cfg-path",
        cfg_path,
        "--options",
        f"run.output_dir={output_dir}",
        *options,
    ]


def compare(out: Path, file: str = "compare.md") -> list[str]:
    """The command that sets the rows side by side."""
    labels = [part for _, label in ROWS for part in ("--label", label)]
    return [
        sys.executable,
        "-m",
        "pefomed_plugin.cli",
        "compare",
        *(str(out / folder) for folder, _ in ROWS),
        *labels,
        "--out",
        str(out / file),
    ]


def report(out: Path, *options: str) -> list[str]:
    """The command that writes the page of the best row, beside the others."""
    rows = sorted(ROWS, key=lambda row: row[0] != "both")
    labels = [part for _, label in rows for part in ("--label", label)]
    return [
        sys.executable,
        "-m",
        "pefomed_plugin.cli",
        "report",
        *(str(out / folder) for folder, _ in rows),
        *labels,
        "--out",
        str(out / "report.html"),
        *options,
    ]


def run_side_by_side(lanes: Sequence[Sequence[Sequence[str]]], logs: Path) -> int:
    """Run lanes of commands beside one another, each command's output in a file of ``logs``; 0 or an exit code.

    One thread a process: two processes of two threads on two cores mostly wait for each other.
    """
    logs.mkdir(parents=True, exist_ok=True)
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    going: dict[Path, float] = {}
    """Log of each command that runs, and when it began."""
    stopped = threading.Event()

    def run_lane(lane: Sequence[Sequence[str]]) -> int:
        for command in lane:
            name = next(
                (Path(sample.split("=", 1)[1]).name for sample in command if sample.startswith("run.output_dir=")),
                "command",
            )
            log = logs / (name + ".log")
            print(f"\n$ {shlex.join(command)}\n  (output in {log})", flush=True)
            start = going[log] = time.monotonic()
            with open(log, "w", encoding="utf-8") as file:
                code = subprocess.run(
                    command, cwd=ROOT, env=environ, stdout=file, stderr=subprocess.STDOUT, check=False
                ).returncode
            del going[log]
            if code:
                if not stopped.is_set():
                    print(log.read_text(encoding="utf-8")[-4000:], flush=True)
                return code
            print(f"  {name}: {time.monotonic() - start:.0f} s", flush=True)
        return 0

    with folded_output(), showing(lambda: how_far(going)), ThreadPoolExecutor(max_workers=len(lanes)) as pool:
        try:
            return max(pool.map(run_lane, lanes))
        except KeyboardInterrupt:  # the commands got it too, and end
            stopped.set()
            raise


def how_far(going: Mapping[Path, float]) -> str:
    """What the commands that run said last of their progress: ``stage1: epoch 2/5: 40/200, 3.1/s, 52 s left``."""
    return " | ".join(
        f"{log.stem}: {_last_progress(log) or f'{time.monotonic() - start:.0f} s'}"
        for log, start in list(going.items())
    )


def _last_progress(log: Path) -> str:
    """The last line of progress in a log, without its note; the steps that are said to have ended are passed over."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found = next((line for line in reversed(lines) if re.search(r": \d+/\d+, .* s left|: \d+ s so far$", line)), "")
    return found.split("  ", maxsplit=1)[0]


def run_all(launches: Sequence[Sequence[str]]) -> int:
    """Run commands until one fails; its exit code, or 0."""
    for number, command in enumerate(launches, 1):
        which = f"  ({number} of {len(launches)})" if len(launches) > 1 else ""
        print(f"\n$ {shlex.join(command)}{which and chr(10)}{which}", flush=True)
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0
