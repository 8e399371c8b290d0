"""``pefomed train`` and ``evaluate`` as a user starts them, from a folder that ``pefomed init`` wrote."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from pefomed_plugin import environment
from pefomed_plugin.cli import main

pytestmark = pytest.mark.slow


def pefomed(folder, *arguments, sample=None):
    """In a process of its own, with no ``PEFOMED_`` variable but the toolkit and the place of the tiny model."""
    environ = {name: value for name, value in os.environ.items() if name not in environment.VARIABLES}
    return subprocess.run(
        [sys.executable, "-m", "pefomed_plugin.cli", *arguments],
        cwd=str(folder),
        text=True,
        capture_output=True,
        check=False,
        env={
            **environ,
            "PEFOMED_SAMPLE": str(sample or folder.parent / "sample"),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
        },
    )


@pytest.fixture
def study(tmp_path):
    assert main(["init", str(tmp_path / "study")]) == 0
    return tmp_path / "study"


def test_the_projects_folder_trains_and_evaluates(study, sample):
    checked = pefomed(study, "doctor", "--cfg-path", "stage2.yaml", "--json")
    assert checked.returncode == 0 and json.loads(checked.stdout)["ready"]
    assert not (study.parent / "sample").exists()
    for stage in ("stage1", "stage2"):
        done = pefomed(study, "train", "--cfg-path", stage + ".yaml", sample=sample)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("torchrun --standalone --nproc-per-node 1 -m pefomed_plugin.cli._launch train ")
        assert (study / "output" / "try" / stage / "checkpoint_last.pth").is_file()
    done = pefomed(
        study,
        "evaluate",
        "--cfg-path",
        "evaluate.yaml",
        "--options",
        "model.ckpt=output/try/stage2/checkpoint_last.pth",
        sample=sample,
    )
    assert done.returncode == 0, done.stderr
    results = study / "output" / "try" / "evaluate" / "results" / "medical_custom-test"
    assert len((results / "predictions.jsonl").read_text().splitlines()) == 4
    assert pefomed(study, "report", "output/try/evaluate", "--out", "output/report.html").returncode == 0


def test_a_mistake_passes_through_torchrun_without_a_traceback(study):
    done = pefomed(study, "train", "--cfg-path", "stage3.yaml", "--nproc-per-node", "2")
    assert done.returncode == 2
    assert "error: no configuration file stage3.yaml" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137, "process 0 was ended by SIGKILL"),
        ("raise SystemExit(130)", 130, ""),
        ("raise ValueError('ours')", 1, "process 0 failed, see its message above"),
    ],
)
def test_the_exit_code_of_a_process_is_passed_on(tmp_path, line, code, told):
    (tmp_path / "worker.py").write_text(line)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from pefomed_plugin.cli.train import run_torchrun; "
            "sys.exit(run_torchrun(['--standalone', '--nproc-per-node', '1', 'worker.py']))",
        ],
        cwd=str(tmp_path),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == code
    assert told in done.stderr and "ChildFailedError" not in done.stderr


def test_an_interrupted_sample_ends_at_once_and_goes_on_when_asked_again(tmp_path):
    """The signal goes to the command alone: what it had begun was finished first, half a minute of it."""
    words = [sys.executable, "-u", "-m", "pefomed_plugin.cli", "sample", "--out", "a b"]
    with subprocess.Popen(words, cwd=str(tmp_path), stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not any((tmp_path / "a b").glob("*.part")):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()  # until the last process that draws has ended
    assert process.returncode == 130
    assert said.splitlines()[-2:] == ["interrupted", "next: pefomed sample --out 'a b'"] and "Traceback" not in said
    assert not (tmp_path / "a b" / "tiny").exists(), "it takes longest"
