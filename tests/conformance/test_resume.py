"""A run that is stopped anywhere and resumed is bit for bit the run that was not."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal

import pytest
import torch

from pefomed_plugin.adapters.training import validation
from pefomed_plugin.adapters.training.checkpoints import CheckpointKeeper
from pefomed_plugin.adapters.training.trainer import INTERRUPTED, STOPPED, StoppedBySignal
from pefomed_plugin.errors import CheckpointError, PefomedError
from pefomed_plugin.toolkit.checkpoint import read_checkpoint, trainable_state
from tests.conformance.golden import golden
from tests.conformance.golden_run import golden_runner
from tests.conformance.stopped_runs import interrupt_after, same, steps_of

SETTINGS = {"lora_dropout": 0.1, "shuffle": True, "save_every_steps": 5, "resume": "auto", "keep_last": 3}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    golden_runner(folder, **SETTINGS).train()
    return folder


@pytest.mark.parametrize("stops", [(7,), (16,), (3, 11, 20)])
def test_stopped_and_resumed_is_the_run_that_was_not(whole, tmp_path, stops):
    done = 0
    for stop in stops:
        runner = golden_runner(tmp_path, **SETTINGS)
        interrupt_after(runner, stop - done)
        with pytest.raises(KeyboardInterrupt):
            runner.train()
        done = (stop // 8 * 8) if stop // 8 * 8 > stop // 5 * 5 else stop // 5 * 5
    golden_runner(tmp_path, **SETTINGS).train()
    one, two = (read_checkpoint(folder / "checkpoint_last.pth") for folder in (whole, tmp_path))
    for key in ("model", "optimizer", "epoch", "pefomed"):
        assert same(one[key], two[key]), key
    logs = [
        [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()] for folder in (whole, tmp_path)
    ]
    assert [(each["iteration"], each["loss"], each["lr"]) for each in logs[0]] == [
        (each["iteration"], each["loss"], each["lr"]) for each in logs[1]
    ]


def test_dropout_is_on_in_these_runs(whole, tmp_path):
    golden_runner(tmp_path, **{**SETTINGS, "lora_dropout": 0.0}).train()
    one, two = (read_checkpoint(folder / "checkpoint_last.pth") for folder in (whole, tmp_path))
    assert not same(one["model"], two["model"])


def told_after(runner, steps, *numbers):
    """The runner told to stop by signals within its step number ``steps``; of its loaders the process groups."""
    original, taken, groups = runner.task.train_step, [], {}

    def train_step(model, batch):
        taken.append(1)
        groups.update({child.pid: os.getpgid(child.pid) for child in multiprocessing.active_children()})
        if len(taken) == steps:
            for number in numbers:
                os.kill(os.getpid(), number)
        return original(model, batch)

    runner.task.train_step = train_step
    return groups


@pytest.fixture
def interruptible():
    """A process that a shell began in the background ignores Ctrl-C; these tests are about one that does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGTERM, STOPPED, "stopped by a signal at"),
        (signal.SIGHUP, STOPPED, "stopped by a signal at"),
        (signal.SIGINT, INTERRUPTED, "interrupted at iteration"),
    ],
)
def test_a_signal_saves_and_stops(whole, tmp_path, number, code, said):
    runner = golden_runner(tmp_path, **SETTINGS)
    told_after(runner, 13, number)
    with pytest.raises(StoppedBySignal, match=said) as caught:
        runner.train()
    assert caught.value.exit_code == code
    assert read_checkpoint(tmp_path / "checkpoint_last.pth")["pefomed"]["iteration"] in (13, 14)
    golden_runner(tmp_path, **SETTINGS).train()
    assert same(
        read_checkpoint(whole / "checkpoint_last.pth")["model"],
        read_checkpoint(tmp_path / "checkpoint_last.pth")["model"],
    )
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("step", [8, 15])
def test_a_signal_within_the_last_step_of_an_epoch_saves_it(whole, tmp_path, step):
    """It said that the checkpoint is written, and wrote none."""
    runner = golden_runner(tmp_path, **SETTINGS)
    told_after(runner, step, signal.SIGTERM)
    with pytest.raises(StoppedBySignal) as caught:
        runner.train()
    saved = read_checkpoint(tmp_path / "checkpoint_last.pth")["pefomed"]
    assert f"at iteration {saved['iteration']};" in str(caught.value) and saved["iteration"] in (step, step + 1)
    golden_runner(tmp_path, **SETTINGS).train()
    one, two = (read_checkpoint(folder / "checkpoint_last.pth") for folder in (whole, tmp_path))
    assert all(same(one[key], two[key]) for key in ("model", "optimizer", "pefomed"))
    assert epochs_of(tmp_path) == epochs_of(whole) == [1, 2, 3]


def epochs_of(folder):
    """Those that ended, as the log has them."""
    lines = map(json.loads, (folder / "epochs.jsonl").read_text().splitlines())
    return [line["epoch"] for line in lines if "epoch" in line]


def test_a_signal_during_validation_saves_and_the_epoch_is_validated_later(tmp_path, monkeypatch):
    """torchrun and schedulers kill after 30 seconds: the epoch since the last checkpoint was lost."""
    settings = {**SETTINGS, "valid_splits": ["train"], "batch_size_eval": 2}
    whole, ended = tmp_path / "whole", tmp_path / "ended"
    golden_runner(whole, **settings).train()
    runner, batches = golden_runner(ended, **settings), []

    def sums(accelerator, task, model, found):
        for batch in found:
            batches.append(batch)
            os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("it was validated to its end")

    with monkeypatch.context() as patch:
        patch.setattr(validation, "validation_sums", sums)
        with pytest.raises(StoppedBySignal, match="at iteration 8; the checkpoint is written"):
            runner.train()
    assert len(batches) == 1
    golden_runner(ended, **settings).train()
    for name in ("checkpoint_last.pth", "checkpoint_best.pth"):
        one, two = (read_checkpoint(folder / name) for folder in (whole, ended))
        assert all(same(one[key], two[key]) for key in ("model", "optimizer", "pefomed")), name
    assert epochs_of(ended) == epochs_of(whole) == [1, 2, 3]


def test_what_a_shell_began_in_the_background_goes_on(interruptible, tmp_path):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    runner = golden_runner(tmp_path, **SETTINGS)
    told_after(runner, 3, signal.SIGINT)
    runner.train()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_within_the_last_step_stops_what_comes_after(tmp_path):
    run = golden()["run"]
    runner = golden_runner(tmp_path, **SETTINGS)
    told_after(runner, run["max_epoch"] * run["iters_per_epoch"], signal.SIGINT)
    with pytest.raises(StoppedBySignal):
        runner.train()


@pytest.mark.usefixtures("interruptible")
def test_a_second_interrupt_ends_at_once(tmp_path):
    runner = golden_runner(tmp_path, **SETTINGS)
    told_after(runner, 3, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    assert not (tmp_path / "checkpoint_last.pth").exists()


def test_processes_that_load_are_not_ended_by_what_tells_the_run_to_stop(tmp_path):
    """torchrun and a terminal signal the whole group: a loader that ended took the run with it, unsaved."""
    runner = golden_runner(tmp_path, **SETTINGS, num_workers=2)
    groups = told_after(runner, 3, signal.SIGTERM)
    with pytest.raises(StoppedBySignal):
        runner.train()
    assert len(groups) == 2 and all(group == process != os.getpgrp() for process, group in groups.items())


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(whole, tmp_path, capsys):
    golden_runner(tmp_path, **SETTINGS).train()
    data = bytearray((tmp_path / "checkpoint_last.pth").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "checkpoint_last.pth").write_bytes(data)
    golden_runner(tmp_path, **SETTINGS).train()
    said = capsys.readouterr().out
    assert "checkpoint_last.pth is damaged" in said
    assert f"resuming at iteration 20 from {tmp_path / 'checkpoint_last.1.pth'}" in said
    assert same(
        read_checkpoint(whole / "checkpoint_last.pth")["model"],
        read_checkpoint(tmp_path / "checkpoint_last.pth")["model"],
    )


def test_only_the_newest_few_are_kept(whole):
    assert sorted(path.name for path in whole.glob("*.pth")) == [
        "checkpoint_last.1.pth",
        "checkpoint_last.2.pth",
        "checkpoint_last.pth",
    ]
    iterations = [
        read_checkpoint(whole / name)["pefomed"]["iteration"]
        for name in ("checkpoint_last.2.pth", "checkpoint_last.1.pth", "checkpoint_last.pth")
    ]
    assert iterations == [16, 20, 24]


def test_all_damaged_is_an_error(tmp_path):
    keeper = CheckpointKeeper(tmp_path)
    keeper.save({"model": {"a": torch.ones(1)}})
    keeper.save({"model": {"a": torch.ones(1)}})
    for path in tmp_path.glob("*.pth"):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError) as caught:
        keeper.newest()
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_kill_at_any_moment_of_saving_loses_nothing(tmp_path, monkeypatch, kept):
    """Saves are cut off before every single rename; the newest whole checkpoint is never older than the last save."""
    real = os.replace
    for cut in range(20):
        folder = tmp_path / str(cut)
        keeper = CheckpointKeeper(folder, kept)
        for number in range(3):
            keeper.save({"model": {"a": torch.ones(1)}, "number": number})
        calls = []

        def replace(source, target, cut=cut, calls=calls):
            if len(calls) == cut:
                raise KeyboardInterrupt
            calls.append(1)
            real(source, target)

        monkeypatch.setattr(os, "replace", replace)
        try:
            keeper.save({"model": {"a": torch.ones(1)}, "number": 3})
            finished = True
        except KeyboardInterrupt:
            finished = False
        monkeypatch.setattr(os, "replace", real)
        assert keeper.newest()[1]["number"] in ((3,) if finished else (2, 3)), cut
        keeper.save({"model": {"a": torch.ones(1)}, "number": 4})
        assert keeper.newest()[1]["number"] == 4
    assert finished


def test_another_number_of_samples_an_iteration_is_refused(tmp_path):
    golden_runner(tmp_path, **{**SETTINGS, "max_epoch": 1}).train()
    with pytest.raises(CheckpointError) as caught:
        golden_runner(tmp_path, batch_size=3, **{**SETTINGS, "seed": 7}).train()
    assert len(caught.value.problems) == 2
    assert "[2] then, [3] now" in caught.value.problems[0]


def test_resumed_elsewhere_trains_each_sample_of_the_epoch_once(tmp_path):
    """One of three batches of two, then single samples; the log of the run before stays."""
    settings = {
        "iters_per_epoch": None,
        "max_epoch": 2,
        "shuffle": True,
        "save_every_steps": 1,
        "resume": "auto",
        "resume_elsewhere": True,
        "log_freq": 1,
    }
    seen = []

    def noted(runner):
        original = runner.task.train_step
        runner.task.train_step = lambda model, batch: (seen.extend(batch["image_id"]), original(model, batch))[1]
        return runner

    first = golden_runner(tmp_path, **settings)
    interrupt_after(first, 1)
    with pytest.raises(KeyboardInterrupt):
        noted(first).train()
    del seen[2:]  # the batch that was interrupted
    noted(golden_runner(tmp_path, batch_size=1, **settings)).train()
    assert sorted(seen[:6]) == [f"golden-{number}" for number in range(6)]
    assert sorted(seen[6:]) == sorted(seen[:6])
    assert (tmp_path / "log.jsonl.1").is_file()
    assert [each["iteration"] for each in steps_of(tmp_path)] == list(range(3, 13))


def test_a_checkpoint_without_optimizer_cannot_be_resumed(tmp_path):
    CheckpointKeeper(tmp_path).save({"model": trainable_state(golden_runner(tmp_path).model)})
    with pytest.raises(CheckpointError, match="start from it with model.ckpt"):
        golden_runner(tmp_path, resume="auto").train()


def test_a_gradient_that_is_no_number_stops_with_the_samples(tmp_path):
    runner = golden_runner(tmp_path, max_nonfinite=1)
    original = runner.task.train_step
    before = trainable_state(runner.model)
    runner.task.train_step = lambda model, batch: original(model, batch) * float("nan")
    with pytest.raises(PefomedError, match=r"no finite number at iteration 2; steps left out so far: 2"):
        runner.train()
    written = [json.loads(line) for line in (tmp_path / "nonfinite.rank0.jsonl").read_text().splitlines()]
    assert written == [
        {"iteration": 1, "samples": ["golden-0", "golden-1"]},
        {"iteration": 2, "samples": ["golden-2", "golden-3"]},
    ]
    assert same(before, trainable_state(runner.model))


def test_accumulation_equals_the_larger_batch(tmp_path):
    states = []
    for folder, batch_size, accumulated in (("large", 6, 1), ("small", 2, 3), ("single", 1, 6)):
        runner = golden_runner(
            tmp_path / folder,
            batch_size=batch_size,
            accum_grad_iters=accumulated,
            max_epoch=1,
            iters_per_epoch=8 * accumulated,
            warmup_steps=5 * accumulated,
        )
        runner.train()
        states.append(trainable_state(runner.model))
    for key, tensor in states[0].items():
        for other in states[1:]:
            assert torch.allclose(tensor, other[key], rtol=0, atol=1e-6), key
