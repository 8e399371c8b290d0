"""Someone with four GPUs: what it costs, whether it will run, how it starts; stopped, continued, watched.

The processes here are two on the CPU.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from .terminal import Newcomer

COMMANDS = 8
RUN = "output/embedded/stage2_vqa_rad"
SHORT = "run.iters_per_epoch=40 run.log_freq=1 datasets.vqa_rad.batch_size=4 datasets.vqa_rad.limit.test=20"
pytestmark = pytest.mark.slow


def test_four_gpus(newcomer: Callable[..., Newcomer]) -> None:
    someone = newcomer()
    estimated = someone.types("pefomed estimate --cfg-path projects/pefomed/stage2_vqa_rad.yaml --gpu A40 --gpus 4")
    assert "4 x A40" in estimated.text and "card hours" in estimated.text
    checked = someone.follows(estimated)
    assert "ready" in checked.text
    shown = someone.follows(checked, "--nproc-per-node", "4", "--dry-run")
    assert shown.lines[0].startswith("torchrun ") and " --nproc-per-node 4 " in shown.lines[0]
    assert shown.next == "pefomed train --cfg-path projects/pefomed/stage2_vqa_rad.yaml --nproc-per-node 4"

    here = f"{shown.next.replace('node 4', 'node 2')} --options {SHORT}"
    stopped = someone.types(here, code=143, until=lambda text: "iteration 2:" in text)
    assert "stopped by a signal" in stopped.text and "the checkpoint is written" in stopped.text
    assert (someone.folder / RUN / "unfinished.json").is_file()
    line = next(line for line in stopped.lines if line.startswith("to continue: "))
    watched = someone.types(f"pefomed watch {RUN} --once")
    assert "of" in watched.text

    done = someone.types(line[len("to continue: ") :])
    assert "resuming at iteration" in done.text and not (someone.folder / RUN / "unfinished.json").exists()
    log = [json.loads(row) for row in (someone.folder / RUN / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["iteration"] for row in log] == list(range(1, 41)), "each step once"
    watched = someone.types(f"pefomed watch {RUN} --out training.html")
    assert "done" in watched.text and "<svg" in (someone.folder / "training.html").read_text(encoding="utf-8")
    someone.follows(done)
    assert "generated data" in (someone.folder / RUN / "report.html").read_text(encoding="utf-8")
    assert someone.commands == COMMANDS
