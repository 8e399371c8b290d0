"""Sixteen ranks on one machine, as forked processes with gloo: ``python -m tests.conformance.sixteen_ranks FOLDER``.

Each trains the golden tiny model for one epoch on its share of 101 made-up samples of 17 images and writes down which
ones it was given. Forked, because sixteen times starting Python and torch would take longer than the run.
"""

from __future__ import annotations

import json
import os
import sys
from multiprocessing import get_context
from pathlib import Path

import torch
from torch.utils.data import Dataset

from pefomed_plugin.adapters.runner import RunnerPefomed
from pefomed_plugin.adapters.tasks import MedicalVqaTask
from tests.conformance.golden import arrays, golden, golden_model
from tests.conformance.golden_run import Cfg

RANKS, SAMPLES, IMAGES = 16, 101, 17


class Questions(Dataset):
    """Samples that note who asked for them."""

    name, batch_size, sample_ratio = "golden", 2, 1.0

    def __init__(self, seen):
        self.seen = seen

    def __len__(self):
        return SAMPLES

    def images_of(self, number):
        return number % IMAGES

    def __getitem__(self, draw):
        self.seen.append(draw.sample)
        which = draw.sample % 6
        return {
            "image": arrays()["images"][self.images_of(draw.sample) % 6],
            "answer": golden()["answer"][which],
            "instruction_input": golden()["instruction_input"][which],
            "image_id": str(draw.sample),
            "image_key": self.images_of(draw.sample),
        }


def train(rank, folder):
    """One rank."""
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(RANKS), LOCAL_WORLD_SIZE=str(RANKS))
    seen = []
    cfg = Cfg(
        {
            "task": "medical_vqa",
            "output_dir": str(folder),
            "device": "cpu",
            "max_epoch": 1,
            "log_freq": 1,
            "init_lr": 1e-3,
            "questions_per_image": 3,
        }
    )
    runner = RunnerPefomed(cfg, MedicalVqaTask(), golden_model(), {"golden": {"train": Questions(seen)}})
    runner.train()
    weights = sum(parameter.double().sum().item() for parameter in runner.model.parameters() if parameter.requires_grad)
    (folder / f"rank{rank}.json").write_text(json.dumps({"seen": seen, "weights": weights}))


def main():
    """Start them all; the exit code is that of the worst."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=sys.argv[2])
    arrays()
    golden_model()  # what it imports is then imported for all
    processes = [get_context("fork").Process(target=train, args=(rank, folder)) for rank in range(RANKS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return max(abs(process.exitcode) for process in processes)


if __name__ == "__main__":
    sys.exit(main())
