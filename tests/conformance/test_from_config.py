"""The model from the files users have: a LLaMA folder, ``eva_vit_g.pth``, a MiniGPT-v2 checkpoint."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from pefomed_plugin.errors import CheckpointError, ConfigError
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from pefomed_plugin.toolkit.bundled.vision import build_vision_encoder
from pefomed_plugin.toolkit.vision_weights import load_vision_weights
from pefomed_plugin.vision_encoders import encoder_of
from pefomed_plugin.vision_encoders.eva import resample_positions
from tests.conformance.golden import FOLDER, arrays, golden, samples

SMALL = encoder_of({"vit": golden()["vit"], "image_size": 56})


def eva_weights():
    """The golden ViT as ``eva_vit_g.pth`` has it: bare keys, one block more than is used, and a head."""
    state = load_file(str(FOLDER / "initial.safetensors"))
    weights = {key[len("visual_encoder.") :]: each for key, each in state.items() if key.startswith("visual_encoder.")}
    extra = {key.replace("blocks.1.", "blocks.2."): weight for key, weight in weights.items() if "blocks.1." in key}
    return {**weights, **extra, "norm.weight": torch.ones(32), "head.weight": torch.ones(10, 32)}


@pytest.fixture
def section(tmp_path):
    torch.save(eva_weights(), tmp_path / "eva_vit_g.pth")
    settings = golden()["model"]
    return {
        "llama_model": str(FOLDER / "tiny_llama"),
        "vit_weights": str(tmp_path / "eva_vit_g.pth"),
        "ckpt": str(FOLDER / "checkpoint_upstream.pth"),
        "vit": golden()["vit"],
        "image_size": settings["img_size"],
        "max_txt_len": settings["max_txt_len"],
        "lora_r": settings["lora_r"],
        "lora_dropout": 0.0,
        "use_grad_checkpoint_llm": False,
    }


def test_the_three_files_give_the_trained_model(section):
    model = MiniGPTv2.from_config(section).eval()
    state = load_file(str(FOLDER / "initial.safetensors"))
    with torch.no_grad():
        model.ln_vision.weight.copy_(state["ln_vision.weight"])
        model.ln_vision.bias.copy_(state["ln_vision.bias"])
        assert torch.allclose(model.visual_encoder(arrays()["images"]), arrays()["vit"], rtol=0, atol=1e-5)
        assert model(samples())["loss"].item() == pytest.approx(golden()["loss_after"], rel=0, abs=1e-5)


def test_gradient_checkpointing_gives_the_same_gradients(section):
    plain = MiniGPTv2.from_config(section).train()
    saving = MiniGPTv2.from_config({**section, "use_grad_checkpoint_llm": True}).train()
    for model in (plain, saving):
        model(samples())["loss"].backward()
    for (name, one), (_, two) in zip(plain.named_parameters(), saving.named_parameters()):
        if one.requires_grad:
            assert torch.allclose(one.grad, two.grad, rtol=0, atol=1e-6), name


def test_a_bin_folder_loads_as_well(section, tmp_path):
    folder = tmp_path / "llama"
    folder.mkdir()
    for name in ("config.json", "tokenizer.model"):
        (folder / name).write_bytes((FOLDER / "tiny_llama" / name).read_bytes())
    torch.save(load_file(str(FOLDER / "tiny_llama" / "model.safetensors")), folder / "pytorch_model.bin")
    model = MiniGPTv2.from_config({**section, "llama_model": str(folder)})
    expected = load_file(str(FOLDER / "tiny_llama" / "model.safetensors"))["model.norm.weight"]
    assert torch.equal(model.llama_model.get_base_model().model.norm.weight, expected)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (("config.json",), "it has no config.json"),
        (("tokenizer.model",), "no tokenizer"),
        (("model.safetensors",), "no weights"),
    ],
)
def test_an_incomplete_llama_folder(section, tmp_path, missing, message):
    folder = tmp_path / "llama"
    folder.mkdir()
    for path in (FOLDER / "tiny_llama").iterdir():
        if path.name not in missing:
            (folder / path.name).write_bytes(path.read_bytes())
    with pytest.raises(CheckpointError, match=message):
        MiniGPTv2.from_config({**section, "llama_model": str(folder)})


def test_a_llama_folder_that_is_not_there(section):
    with pytest.raises(CheckpointError, match="set PEFOMED_LLAMA"):
        MiniGPTv2.from_config({**section, "llama_model": "/no/such/folder"})


def test_another_lora_rank_is_named(section):
    with pytest.raises(ConfigError, match="model.lora_r: 4 is given, but .* was trained with 8"):
        MiniGPTv2.from_config({**section, "lora_r": 4})


def test_positions_are_resampled_from_224_to_448():
    """Bicubic over the grid: linear ramps stay linear ramps away from the edges, the class token stays itself."""
    ramp = torch.linspace(-1, 1, 16)
    positions = torch.cat(
        [torch.full((1, 1, 2), 7.0), torch.stack([ramp.repeat(16), ramp.repeat_interleave(16)], dim=1)[None]], dim=1
    )
    resampled = resample_positions(positions, 1 + 32 * 32)
    assert resampled.shape == (1, 1025, 2)
    assert torch.equal(resampled[:, 0], positions[:, 0])
    grid = resampled[0, 1:].reshape(32, 32, 2)
    steps = grid[8, 8:24:2, 0].diff()  # every second: torch's bicubic (a = -0.75) wavers between the old grid's points
    assert torch.allclose(steps, torch.full_like(steps, 2 / 15), atol=1e-5)
    assert torch.equal(resample_positions(positions, 257), positions)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda weights: weights.pop("blocks.0.attn.q_bias"), "blocks.0.attn.q_bias: not in the file"),
        (lambda weights: weights.update({"cls_token": torch.zeros(1, 1, 8)}), r"cls_token: shape \(1, 1, 8\)"),
        (lambda weights: weights.update({"blocks.0.gamma": torch.zeros(1)}), "blocks.0.gamma: the model has no such"),
    ],
)
def test_vision_weights_of_another_model(tmp_path, spoil, message):
    weights = eva_weights()
    spoil(weights)
    torch.save(weights, tmp_path / "eva.pth")
    with pytest.raises(CheckpointError, match=message):
        load_vision_weights(build_vision_encoder(SMALL), SMALL, tmp_path / "eva.pth")


def test_an_encoder_that_a_file_fills_draws_no_random_numbers(tmp_path):
    torch.save(eva_weights(), tmp_path / "eva.pth")
    random = build_vision_encoder(SMALL).eval()
    load_vision_weights(random, SMALL, tmp_path / "eva.pth")
    before = torch.get_rng_state()
    filled = build_vision_encoder(SMALL, tmp_path / "eva.pth").eval()
    assert torch.equal(torch.get_rng_state(), before)
    images = torch.rand(2, 3, 56, 56)
    assert torch.equal(filled(images), random(images))
    assert {name: buffer.tolist() for name, buffer in filled.named_buffers()} == {
        name: buffer.tolist() for name, buffer in random.named_buffers()
    }


@pytest.mark.parametrize(
    ("size", "vit", "message"),
    [
        (50, {}, "the nearest that is: 56"),
        (42, {}, "3 x 3 of them.; the nearest that is: 56"),
        (56, {"embed_dim": 30}, "no multiple of num_heads"),
        (56, {"width": 3}, "model.vit.width: no such key"),
    ],
)
def test_sizes_that_cannot_be(size, vit, message):
    with pytest.raises(ConfigError, match=message):
        build_vision_encoder(encoder_of({"image_size": size, "vit": {**golden()["vit"], **vit}}))


def test_a_prompt_without_an_image_place(section):
    model = MiniGPTv2.from_config(section)
    with pytest.raises(ValueError, match="prompt 0 holds no image placeholder"):
        model.generate(arrays()["images"][:1], ["[INST] hello [/INST]"])


def test_long_answers_are_cut_and_counted(section):
    model = MiniGPTv2.from_config({**section, "max_txt_len": 5})
    model({**samples(0, 2), "answer": ["yes", "a very long answer about heart, lungs and bones"]})
    assert model.truncated_answers == 1
