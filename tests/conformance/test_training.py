"""The golden training run of 24 steps, driven by our own runner, and the checkpoints around it."""

from __future__ import annotations

import json
from collections import Counter
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file

from pefomed_plugin.adapters.training.strategies import STRATEGIES
from pefomed_plugin.adapters.training.strategies.ddp import DataParallel
from pefomed_plugin.config.compose import compose_config
from pefomed_plugin.errors import CheckpointError
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import registry
from pefomed_plugin.toolkit.checkpoint import load_weights, read_checkpoint, read_weights, trainable_state
from tests.conformance.golden import FOLDER, golden, golden_model, samples
from tests.conformance.golden_run import golden_runner


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    runner = golden_runner(tmp_path_factory.mktemp("run"))
    runner.train()
    return runner


def test_learning_rates_and_losses_of_every_step(trained):
    steps = [json.loads(line) for line in (trained.output_dir / "log.jsonl").read_text().splitlines()]
    assert [step["iteration"] for step in steps] == list(range(1, 25))
    assert [step["lr"] for step in steps] == pytest.approx(golden()["train_lr"], rel=0, abs=1e-9)
    assert [step["loss"] for step in steps] == pytest.approx(golden()["train_loss"], rel=0, abs=1e-4)
    begun, *ended = [json.loads(line) for line in (trained.output_dir / "epochs.jsonl").read_text().splitlines()]
    assert (begun["iteration"], begun["iterations"]) == (0, 24)
    assert [line["iteration"] for line in ended] == [begun["per_epoch"] * line["epoch"] for line in ended]
    assert ended[-1]["iteration"] == 24


def test_trained_tensors(trained):
    expected = load_file(str(FOLDER / "trained.safetensors"))
    state = trainable_state(trained.model)
    assert {key: list(each.shape) for key, each in state.items()} == golden()["trainable"]
    for key, tensor in expected.items():
        assert torch.allclose(state[key], tensor, rtol=0, atol=1e-4), key


def test_provenance_and_a_model_card_lie_beside_the_checkpoint(trained):
    found = json.loads((trained.output_dir / "provenance.json").read_text())
    assert found["config"]["run"]["task"] == "medical_vqa"
    assert found["data"]["golden"]["samples"] == {"train": 6}
    assert "MiniGPT-v2" in (trained.output_dir / "README.md").read_text(encoding="utf-8")


def test_loss_after_training(trained):
    with torch.no_grad():
        loss = trained.model.eval()(samples())["loss"].item()
    assert loss == pytest.approx(golden()["loss_after"], rel=0, abs=1e-4)


def test_checkpoint_has_upstreams_keys_and_loads_back_bit_for_bit(trained):
    own, upstream = (
        read_checkpoint(path)
        for path in (trained.output_dir / "checkpoint_last.pth", FOLDER / "checkpoint_upstream.pth")
    )
    assert set(upstream) <= set(own)
    assert set(own["model"]) == {key for key in upstream["model"] if "inv_freq" not in key}
    assert own["epoch"] == upstream["epoch"]
    fresh = golden_model()
    load_weights(fresh, own["model"], "own")
    for key, tensor in trainable_state(trained.model).items():
        assert torch.equal(trainable_state(fresh)[key], tensor), key


def test_upstreams_checkpoint_loads_whole_and_gives_the_loss_after_training():
    model = golden_model()
    report = model.load_checkpoint(FOLDER / "checkpoint_upstream.pth")
    assert set(golden()["trainable"]) <= set(report.loaded)
    with torch.no_grad():
        assert model(samples())["loss"].item() == pytest.approx(golden()["loss_after"], rel=0, abs=1e-5)


def test_upstreams_optimizer_state_resumes(tmp_path):
    """Upstream counts epochs from 0: its checkpoint of epoch 2 was the last of three, so one more is left of four."""
    runner = golden_runner(tmp_path, resume_ckpt_path=str(FOLDER / "checkpoint_upstream.pth"), max_epoch=4)
    runner.train()
    assert read_checkpoint(tmp_path / "checkpoint_last.pth")["pefomed"]["iteration"] == 32
    first = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert first["iteration"] == 25
    assert first["loss"] == pytest.approx(5.68, abs=0.05)


def test_interrupted_training_resumes_to_the_same_weights(tmp_path, trained):
    first = golden_runner(tmp_path)
    original, calls = first.task.train_step, []

    def interrupted(model, batch):
        calls.append(1)
        if len(calls) > 12:
            raise KeyboardInterrupt
        return original(model, batch)

    first.task.train_step = interrupted
    with pytest.raises(KeyboardInterrupt):
        first.train()
    second = golden_runner(tmp_path, resume_ckpt_path=str(tmp_path / "checkpoint_last.pth"))
    second.train()
    for key, tensor in trainable_state(trained.model).items():
        assert torch.equal(trainable_state(second.model)[key], tensor), key


@pytest.mark.parametrize(
    "spelling",
    [
        lambda key: key,
        lambda key: key.replace("lora_A.weight", "lora_A.default.weight").replace(
            "lora_B.weight", "lora_B.default.weight"
        ),
        lambda key: "module." + key,
    ],
)
def test_every_spelling_of_lora_keys_is_understood(spelling):
    weights = {spelling(key): each for key, each in load_file(str(FOLDER / "trained.safetensors")).items()}
    model = golden_model()
    report = load_weights(model, weights, "spelt")
    assert len(report.loaded) == len(golden()["trainable"])
    with torch.no_grad():
        assert model(samples())["loss"].item() == pytest.approx(golden()["loss_after"], rel=0, abs=1e-5)


def test_a_trainable_tensor_that_is_not_found_stops_with_its_name():
    weights = read_weights(FOLDER / "trained.safetensors")
    lost = [key for key in weights if "layers.1" in key and "lora_B" in key]
    model = golden_model()
    before = trainable_state(model)
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, {key: weight for key, weight in weights.items() if key not in lost}, "incomplete.pth")
    assert len(caught.value.problems) == len(lost) == 2
    assert all("layers.1" in problem and "lora_B" in problem for problem in caught.value.problems)
    assert all(torch.equal(before[key], each) for key, each in trainable_state(model).items())


def test_a_strategy_is_added_in_one_place(trained, tmp_path, monkeypatch):
    """Registered by its name it is what ``run.strategy`` may say, and what the trainer works through."""

    class Counted(DataParallel):
        name = "counted"
        words = "counted"
        calls: ClassVar[Counter] = Counter()

        def prepare(self, *parts):
            self.calls["prepare"] += 1
            return super().prepare(*parts)

        def backward(self, *parts):
            self.calls["backward"] += 1
            super().backward(*parts)

        def clip(self, *parts):
            self.calls["clip"] += 1
            return super().clip(*parts)

        def gather_weights(self, *parts):
            self.calls["save"] += 1
            return super().gather_weights(*parts)

    monkeypatch.setitem(STRATEGIES, "counted", Counted())
    run = {"task": "medical_vqa", "output_dir": str(tmp_path), "strategy": "counted"}
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps({"model": {}, "datasets": {"vqa_rad": {}}, "run": run}), encoding="utf-8")
    register_all()
    composed = compose_config(str(path), [], registry, STRATEGIES, {}, nothing_has_to_be_set=True)
    assert composed.configuration.run.strategy == "counted"
    runner = golden_runner(tmp_path / "run", strategy="counted")
    runner.train()
    assert Counted.calls == {"prepare": 1, "backward": 24, "clip": 24, "save": 3}
    own, expected = trainable_state(runner.model), trainable_state(trained.model)
    assert all(torch.equal(own[key], expected[key]) for key in expected)
