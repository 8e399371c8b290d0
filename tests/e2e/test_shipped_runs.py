"""Every training YAML that is shipped starts a run that finishes on the embedded default, cut short by options."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from pefomed_plugin import launch
from pefomed_plugin.config.given import shipped
from pefomed_plugin.environment import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
YAMLS = [
    ROOT / name
    for name in shipped()
    if not name.startswith("eval_configs/") and "runner_base" not in name  # tests/toolkit: those need a checkout
]
SHORT = ("run.max_epoch=1", "run.iters_per_epoch=2", "run.log_freq=1", "run.max_new_tokens=3")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("path", YAMLS, ids=[path.stem for path in YAMLS])
def test_it_finishes(path, sample, tmp_path, monkeypatch, capsys):
    for name in VARIABLES:  # set and unset again: the launcher sets them, and they shall be gone after the test
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PEFOMED_SAMPLE", str(sample))
    names = list(OmegaConf.load(path).datasets)
    settings = [
        f"datasets.{name}.{value}" for name in names for value in ("batch_size=2", "limit.test=3", "limit.train=20")
    ]
    code = launch.main(["--cfg-path", str(path), "--options", *SHORT, *settings, f"run.output_dir={tmp_path / 'out'}"])
    said = capsys.readouterr()
    assert code == 0, said.err
    out = tmp_path / "out"
    steps = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [step["iteration"] for step in steps] == [1, 2]
    assert torch.load(out / "checkpoint_last.pth", weights_only=True)["pefomed"]["iteration"] == 2
    found = json.loads((out / "provenance.json").read_text())
    assert {part["origin"] for part in found["data"].values()} == {"generated"}
    assert found["model"]["origin"] == "tiny"
    assert sorted(found["data"]) == sorted(names)
    tested = list((out / "results").glob("*/predictions.jsonl"))
    assert bool(tested) == (path.name != "pefomed_stage1.yaml")
    for answers in tested:
        assert len(answers.read_text().splitlines()) == 3
        assert json.loads((out / "results" / "provenance.json").read_text())["processes"] == 1


def test_training_loads_nothing_that_it_does_not_use(sample, tmp_path):
    """Tables, plots, servers and judges belong to other commands; what is left is what computes."""
    others = ["pandas", "sklearn", "matplotlib", "pyarrow", "datasets", "wandb", "openai", "starlette", "uvicorn"]
    code = (
        "import sys\nfrom pefomed_plugin import launch\ncode = launch.main(sys.argv[1:])\n"
        f"print('loaded:', [name for name in {others!r} if name in sys.modules])\nsys.exit(code)"
    )
    options = [*SHORT, "run.device=cpu", "datasets.vqa_rad.batch_size=2", "datasets.vqa_rad.limit.train=20"]
    options += ["datasets.vqa_rad.limit.test=3", f"run.output_dir={tmp_path / 'out'}"]
    done = subprocess.run(
        [sys.executable, "-c", code, "--cfg-path", str(YAMLS[1]), "--options", *options],
        env={**os.environ, "PEFOMED_SAMPLE": str(sample), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "loaded: []"


def _is_saved(out):
    """Killed within its first saving, a run has no checkpoint, and begins anew."""
    return (out / "checkpoint_last.pth.sha256").is_file() and not any(out.glob(".undo-*"))


def test_a_killed_run_is_continued_by_the_line_it_prints(sample, tmp_path):
    """Killed between two checkpoints; the same command is refused, the printed one goes on in the same folder."""
    environ = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environ.update(PEFOMED_SAMPLE=str(sample), CUDA_VISIBLE_DEVICES="", OMP_NUM_THREADS="1")
    out = tmp_path / "a #1"
    options = [*SHORT, "run.iters_per_epoch=6", "run.save_every_steps=1", "run.test_splits=[]", "run.device=cpu"]
    options += ["datasets.vqa_rad.batch_size=2", "datasets.vqa_rad.limit.train=20", f"run.output_dir={out}"]
    command = [sys.executable, str(ROOT / "train.py"), "--cfg-path", str(YAMLS[1]), "--options", *options]
    killed = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not _is_saved(out) and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert (out / "unfinished.json").is_file()
    again = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    found = re.search(r"to continue it: python (.*)", again.stderr)
    assert found, again.stderr
    line = found[1]
    done = subprocess.run(
        [sys.executable, *shlex.split(line)], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "resuming at iteration" in done.stdout
    assert [path.name for path in tmp_path.iterdir() if not path.name.endswith(".lock")] == ["a #1"]
    assert torch.load(out / "checkpoint_last.pth", weights_only=True)["pefomed"]["iteration"] == 6
    assert not (out / "unfinished.json").exists()
