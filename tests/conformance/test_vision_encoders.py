"""Vision encoders of timm in our model: features are timm's own, from a local file, and a checkpoint remembers them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from pefomed_plugin.errors import CheckpointError, ConfigError
from pefomed_plugin.lora import recorded
from pefomed_plugin.toolkit import registry
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from pefomed_plugin.toolkit.bundled.vision import build_vision_encoder, normalise_pixels
from pefomed_plugin.toolkit.checkpoint import trainable_state, write_checkpoint
from pefomed_plugin.toolkit.vision_weights import load_vision_weights
from pefomed_plugin.vision_encoders import CLIP_MEAN, encoder_of
from tests.conformance.golden import FOLDER, samples

SMALL = {"embed_dim": 32, "depth": 2, "num_heads": 4}
SIGLIP, DINOV2, PLAIN = "vit_base_patch16_siglip_224", "vit_base_patch14_reg4_dinov2", "vit_base_patch16_224"
PREFIX = {SIGLIP: 0, DINOV2: 5, PLAIN: 1}
SIDES = {SIGLIP: 64, DINOV2: 56, PLAIN: 64}


def timms(name: str, side: int | None = None) -> Any:
    """timm's own model, small and random, every tensor of it."""
    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, num_classes=0, img_size=side or SIDES[name], **SMALL)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
    return model.eval()


def section_of(name: str, folder: Path, **more: Any) -> dict[str, Any]:
    """A ``model`` section whose encoder is in a file of that folder."""
    file = folder / "vit.safetensors"
    save_file(timms(name).state_dict(), str(file))
    return {
        "llama_model": str(FOLDER / "tiny_llama"),
        "vit_model": f"timm/{name}",
        "vit": dict(SMALL),
        "vit_weights": str(file),
        "image_size": SIDES[name],
        "lora_r": 4,
        **more,
    }


def trained(model: MiniGPTv2, path: Path) -> Path:
    write_checkpoint({"model": trainable_state(model), **recorded(model)}, path)
    return path


@pytest.mark.parametrize("name", [SIGLIP, DINOV2, PLAIN])
def test_features_are_timms_own(tmp_path: Path, name: str) -> None:
    model = MiniGPTv2.from_config(section_of(name, tmp_path)).eval()
    side, own = SIDES[name], timms(name)
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = own.forward_features(images)[:, PREFIX[name] :]
        found = model.encode_vision(images)
        (other,) = own.forward_intermediates(images, indices=1, norm=True, output_fmt="NLC", intermediates_only=True)
    assert (found - expected).abs().max() < 1e-5 and (found - other).abs().max() < 1e-5
    assert found.shape == (2, 16, 32) and model.visual_tokens == 4
    assert model.llama_proj.weight.shape[1] == 4 * 32
    with torch.no_grad():
        tokens = model.encode_img(images)
        by_hand = model.llama_proj(torch.cat([expected[:, place::4] for place in range(4)], dim=2))
    assert (tokens - by_hand).abs().max() < 1e-5


@pytest.mark.parametrize("name", [SIGLIP, DINOV2])
def test_pixels_are_normalised_as_timm_does_it(name: str) -> None:
    encoder = encoder_of({"vit_model": f"timm/{name}", "vit": SMALL, "image_size": SIDES[name]})
    data = timm.data.resolve_data_config(pretrained_cfg=timm.models.get_pretrained_cfg(name).to_dict())
    assert (encoder.mean, encoder.std) == (data["mean"], data["std"]) != (CLIP_MEAN, CLIP_MEAN)
    image = Image.effect_noise((90, 70), 60).convert("RGB")
    processor: Any = registry.get_processor_class("blip2_image_eval")(SIDES[name], encoder.mean, encoder.std)
    pixels = processor.pixels(image)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (data["mean"], data["std"]))
    assert torch.allclose(processor(image), (pixels / 255 - mean) / std, atol=1e-6)
    assert torch.equal(normalise_pixels(pixels[None], encoder)[0], processor(image))


@pytest.mark.parametrize("decoder", ["packed", "plain"])
def test_it_trains_and_is_loaded_again(tmp_path: Path, decoder: str) -> None:
    section = section_of(DINOV2, tmp_path, decoder=decoder)
    model = MiniGPTv2.from_config(section)
    batch = samples(0, 1)
    batch["image"] = torch.nn.functional.interpolate(batch["image"], size=SIDES[DINOV2])
    if decoder == "packed":
        batch["layout"], _ = model.packer()(batch["instruction_input"], batch["answer"], range(2))  # type: ignore[misc]
    optimizer = torch.optim.AdamW([tensor for tensor in model.parameters() if tensor.requires_grad], lr=3e-2)
    losses = []
    for _ in range(16):
        loss = model.eval()(batch)["loss"]
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0] - 0.4
    assert all(tensor.grad is None for tensor in model.visual_encoder.parameters())
    again = MiniGPTv2.from_config({**section, "ckpt": str(trained(model, tmp_path / "a.pth"))})
    assert again.eval()(batch)["loss"].item() == pytest.approx(model.eval()(batch)["loss"].item(), abs=1e-6)


def test_a_checkpoint_of_another_encoder_is_refused_and_both_are_named(tmp_path: Path) -> None:
    dino = MiniGPTv2.from_config(section_of(DINOV2, tmp_path))
    path = trained(dino, tmp_path / "a.pth")
    section = section_of(SIGLIP, tmp_path, ckpt=str(path))
    with pytest.raises(CheckpointError, match=f"timm/{DINOV2}.*timm/{SIGLIP}.*model.vit_model=timm/{DINOV2}") as caught:
        MiniGPTv2.from_config(section)
    assert {problem.partition(":")[0] for problem in caught.value.problems} >= {"name", "mean", "prefix_tokens"}
    with pytest.raises(CheckpointError, match=f"timm/{DINOV2}.*eva_clip_g"):
        MiniGPTv2.from_config({**section, "vit_model": "eva_clip_g"})
    upstream = str(FOLDER / "checkpoint_upstream.pth")
    with pytest.raises(CheckpointError, match="names no vision encoder.*eva_clip_g.*model.ckpt=null"):
        MiniGPTv2.from_config({**section, "ckpt": upstream})
    with pytest.raises(CheckpointError, match="trained with the vision encoder") as caught:
        MiniGPTv2.from_config({**section_of(DINOV2, tmp_path, ckpt=str(path)), "vit": {**SMALL, "group": 2}})
    assert list(caught.value.problems) == ["group: 4 then, 2 now"]
    with pytest.raises(CheckpointError, match="trained with the vision encoder"):
        MiniGPTv2.from_config(section_of(PLAIN, tmp_path)).load_checkpoint(str(path))


def test_other_weights_of_the_same_encoder_are_refused(tmp_path: Path) -> None:
    section = section_of(SIGLIP, tmp_path)
    path = trained(MiniGPTv2.from_config(section), tmp_path / "a.pth")
    state = timms(SIGLIP).state_dict()
    half = {key: tensor.half() for key, tensor in state.items()}
    save_file(half, section["vit_weights"])
    MiniGPTv2.from_config({**section, "ckpt": str(path)})  # the same in half precision
    state["blocks.0.norm1.weight"] += 0.1
    save_file(state, section["vit_weights"])
    with pytest.raises(CheckpointError, match="other weights of the vision encoder.*fingerprint.*PEFOMED_VIT"):
        MiniGPTv2.from_config({**section, "ckpt": str(path)})


def test_another_image_size_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    section = section_of(SIGLIP, tmp_path)
    path = trained(MiniGPTv2.from_config(section), tmp_path / "a.pth")
    MiniGPTv2.from_config({**section, "ckpt": str(path), "image_size": 96})
    assert "was trained on images of 64 pixels; this run has 96" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state.pop("blocks.1.mlp.fc1.bias"), "blocks.1.mlp.fc1.bias: not in the file"),
        (lambda state: state.update(extra=torch.zeros(2)), "extra: the model has no such tensor"),
        (lambda state: state.update({"norm.weight": torch.zeros(3)}), "norm.weight: shape .3,. in the file"),
        (lambda state: state["norm.weight"].fill_(float("nan")), "norm.weight: 32 of 32 values"),
    ],
)
def test_weights_that_do_not_fill_it_are_refused(tmp_path: Path, spoil: Any, message: str) -> None:
    section = section_of(SIGLIP, tmp_path)
    state = timms(SIGLIP).state_dict()
    spoil(state)
    save_file(state, section["vit_weights"])
    with pytest.raises(CheckpointError) as caught:
        build_vision_encoder(encoder_of(section), Path(section["vit_weights"]))
    assert any(re.search(message, problem) for problem in caught.value.problems), caught.value.problems


def test_blocks_that_are_not_used_may_be_in_the_file(tmp_path: Path) -> None:
    section = section_of(SIGLIP, tmp_path)
    encoder = encoder_of({**section, "vit": {**SMALL, "depth": 1}})
    module = build_vision_encoder(encoder, Path(section["vit_weights"])).eval()
    images, own = torch.randn(1, 3, 64, 64), timms(SIGLIP)
    own.blocks = own.blocks[:1]
    with torch.no_grad():
        assert torch.equal(module.forward_features(images), own.forward_features(images))  # type: ignore[operator]


def test_positions_are_resampled_as_timm_does_it(tmp_path: Path) -> None:
    section = section_of(DINOV2, tmp_path)
    file = Path(section["vit_weights"])
    module = build_vision_encoder(encoder_of({**section, "image_size": 84}), file)
    own = timms(DINOV2)
    own.set_input_size(img_size=84)
    images = torch.randn(1, 3, 84, 84)
    with torch.no_grad():
        expected = own.forward_features(images)
    assert torch.equal(module.eval().forward_features(images), expected)  # type: ignore[operator]


def test_a_folder_of_the_hub_says_what_it_holds(tmp_path: Path) -> None:
    section = section_of(SIGLIP, tmp_path)
    folder = tmp_path / "hub"
    folder.mkdir()
    encoder = encoder_of(section)
    with pytest.raises(CheckpointError, match="no weights of a vision encoder: none of model.safetensors"):
        build_vision_encoder(encoder, folder)
    Path(section["vit_weights"]).rename(folder / "model.safetensors")
    build_vision_encoder(encoder, folder)
    facts = {"mean": list(encoder.mean), "std": list(encoder.std)}
    (folder / "config.json").write_text(json.dumps({"architecture": SIGLIP, "pretrained_cfg": facts}))
    build_vision_encoder(encoder, folder)
    other = {"architecture": PLAIN, "pretrained_cfg": {**facts, "mean": [0.1, 0.2, 0.3], "tag": "own"}}
    (folder / "config.json").write_text(json.dumps(other))
    with pytest.raises(CheckpointError, match="weights of another encoder") as caught:
        build_vision_encoder(encoder, folder)
    assert [problem.split(" ")[1] for problem in caught.value.problems] == ["architecture", "mean"]


def test_biomedclips_encoder_is_read_out_of_its_whole_file(tmp_path: Path) -> None:
    encoder = encoder_of({"vit_model": "biomedclip", "vit": SMALL, "image_size": 64})
    alias = "hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"
    assert encoder_of({"vit_model": alias, "vit": SMALL, "image_size": 64}) == encoder
    assert (encoder.mean, encoder.prefix_tokens, encoder.licence) == (CLIP_MEAN, 1, "mit")
    own = timms(PLAIN)
    whole = {f"visual.trunk.{key}": tensor for key, tensor in own.state_dict().items()}
    whole.update(
        {
            "visual.head.proj.weight": torch.zeros(8, 32),
            "text.proj.0.weight": torch.zeros(2),
            "logit_scale": torch.zeros(1),
        }
    )
    torch.save(whole, tmp_path / "open_clip_pytorch_model.bin")
    module = build_vision_encoder(encoder, tmp_path).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(module.forward_features(images), own.forward_features(images))  # type: ignore[operator]
    torch.save(own.state_dict(), tmp_path / "plain.pth")
    with pytest.raises(CheckpointError, match="no weights of BiomedCLIP"):
        load_vision_weights(module, encoder, tmp_path / "plain.pth")


@pytest.mark.parametrize(("group", "tokens"), [(1, 16), (2, 8), (16, 1)])
def test_another_number_of_patches_in_a_visual_token(tmp_path: Path, group: int, tokens: int) -> None:
    model = MiniGPTv2.from_config(section_of(PLAIN, tmp_path, vit={**SMALL, "group": group}))
    assert model.encode_img(torch.zeros(2, 3, 64, 64)).shape == (2, tokens, model.llama_proj.weight.shape[0])
    assert model.llama_proj.weight.shape[1] == 32 * group


def test_a_size_that_makes_no_whole_groups_is_refused() -> None:
    encoder = encoder_of({"vit_model": f"timm/{DINOV2}", "vit": SMALL})
    with pytest.raises(ConfigError) as caught:
        build_vision_encoder(encoder)
    assert list(caught.value.problems) == [
        "model.image_size: 518 pixels are no whole number of groups of four patches of 14 (37 x 37 of them); the "
        "nearest that is: 504"
    ]
    build_vision_encoder(encoder_of({"vit_model": f"timm/{DINOV2}", "vit": SMALL, "image_size": 504}))
    assert replace(encoder, group=1).problems() == []
