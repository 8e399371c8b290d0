"""Variants of LoRA in whole runs: resumed, on two processes, with LoRA+."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pefomed_plugin.adapters.training import trainer
from pefomed_plugin.adapters.training.arithmetic import take_step
from pefomed_plugin.errors import CheckpointError
from pefomed_plugin.lora import RECORD, LoraSettings
from pefomed_plugin.toolkit.checkpoint import read_checkpoint
from tests.conformance.golden_run import golden_runner
from tests.conformance.stopped_runs import interrupt_after, same, steps_of, torchrun
from tests.conformance.test_peft_variants import TARGETS, VARIANTS

RUNS = {
    "dora": VARIANTS["dora"],
    "pissa by iteration, ranks": VARIANTS["pissa by iteration, ranks"],
    "embedding whole, pissa": VARIANTS["embedding whole, pissa"],
    "head and norms whole": VARIANTS["head and norms whole"],
    "lora+": LoraSettings(4, 16, TARGETS, 0.1, lora_plus_ratio=8.0),
}


@pytest.mark.parametrize("name", RUNS)
def test_stopped_and_resumed_is_the_run_that_was_not(tmp_path: Path, name: str) -> None:
    settings = {"lora": RUNS[name], "max_epoch": 1, "shuffle": True, "save_every_steps": 3, "resume": "auto"}
    golden_runner(tmp_path / "whole", **settings).train()
    runner = golden_runner(tmp_path / "stopped", **settings)
    interrupt_after(runner, 5)
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    golden_runner(tmp_path / "stopped", **settings).train()
    one, two = (read_checkpoint(tmp_path / folder / "checkpoint_last.pth") for folder in ("whole", "stopped"))
    for key in ("model", "optimizer", "epoch", "pefomed", RECORD):
        assert same(one[key], two[key]), key


def test_b_learns_as_much_faster_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step: B's group has the schedule's rate times the ratio, all else the rate; peft's groups of B are ours."""
    from peft.optimizers import create_loraplus_optimizer

    rates: list[list[float]] = []
    groups: list[Any] = []

    def noted(strategy: Any, accelerator: Any, model: Any, optimizer: Any, norm: Any) -> Any:
        groups[:] = optimizer.param_groups
        rates.append([group["lr"] for group in groups])
        return take_step(strategy, accelerator, model, optimizer, norm)

    monkeypatch.setattr(trainer, "take_step", noted)
    runner = golden_runner(tmp_path, lora=RUNS["lora+"], max_epoch=1)
    runner.train()
    assert len({first for first, _, _ in rates}) > 2, "the schedule moves"
    assert all(second == first and third == first * 8.0 for first, second, third in rates)
    theirs = create_loraplus_optimizer(
        runner.model.llama_model, torch.optim.AdamW, lr=1e-3, loraplus_lr_ratio=8.0, loraplus_weight_decay=0.05
    )
    faster = [parameter for group in theirs.param_groups if group["lr"] > 1e-3 for parameter in group["params"]]
    assert set(map(id, faster)) == set(map(id, groups[2]["params"])) and faster
    assert groups[2]["weight_decay"] == groups[0]["weight_decay"] > groups[1]["weight_decay"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "strategy"),
    [("dora", "fsdp"), ("embedding whole, pissa", "fsdp"), ("head and norms whole", "ddp"), ("lora+", "fsdp")],
)
def test_two_processes_equal_one(tmp_path: Path, name: str, strategy: str) -> None:
    """Weights to 1e-5: AdamW makes more than 1e-6 of what sums in another order leave of a gradient near zero."""
    lora = replace(RUNS[name], lora_dropout=0.0)
    golden_runner(tmp_path / "one", batch_size=6, max_epoch=1, lora=lora).train()
    settings = json.dumps({**lora.record(), "lora_plus_ratio": lora.lora_plus_ratio})
    done = torchrun(2, tmp_path / "two", "batch_size=3", "max_epoch=1", f"strategy={strategy}", f"lora={settings}")
    assert done.returncode == 0, done.stderr
    one, two = (tmp_path / folder for folder in ("one", "two"))
    for key in ("loss", "grad_norm", "samples", "tokens"):
        assert [step[key] for step in steps_of(one)] == pytest.approx([step[key] for step in steps_of(two)], abs=1e-5)
    first, second = (read_checkpoint(folder / "checkpoint_last.pth")["model"] for folder in (one, two))
    assert list(first) == list(second)
    for key, tensor in first.items():
        assert torch.allclose(tensor, second[key], rtol=0, atol=1e-5), key


def test_another_ratio_cannot_be_resumed(tmp_path: Path) -> None:
    settings = {"max_epoch": 1, "save_every_steps": 3, "resume": "auto"}
    golden_runner(tmp_path, lora=RUNS["lora+"], **settings).train()
    for lora, told in ((replace(RUNS["lora+"], lora_plus_ratio=4.0), "8, now it is 4"), (None, "8, now it is none")):
        with pytest.raises(CheckpointError, match=f"lora_plus_ratio {told}"):
            golden_runner(tmp_path, lora=lora or replace(RUNS["lora+"], lora_plus_ratio=None), **settings).train()
