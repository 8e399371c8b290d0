"""A model with another vision encoder, from training's checkpoint to answers, exports and its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from pefomed_plugin import load
from pefomed_plugin.cli import main
from pefomed_plugin.doctor.run import check_weights
from pefomed_plugin.doctor.weights import Sizes
from pefomed_plugin.embedded.tiny_vision import random_weights
from pefomed_plugin.errors import CheckpointError, ConfigError
from pefomed_plugin.lora import recorded
from pefomed_plugin.toolkit import registry
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2
from pefomed_plugin.toolkit.checkpoint import trainable_state
from pefomed_plugin.vision_encoders import encoder_of
from tests.unit.services.small import small_image

QUESTION = "Is there a fracture?"
NAME = "timm/vit_base_patch16_siglip_224"
ENCODER = {
    "vit_model": NAME,
    "vit": {"embed_dim": 64, "depth": 2, "num_heads": 4, "mlp_ratio": 4.0},
    "image_size": 96,
}
WHOLE = encoder_of(ENCODER).name
"""With the tag of timm's default weights."""


@pytest.fixture(scope="module")
def trained(files: dict[str, Path], tmp_path_factory: Any) -> dict[str, Any]:
    """Its weights, a checkpoint of it as training writes it, and the network."""
    folder = tmp_path_factory.mktemp("siglip")
    save_file(random_weights(encoder_of(ENCODER), 0), str(folder / "model.safetensors"))
    section = {**ENCODER, "llama_model": str(files["llama"]), "vit_weights": str(folder), "lora_r": 4}
    torch.manual_seed(1)
    network = MiniGPTv2.from_config(section).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape))
    config = {"model": {**ENCODER, "lora_r": 4}, "run": {"task": "medical_vqa"}}
    path = folder / "checkpoint_last.pth"
    torch.save({"model": trainable_state(network), "epoch": 0, "config": config, **recorded(network)}, path)
    return {"vit": folder, "checkpoint": path, "network": network}


def test_it_is_loaded_from_its_file_and_answers_as_the_network(files: Any, trained: Any, scans: Path) -> None:
    model = load(trained["checkpoint"], llama=files["llama"], vit=trained["vit"])
    encoder = model.network.encoder
    assert (encoder.name, encoder.image_size, encoder.mean) == (WHOLE, 96, (0.5, 0.5, 0.5))
    processor: Any = registry.get_processor_class("blip2_image_eval")(96, (0.5,) * 3, (0.5,) * 3)
    image = processor(small_image(1))
    prompt = (
        "[INST] <Img><ImageHere></Img> [vqa] Based on the image, respond to this question with a short answer: "
        f"{QUESTION} [/INST]"
    )
    expected = trained["network"].generate(image[None], [prompt], max_new_tokens=20)[0]
    assert model.ask(scans / "a.png", QUESTION) == expected


def test_exports_remember_it(files: Any, trained: Any, scans: Path, tmp_path: Path, capsys: Any) -> None:
    checkpoint = str(trained["checkpoint"])
    assert main(["checkpoint", "export", checkpoint, "--out", str(tmp_path / "adapter")]) == 0
    out = tmp_path / "a.safetensors"
    told = ["checkpoint", "convert", checkpoint, "--to", "safetensors", "--weights-only", "--out", str(out)]
    assert main(told) == 0
    merged = tmp_path / "merged"
    assert main(["checkpoint", "merge", checkpoint, "--llama", str(files["llama"]), "--out", str(merged)]) == 0
    capsys.readouterr()
    expected = load(checkpoint, llama=files["llama"], vit=trained["vit"]).ask(scans / "a.png", QUESTION)
    for place in (tmp_path / "adapter", out):
        assert load(place, llama=files["llama"], vit=trained["vit"]).ask(scans / "a.png", QUESTION) == expected
    projector = {"llama_model": str(merged), "ckpt": str(merged / "projector.safetensors"), "lora_r": 0}
    MiniGPTv2.from_config({**ENCODER, **projector, "vit_weights": str(trained["vit"])})
    with pytest.raises(CheckpointError, match=f"trained with the vision encoder {WHOLE}.*eva_clip_g"):
        MiniGPTv2.from_config({**projector, "vit_weights": str(files["vit"])})
    for card in (tmp_path / "adapter" / "README.md", merged / "README.md"):
        text = card.read_text(encoding="utf-8")
        assert f"a frozen {WHOLE.partition('/')[2]} of timm and" in text
        assert f"(https://huggingface.co/{WHOLE}): apache-2.0" in text


def test_inspecting_says_it(trained: Any, capsys: Any) -> None:
    assert main(["checkpoint", "inspect", str(trained["checkpoint"])]) == 0
    said = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["encoder", f"{WHOLE}, 96 pixels"] in said


def test_other_weights_are_refused_when_it_is_loaded(files: Any, trained: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"does not fit the vision encoder {WHOLE}"):
        load(trained["checkpoint"], llama=files["llama"], vit=files["vit"])
    save_file(random_weights(encoder_of(ENCODER), 0), str(tmp_path / "model.safetensors"))
    facts = {"architecture": "vit_base_patch16_224"}
    (tmp_path / "config.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(CheckpointError, match="weights of another encoder"):
        load(trained["checkpoint"], llama=files["llama"], vit=tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(trained["checkpoint"], llama=files["llama"], vit=tmp_path / "no")
    assert f"it should be the weights of {WHOLE} (https://huggingface.co/" in caught.value.problems[0]


def test_the_doctor_knows_it(files: Any, trained: Any) -> None:
    sizes = Sizes(None, encoder=encoder_of(ENCODER))
    found = check_weights(files["llama"], trained["vit"], trained["checkpoint"], sizes)
    assert [finding.state for finding in found] == ["ok", "ok", "ok"]
    assert "96 pixels make 9 visual tokens; licence of its weights: apache-2.0" in found[1].found
    found = check_weights(files["llama"], files["vit"], files["checkpoint"], sizes)
    assert [finding.state for finding in found] == ["ok", "error", "error"]
    assert "does not fit the vision encoder" in found[1].found and "names no vision encoder" in found[2].found
