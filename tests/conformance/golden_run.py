"""The golden training run: 24 steps on the six golden samples, driven by our own runner."""

from __future__ import annotations

import torch
from omegaconf import OmegaConf
from torch.utils.data import Dataset

from pefomed_plugin.adapters.runner import RunnerPefomed
from pefomed_plugin.adapters.tasks import MedicalVqaTask
from tests.conformance.golden import arrays, golden, golden_model


class GoldenSamples(Dataset):
    """The six samples as the runner's data set."""

    name, batch_size, sample_ratio = "golden", 2, 1.0

    def __len__(self):
        return 6

    def __getitem__(self, draw):
        number = getattr(draw, "sample", draw)  # validation takes them by their number
        return {
            "image": arrays()["images"][number],
            "instruction_input": golden()["instruction_input"][number],
            "answer": golden()["answer"][number],
            "image_id": f"golden-{number}",
        }


class Cfg:
    """What a runner reads of a configuration."""

    def __init__(self, run):
        self.config = OmegaConf.create({"run": run, "model": {"arch": "minigpt_v2"}})
        self.run_cfg, self.model_cfg = self.config.run, self.config.model

    def to_dict(self):
        return OmegaConf.to_container(self.config)


def golden_runner(output_dir, batch_size=2, lora_dropout=0.0, lora=None, **options):
    """A runner as the golden run needs it; ``options`` go into its ``run`` section. Other ``lora`` begins untrained."""
    run = golden()["run"]
    cfg = Cfg(
        {
            "task": "medical_vqa",
            "output_dir": str(output_dir),
            "device": "cpu",
            "shuffle": False,
            "log_freq": 5,
            **{
                key: run[key]
                for key in (
                    "init_lr",
                    "min_lr",
                    "warmup_lr",
                    "warmup_steps",
                    "weight_decay",
                    "max_epoch",
                    "iters_per_epoch",
                    "accum_grad_iters",
                )
            },
            **options,
        }
    )
    data = GoldenSamples()
    data.batch_size = batch_size
    torch.manual_seed(5)  # of what other LoRA begins with, and the vision encoder behind it
    model = golden_model(lora_dropout=lora_dropout, lora=lora)
    return RunnerPefomed(cfg, MedicalVqaTask(), model, {"golden": {"train": data}})
