"""The golden run as a process of its own, for ``torchrun``: ``golden_process FOLDER [key=value ...]``.

``kill_at=N`` kills rank 0 with SIGKILL when it is about to take its N-th step, ``raise_at=N`` raises there in rank 1.
It ends as ``train.py`` does.
"""

from __future__ import annotations

import os
import signal
import sys

import yaml

from pefomed_plugin.adapters.devices import leave_processes
from pefomed_plugin.launch import report_errors
from pefomed_plugin.lora import LoraSettings
from pefomed_plugin.services.ranks import end_process
from tests.conformance.golden_run import golden_runner


def main() -> None:
    """Run to the end, or to the kill."""
    folder, *pairs = sys.argv[1:]
    options = {key: yaml.safe_load(value) for key, value in (pair.split("=", 1) for pair in pairs)}
    kill_at, raise_at = options.pop("kill_at", None), options.pop("raise_at", None)
    if "lora" in options:
        options["lora"] = LoraSettings.of(options["lora"])
    runner = golden_runner(folder, **options)
    original, taken = runner.task.train_step, []

    def train_step(model, batch):
        taken.append(1)
        if len(taken) == kill_at and os.environ["RANK"] == "0":
            os.kill(os.getpid(), signal.SIGKILL)
        if len(taken) == raise_at and os.environ["RANK"] == "1":
            raise RuntimeError("the graphics card of rank 1 is on fire")
        return original(model, batch)

    runner.task.train_step = train_step
    runner.train()
    leave_processes()


if __name__ == "__main__":
    end_process(report_errors(main))
