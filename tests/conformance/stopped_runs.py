"""Runs that are stopped, or have several processes, and how two of them are compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import torch


def same(one, two):
    """Whether two nested structures hold the same bits."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(same(*pair) for pair in zip(one, two))
    return one == two


def interrupt_after(runner, steps, error=KeyboardInterrupt):
    """Make ``runner`` fail when it is about to take one more step."""
    original, taken = runner.task.train_step, []

    def train_step(model, batch):
        if len(taken) == steps:
            raise error
        taken.append(1)
        return original(model, batch)

    runner.task.train_step = train_step


def torchrun(processes, folder, *options):
    """The golden run in its own processes; returns what they said."""
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            str(processes),
            "-m",
            "tests.conformance.golden_process",
            str(folder),
            *options,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def steps_of(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
