"""Which device and precision a run gets, and what is said where there is none such."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from pefomed_plugin.adapters.devices import make_accelerator, match_frozen_weights
from pefomed_plugin.config.run import read_run_config
from pefomed_plugin.errors import ConfigError


@pytest.fixture
def old_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU that has no bf16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Tesla V100")


@pytest.mark.usefixtures("old_gpu")
def test_a_gpu_without_bf16() -> None:
    options = read_run_config({"task": "medical_vqa", "output_dir": "out", "precision": "bf16"})
    with pytest.raises(ConfigError, match="Tesla V100 has no bf16; use fp16"):
        make_accelerator(options)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"device": "cuda"}, "torch sees no GPU"), ({"device": "cpu", "precision": "fp16"}, "no fp16 training")],
)
def test_a_machine_without_a_gpu(settings: dict, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=message):
        make_accelerator(read_run_config({"task": "medical_vqa", "output_dir": "out", **settings}))


def test_frozen_weights_take_the_precision_that_is_computed_in() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2).half(), torch.nn.Linear(2, 2).double(), torch.nn.Linear(2, 2))
    model.requires_grad_(False)
    model[2].requires_grad_(True)
    match_frozen_weights(model, SimpleNamespace(mixed_precision="bf16"))
    assert [each.weight.dtype for each in model] == [torch.bfloat16, torch.float64, torch.float32]
    match_frozen_weights(model, SimpleNamespace(mixed_precision="no"))
    assert model[0].weight.dtype == torch.bfloat16
