"""Slurm's job file: told to stop, a run saves and is queued again; started again, it comes to the same losses."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pefomed_plugin.embedded import code_digest
from pefomed_plugin.embedded.tiny_model import make_tiny_model
from pefomed_plugin.environment import VARIABLES
from pefomed_plugin.origins import mark_generated
from tests.unit.services.small import LEAKY, write_rad

ROOT = Path(__file__).resolve().parents[2]
JOB = ROOT / "slurm" / "train.sh"
NODES = ("1", "2")
OPTIONS = ("run.max_epoch=1", "run.iters_per_epoch=60", "run.log_freq=1", "run.test_splits=[]", "run.output_dir=out")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bash") is None, reason="the job file is for bash"),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    make_tiny_model(folder, steps=2)
    mark_generated(folder, {"seed": 0, "code": code_digest()}, whole=True)
    return folder


@pytest.fixture
def cluster(tiny, tmp_path):
    """An environment with a ``srun`` that starts its command here, and a ``scontrol`` that notes what it is asked."""
    programs = tmp_path / "bin"
    programs.mkdir()
    texts = {
        # all machines are this one: who was told to meet a second one would wait for it
        "srun": 'while [ "${1#--}" != "$1" ]; do shift; done\nexec "${@/--nnodes 2 /--nnodes 1 }"',
        "scontrol": f'echo "$@" >> {tmp_path}/scontrol.log\n[ "$1" = show ] && echo 127.0.0.1 || true',
        "pefomed": f'exec {sys.executable} -m pefomed_plugin.cli "$@"',
    }
    for name, text in texts.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    release = write_rad(tmp_path / "data" / "vqa_rad", LEAKY)
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return {
        **kept,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PEFOMED_SAMPLE": str(tiny),
        "PEFOMED_DATA": str(release.parent),
        "OMP_NUM_THREADS": "1",
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NODELIST": "here",
        "SLURM_SUBMIT_DIR": str(tmp_path),
    }


def start(nodes, environ, *options):
    words = ["bash", str(JOB), "projects/pefomed/stage2_vqa_rad.yaml", *OPTIONS, *options]
    return subprocess.Popen(
        words,
        env={**environ, "SLURM_NNODES": nodes},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def losses(folder):
    lines = (folder / "log.jsonl").read_text().splitlines()
    return {line["iteration"]: line["loss"] for line in map(json.loads, lines)}


def logged(folder):
    path = folder / "log.jsonl"
    return len(path.read_text().splitlines()) if path.is_file() else 0


@pytest.mark.parametrize("nodes", NODES)
def test_a_job_that_is_told_to_stop_goes_on_by_itself(nodes, cluster, tmp_path):
    running = start(nodes, cluster)
    while logged(tmp_path / "out") < 3 and running.poll() is None:
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)  # as --signal=B:TERM@180 does: to the script alone
    said = running.communicate(timeout=120)[0]
    asked = (tmp_path / "scontrol.log").read_text().splitlines()
    assert running.returncode == 0 and asked[-1] == f"requeue {cluster['SLURM_JOB_ID']}", said
    assert ("show hostnames here" in asked) == (nodes == "2")
    assert "told to stop" in said and (tmp_path / "out" / "unfinished.json").is_file()
    stopped_at = logged(tmp_path / "out")
    assert 3 <= stopped_at < 60

    again = start(nodes, {**cluster, "SLURM_RESTART_COUNT": "1"})
    said = again.communicate(timeout=120)[0]
    assert again.returncode == 0 and f"resuming at iteration {stopped_at}" in said, said
    assert sum(line.startswith("requeue") for line in (tmp_path / "scontrol.log").read_text().splitlines()) == 1

    whole = start(nodes, cluster, "run.output_dir=whole")
    assert whole.wait(timeout=120) == 0
    whole.stdout.close()
    found, expected = losses(tmp_path / "out"), losses(tmp_path / "whole")
    assert found.keys() == expected.keys()
    assert max(abs(found[step] - expected[step]) for step in expected) < 1e-5


@pytest.mark.parametrize("nodes", NODES)
def test_a_mistake_is_not_queued_again(nodes, cluster, tmp_path):
    failing = start(nodes, cluster, "run.no_such_key=1")
    said = failing.communicate(timeout=120)[0]
    assert failing.returncode == 2 and "no_such_key" in said
    log = tmp_path / "scontrol.log"
    assert not log.is_file() or "requeue" not in log.read_text()


def test_a_job_is_not_queued_again_for_ever(cluster, tmp_path):
    restarts = {"SLURM_RESTART_COUNT": "3", "PEFOMED_MOST_RESTARTS": "3"}
    running = start("1", {**cluster, **restarts})
    while logged(tmp_path / "out") < 1 and running.poll() is None:
        time.sleep(0.02)
    running.send_signal(signal.SIGTERM)
    said = running.communicate(timeout=120)[0]
    assert running.returncode != 0 and "not queued again" in said and not (tmp_path / "scontrol.log").exists()


def test_what_slurm_is_told():
    text = JOB.read_text()
    assert {"#SBATCH --requeue", "#SBATCH --signal=B:TERM@180", "#SBATCH --open-mode=append"} <= set(text.splitlines())
