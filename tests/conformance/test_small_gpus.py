"""What makes the model fit on a small GPU, as far as a machine without one can show it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.toolkit.bundled import language
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from tests.conformance.golden import FOLDER, arrays, golden, golden_model, samples


@pytest.fixture
def section(tmp_path: Any) -> dict[str, Any]:
    """A model section on the golden files."""
    model, settings = golden_model(), golden()["model"]
    torch.save(model.visual_encoder.state_dict(), tmp_path / "eva_vit_g.pth")
    return {
        "llama_model": str(FOLDER / "tiny_llama"),
        "vit_weights": str(tmp_path / "eva_vit_g.pth"),
        "vit": golden()["vit"],
        "image_size": settings["img_size"],
        "lora_r": settings["lora_r"],
    }


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.fixture
def with_bitsandbytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that says it has bitsandbytes."""
    module = ModuleType("bitsandbytes")
    module.__spec__ = ModuleSpec("bitsandbytes", None)
    monkeypatch.setitem(sys.modules, "bitsandbytes", module)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.48.0")


# -- quantised weights ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "bits"),
    [({"llm_quantization": "4bit"}, "4bit"), ({"llm_quantization": "8bit"}, "8bit"), ({"low_resource": True}, "8bit")],
)
def test_quantised_weights_need_a_gpu_and_bitsandbytes(
    section: dict[str, Any], change: dict[str, Any], bits: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(language, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=f"model.llm_quantization: {bits} cannot be used here") as caught:
        MiniGPTv2.from_config({**section, **change})
    first, second = caught.value.problems
    assert first.startswith("torch sees no GPU")
    assert second.endswith("pip install bitsandbytes")


@pytest.mark.usefixtures("with_gpu", "with_bitsandbytes")
def test_four_bits_are_nf4_quantised_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")
    settings = language.quantised_loading("4bit", torch.bfloat16)
    config = settings["quantization_config"]
    assert settings["device_map"] == {"": 3}
    assert (config.load_in_4bit, config.bnb_4bit_quant_type, config.bnb_4bit_use_double_quant) == (True, "nf4", True)
    assert config.bnb_4bit_compute_dtype == torch.bfloat16


@pytest.mark.usefixtures("with_gpu", "with_bitsandbytes")
def test_eight_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    settings = language.quantised_loading("8bit", torch.float16)
    assert settings["quantization_config"].load_in_8bit
    assert settings["device_map"] == {"": 0}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"llm_quantization": "2bit"}, "'2bit' is none of none, 8bit, 4bit"),
        ({"llm_quantization": "4bit", "low_resource": True}, "leave one of them out"),
    ],
)
def test_words_that_cannot_be(section: dict[str, Any], change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MiniGPTv2.from_config({**section, **change})


# -- gradient checkpointing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoder", ["packed", "plain"])
def test_recomputed_layers_give_the_same_gradients(section: dict[str, Any], decoder: str) -> None:
    """With dropout, which the second computation has to draw again."""
    gradients: list[dict[str, Any]] = []
    for recompute in (False, True):
        torch.manual_seed(0)
        model = MiniGPTv2.from_config(
            {**section, "decoder": decoder, "lora_dropout": 0.2, "use_grad_checkpoint_llm": recompute}
        ).train()
        batch = samples()
        packer: Any = model.packer()
        if packer is not None:
            batch["layout"], _ = packer(batch["instruction_input"], batch["answer"], range(6))
        torch.manual_seed(1)
        model(batch)["loss"].backward()
        gradients.append({name: each.grad for name, each in model.named_parameters() if each.requires_grad})
    plain, recomputed = gradients
    assert plain.keys() == recomputed.keys()
    assert max(float(each.abs().max()) for each in plain.values()) > 1e-4
    for name, each in plain.items():
        assert torch.equal(each, recomputed[name]), name


def test_checkpointing_the_frozen_encoder_is_accepted_and_said_to_be_useless(
    section: dict[str, Any], capsys: pytest.CaptureFixture
) -> None:
    MiniGPTv2.from_config({**section, "use_grad_checkpoint": True})
    assert "model.use_grad_checkpoint saves nothing here" in capsys.readouterr().out


# -- the vision encoder on the CPU ---------------------------------------------------------------------------------


def test_an_encoder_on_the_cpu_gives_the_same_loss(section: dict[str, Any]) -> None:
    losses = []
    for vit_on_cpu in (False, True):
        torch.manual_seed(0)
        model = MiniGPTv2.from_config({**section, "vit_on_cpu": vit_on_cpu}).eval()
        losses.append(model(samples())["loss"].item())
    assert losses[0] == losses[1]


def test_the_encoder_stays_when_the_model_moves(section: dict[str, Any]) -> None:
    model = MiniGPTv2.from_config({**section, "vit_on_cpu": True}).eval()
    names = [name for name, _ in model.named_parameters()]
    before = model.encode_vision(arrays()["images"][:2])
    model.to("meta")
    assert {parameter.device.type for parameter in model.visual_encoder.parameters()} == {"cpu"}
    assert {parameter.device.type for parameter in model.llama_model.parameters()} == {"meta"}
    assert model.device.type == "meta"
    assert [name for name, _ in model.named_parameters()] == names
    assert torch.equal(model.encode_vision(arrays()["images"][:2]), before)
    assert model.encode_img(arrays()["images"][:2]).device.type == "meta"


def test_without_the_option_everything_moves(section: dict[str, Any]) -> None:
    model = MiniGPTv2.from_config(section).to("meta")
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


def test_a_cast_of_the_model_leaves_the_encoder_as_it_is(section: dict[str, Any]) -> None:
    model = MiniGPTv2.from_config({**section, "vit_on_cpu": True}).bfloat16()
    assert model.visual_encoder.patch_embed.proj.weight.dtype == torch.float32
    assert model.llama_proj.weight.dtype == torch.bfloat16


@pytest.fixture
def process_group(tmp_path: Any) -> Iterator[None]:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("process_group")
def test_several_processes_do_not_exchange_the_encoder(section: dict[str, Any]) -> None:
    """All other tensors are on one device, which is what DistributedDataParallel asks for."""
    model = MiniGPTv2.from_config({**section, "vit_on_cpu": True})
    wrapped = DistributedDataParallel(model)
    of_vision = {
        name
        for name, _ in (*model.named_parameters(), *model.named_buffers())
        if name.startswith(("visual_encoder.", "ln_vision."))
    }
    assert wrapped.parameters_to_ignore == of_vision
    assert any("k_bias" in name for name in of_vision)
    exchanged = {id(module_parameter) for module_parameter in wrapped._module_parameters}
    assert not exchanged & {id(parameter) for parameter in model.visual_encoder.parameters()}
    wrapped(samples(0))["loss"].backward()
    assert model.llama_proj.weight.grad is not None
