"""Which device and precision a run gets, and what is said where there is none such."""

from __future__ import annotations

import pytest
import torch

from pefomed_plugin.adapters.devices import (
    make_accelerator,
    match_frozen_weights,
    own_precision,
)
from pefomed_plugin.config.run import read_run_config
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.services.attention import attention_without_plans


@pytest.fixture
def old_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a GPU that has no bf16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "Tesla V100")


@pytest.mark.usefixtures("old_gpu")
def test_a_gpu_without_bf16() -> None:
    options = read_run_config({"task": "medical_vqa", "output_dir": "out", "precision": "bf16"})
    with pytest.raises(ConfigError, match="Tesla V100 has no bf16 of its own; use fp16"):
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
    model = torch.nn.ModuleDict(
        {
            "llama_model": torch.nn.Linear(2, 2).half(),
            "wide": torch.nn.Linear(2, 2).double(),
            "trained": torch.nn.Linear(2, 2),
            "visual_encoder": torch.nn.Linear(2, 2).half(),
        }
    ).requires_grad_(False)
    model["trained"].requires_grad_(True)
    model["visual_encoder"].register_buffer("k_bias", torch.zeros(2, dtype=torch.float16))
    model.visual_encoder = model["visual_encoder"]

    def precisions(precision: str) -> list[torch.dtype]:
        match_frozen_weights(model, precision)
        return [module.weight.dtype for module in model.values()]

    assert precisions("bf16") == [torch.bfloat16, torch.float64, torch.float32, torch.float16]
    assert precisions("fp16") == [torch.float16, torch.float64, torch.float32, torch.float16]
    assert precisions("fp32") == [torch.float32, torch.float64, torch.float32, torch.float32]
    assert model.visual_encoder.k_bias.dtype == torch.float32


def test_products_of_four_bit_weights_follow_the_run() -> None:
    quantised = torch.nn.Linear(2, 2)
    quantised.compute_dtype = torch.float16
    match_frozen_weights(torch.nn.Sequential(quantised), "bf16")
    assert quantised.compute_dtype == torch.bfloat16


@pytest.mark.usefixtures("old_gpu")
def test_what_is_computed_in_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (own_precision("cpu"), own_precision("cuda")) == ("fp32", "fp16")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert own_precision("cuda") == "bf16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)  # torch before 2.5
    assert own_precision("cuda") == "fp16"


def test_attention_goes_without_cudnn_in_a_run_and_while_a_model_is_asked() -> None:
    torch.backends.cuda.enable_cudnn_sdp(True)
    try:
        with attention_without_plans():
            assert not torch.backends.cuda.cudnn_sdp_enabled()
        assert torch.backends.cuda.cudnn_sdp_enabled()
        make_accelerator(read_run_config({"task": "medical_vqa", "output_dir": "out", "device": "cpu"}))
        assert not torch.backends.cuda.cudnn_sdp_enabled()
    finally:
        torch.backends.cuda.enable_cudnn_sdp(True)


def test_lora_takes_its_inputs_as_autocast_brings_them():
    class Lora(torch.nn.Module):
        lora_A = None

    model = torch.nn.Sequential(Lora(), torch.nn.Linear(1, 1))
    for precision, casts in (("bf16", False), ("fp16", False), ("fp32", True)):
        match_frozen_weights(model, precision)
        assert model[0].cast_input_dtype_enabled is casts
    assert not hasattr(model[1], "cast_input_dtype_enabled")
