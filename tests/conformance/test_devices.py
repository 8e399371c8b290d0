"""What a GPU changes in a step: nothing waits for it. Skipped without one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from pefomed_plugin.adapters.devices import make_accelerator, peak_memory_gib
from pefomed_plugin.adapters.training.arithmetic import build_optimizer, seed_iteration, share_counts, take_step
from pefomed_plugin.adapters.training.step_log import NonfiniteSteps
from pefomed_plugin.adapters.training.strategies import strategy_of
from pefomed_plugin.config.run import read_run_config
from pefomed_plugin.errors import PefomedError


def options(**section):
    return read_run_config({"task": "medical_vqa", "output_dir": "out", "weight_decay": 0.0, **section})


def one_step(device, gradient, steps=1):
    """A linear layer after steps with this gradient everywhere; also norms and flags of the steps."""
    seed_iteration(1, 0, 0)
    model = torch.nn.Linear(4, 4).to(device)
    accelerator = make_accelerator(options(device=device, precision="fp32"))
    optimizer = accelerator.prepare(build_optimizer(model, options()))
    done = []
    for _ in range(steps):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        done.append(take_step(strategy_of("ddp"), accelerator, model, optimizer, None))
    return model, done


@pytest.mark.parametrize("gradient", [float("nan"), float("inf")])
def test_a_gradient_that_is_no_number_takes_no_step(gradient):
    before, _ = one_step("cpu", 0.0, 0)
    after, [(_, left_out)] = one_step("cpu", gradient)
    assert left_out is True
    assert all(torch.equal(*pair) for pair in zip(before.parameters(), after.parameters()))
    assert one_step("cpu", 1.0)[1][0][1] is False


def test_flags_on_a_gpu_are_looked_at_when_the_log_is_written(tmp_path):
    steps = NonfiniteSteps(tmp_path / "nonfinite.rank0.jsonl", 1)
    batches = [{"image_id": ["a", "b"]}]
    for iteration, flag in ((1, 0.0), (2, 1.0), (3, 0.0)):
        steps.add(iteration, batches, torch.tensor(flag))
    assert not steps.path.exists()
    steps.check()
    assert steps.count == 1
    assert steps.path.read_text() == '{"iteration": 2, "samples": ["a", "b"]}\n'
    steps.add(4, batches, torch.tensor(1.0))
    with pytest.raises(PefomedError, match=r"iteration 4; steps left out so far: 2"):
        steps.check()


def test_steps_that_the_loss_scaling_leaves_out_are_shown_and_stop_a_run_when_they_do_not_end(tmp_path, capsys):
    steps = NonfiniteSteps(
        tmp_path / "nonfinite.rank0.jsonl", 0, {"nonfinite": 0, "left_out_by_scaling": 2}, scaled=True
    )
    for iteration in range(1, 51):
        steps.add(iteration, [{"image_id": ["a"]}], torch.tensor(float(iteration != 25)))
    with pytest.raises(PefomedError, match=r"in 25 steps one after the other, up to iteration 50.*precision=bf16"):
        steps.check()
    steps = NonfiniteSteps(tmp_path / "nonfinite.rank0.jsonl", 0, {"left_out_by_scaling": 2}, scaled=True)
    for iteration in range(1, 41):
        steps.add(iteration, [{"image_id": ["a"]}], torch.tensor(float(iteration < 4)))
    steps.check()
    assert "left out 3 of the last 40 steps, 5 in all" in capsys.readouterr().out
    assert steps.counts() == {"nonfinite": 0, "left_out_by_scaling": 5}


def test_a_step_that_the_loss_scaling_leaves_out_is_told():
    model = torch.nn.Linear(2, 2)
    accelerator = SimpleNamespace(scaler=object(), clip_grad_norm_=torch.nn.utils.clip_grad_norm_)
    for gradient, expected in ((1.0, 0.0), (float("inf"), 1.0)):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        _, left_out = take_step(strategy_of("ddp"), accelerator, model, torch.optim.SGD(model.parameters(), 0.0), None)
        assert float(left_out) == expected


def test_memory_of_this_process_is_told_in_gib():
    assert 0.05 < peak_memory_gib(torch.device("cpu")) < 64


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")


@needs_gpu
def test_a_step_on_a_gpu_does_not_wait_for_it():
    class Model(torch.nn.Linear):
        end_sym, max_txt_len = "</s>", 8
        llama_tokenizer = type("Tokenizer", (), {"encode": staticmethod(lambda text, add_special_tokens: [1, 2])})

    accelerator = make_accelerator(options(device="cuda", precision="fp32"))
    model = Model(4, 4).cuda()
    optimizer = accelerator.prepare(build_optimizer(model, options()))
    assert optimizer.param_groups[0]["fused"]
    for number in range(3):
        counts = share_counts(accelerator, model, [{"answer": ["yes"]}], False, False)
        model(torch.ones(2, 4, device="cuda")).sum().backward()
        torch.cuda.set_sync_debug_mode("error" if number else "default")  # the first step makes the state
        try:
            take_step(strategy_of("ddp"), accelerator, model, optimizer, 1.0)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert counts.all_tokens == 2


@needs_gpu
def test_the_fused_step_is_left_out_on_the_gpu():
    before, _ = one_step("cuda", 0.0, 0)
    after, [(norm, left_out)] = one_step("cuda", float("nan"))
    assert bool(left_out)
    assert torch.isnan(norm)
    assert all(torch.equal(*pair) for pair in zip(before.parameters(), after.parameters()))
    moved, [(_, taken)] = one_step("cuda", 1.0)
    assert not bool(taken)
    assert not torch.equal(moved.weight, before.weight)
