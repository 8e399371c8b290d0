"""Strategies by name, and what they refuse at the start; the arithmetic: ``conformance/test_resume_processes.py``."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from pefomed_plugin.adapters.training.strategies import STRATEGIES, strategy_of
from pefomed_plugin.config.compose import read_configuration
from pefomed_plugin.errors import ConfigError

FSDP = strategy_of("fsdp")


def configuration(**changes):
    sections = {
        "model": {},
        "datasets": {"vqa_rad": {}},
        "run": {"task": "medical_vqa", "output_dir": "out", "strategy": "fsdp", "precision": "bf16"},
    }
    return read_configuration(sections).with_values(changes)


def test_a_strategy_that_does_not_exist():
    with pytest.raises(ConfigError, match=r"run\.strategy: 'fdsp' is no training strategy; did you mean 'fsdp'\?"):
        strategy_of("fdsp")


def test_every_strategy_says_what_it_is():
    for name, strategy in STRATEGIES.items():
        assert (strategy.name, type(strategy.can_answer), type(strategy.words)) == (name, bool, str)


def test_what_a_strategy_cannot_do_is_refused_together():
    assert FSDP.refusals(configuration()) == []
    refused = FSDP.refusals(
        configuration(
            **{
                "run.test_splits": ("test",),
                "run.precision": "fp16",
                "model.vit_on_cpu": True,
                "model.llm_quantization": "4bit",
            }
        )
    )
    assert [
        word in line for word, line in zip(("only trains", "fp16", "vit_on_cpu", "llm_quantization"), refused)
    ] == 4 * [True]
    assert strategy_of("ddp").refusals(configuration(**{"model.vit_on_cpu": True, "run.evaluate": True})) == []
    assert "only trains" in FSDP.refusals(configuration(**{"run.evaluate": True}))[0]
    assert "fp16" in FSDP.refusals(configuration(**{"run.precision": None, "run.amp": True}))[0]


def test_one_process_and_a_gpu_without_bf16_are_refused_together():
    accelerator = SimpleNamespace(num_processes=1, mixed_precision="fp16", device=torch.device("cpu"))
    with pytest.raises(ConfigError) as caught:
        FSDP.prepare(accelerator, torch.nn.Linear(2, 2), None)
    assert ["torchrun" in caught.value.problems[0], "run.precision=fp32" in caught.value.problems[1]] == [True, True]


def test_whether_steps_are_fused_is_not_taken_from_a_checkpoint():
    layer = torch.nn.Linear(2, 2)
    state = torch.optim.AdamW(layer.parameters(), fused=True).state_dict()
    optimizer = torch.optim.AdamW(layer.parameters())
    strategy_of("ddp").load_optimizer(optimizer, state)
    assert not optimizer.param_groups[0]["fused"]
