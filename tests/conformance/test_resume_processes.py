"""Several processes train as one does, and go on where others stopped."""

from __future__ import annotations

import pytest
import torch

from pefomed_plugin.toolkit.checkpoint import load_weights, read_checkpoint
from tests.conformance.golden_run import golden_runner
from tests.conformance.stopped_runs import interrupt_after, same, steps_of, torchrun


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """One process with batches of six, eight steps."""
    folder = tmp_path_factory.mktemp("single")
    golden_runner(folder, batch_size=6, max_epoch=1).train()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "batches"),
    [
        ("ddp", ("batch_size=3",)),
        ("fsdp", ("batch_size=3",)),
        ("fsdp", ("batch_size=1", "accum_grad_iters=3", "iters_per_epoch=24", "warmup_steps=15")),
    ],
)
def test_two_processes_of_three_equal_one_of_six(single, tmp_path, strategy, batches):
    """The loss is the mean over the answer tokens of both ranks, which have different numbers of them."""
    done = torchrun(2, tmp_path, "max_epoch=1", "strategy=" + strategy, *batches)
    assert done.returncode == 0, done.stderr
    one, two = (read_checkpoint(folder / "checkpoint_last.pth") for folder in (single, tmp_path))
    assert list(one["model"]) == list(two["model"])
    for key, tensor in one["model"].items():
        assert torch.allclose(tensor, two["model"][key], rtol=0, atol=1e-6), key
    if batches == ("batch_size=3",):
        for key in ("loss", "grad_norm", "samples", "tokens"):
            assert [each[key] for each in steps_of(single)] == pytest.approx(
                [each[key] for each in steps_of(tmp_path)], abs=1e-6
            ), key


@pytest.mark.slow
def test_the_whole_golden_run_on_two_processes(tmp_path):
    """All 24 steps: the weights of one process with the large batch."""
    golden_runner(tmp_path / "one", batch_size=6).train()
    done = torchrun(2, tmp_path / "two", "batch_size=3")
    assert done.returncode == 0, done.stderr
    one, two = (read_checkpoint(tmp_path / each / "checkpoint_last.pth")["model"] for each in ("one", "two"))
    assert max((one[key] - two[key]).abs().max().item() for key in one) <= 1e-6


@pytest.mark.slow
def test_a_checkpoint_of_fsdp_goes_on_in_one_process_and_back(single, tmp_path):
    """Four steps spread over two ranks, two in one process, two spread again: the run of one process."""
    options = ("max_epoch=1", "save_every_steps=1", "resume=auto")
    spread = ("batch_size=3", "strategy=fsdp", *options)
    assert torchrun(2, tmp_path, *spread, "kill_at=5").returncode != 0
    assert read_checkpoint(tmp_path / "checkpoint_last.pth")["pefomed"]["iteration"] == 4
    runner = golden_runner(tmp_path, batch_size=6, max_epoch=1, save_every_steps=1, resume="auto")
    interrupt_after(runner, 2)
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    done = torchrun(2, tmp_path, *spread)
    assert "resuming at iteration 6" in done.stdout, done.stderr
    one, two = (read_checkpoint(folder / "checkpoint_last.pth") for folder in (single, tmp_path))
    for key, tensor in one["model"].items():
        assert torch.allclose(tensor, two["model"][key], rtol=0, atol=1e-6), key
    load_weights(golden_runner(tmp_path / "fresh").model, two["model"], "spread")


@pytest.mark.slow
def test_killed_with_two_processes_and_workers_and_resumed(tmp_path):
    options = ("batch_size=1", "num_workers=2", "save_every_steps=3", "lora_dropout=0.1", "resume=auto")
    assert torchrun(2, tmp_path / "whole", *options).returncode == 0
    killed = torchrun(2, tmp_path / "killed", *options, "kill_at=14")
    assert killed.returncode != 0
    assert read_checkpoint(tmp_path / "killed" / "checkpoint_last.pth")["pefomed"]["iteration"] == 12
    assert torchrun(2, tmp_path / "killed", *options).returncode == 0
    one, two = (read_checkpoint(tmp_path / name / "checkpoint_last.pth") for name in ("whole", "killed"))
    assert same(one["model"], two["model"])
    assert same(one["optimizer"], two["optimizer"])
