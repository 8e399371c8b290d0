"""Where a spread model cannot be used, it says so; the arithmetic is in ``conformance/test_resume.py``."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from pefomed_plugin.adapters.training.fsdp import load_optimizer, shard_model
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.options import read_run_options


def test_one_process_and_fp16_are_refused_together():
    accelerator = SimpleNamespace(num_processes=1, mixed_precision="fp16", device=torch.device("cpu"))
    with pytest.raises(ConfigError) as caught:
        shard_model(accelerator, torch.nn.Linear(2, 2))
    assert ["torchrun" in caught.value.problems[0], "run.precision=bf16" in caught.value.problems[1]] == [True, True]


@pytest.mark.parametrize("section", [{"test_splits": ["test"]}, {"evaluate": True}])
def test_it_only_trains(section):
    with pytest.raises(ConfigError, match="fsdp only trains"):
        read_run_options({"task": "medical_vqa", "output_dir": "out", "strategy": "fsdp", **section})


def test_whether_steps_are_fused_is_not_taken_from_a_checkpoint():
    layer = torch.nn.Linear(2, 2)
    state = torch.optim.AdamW(layer.parameters(), fused=True).state_dict()
    optimizer = torch.optim.AdamW(layer.parameters())
    load_optimizer(optimizer, state)
    assert not optimizer.param_groups[0]["fused"]
