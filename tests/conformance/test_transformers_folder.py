"""The exported folder as it lies there: loaded, saved again, offloaded, told apart from others, refused."""

from __future__ import annotations

import json
from contextlib import redirect_stderr
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from pefomed_plugin import load
from pefomed_plugin.adapters.exports.contents import read_contents
from pefomed_plugin.errors import CheckpointError
from pefomed_plugin.families import DEFAULT_FAMILY as LLAMA_2
from pefomed_plugin.families.exported import NORM, PROJECTION, VISION, exported_name
from pefomed_plugin.toolkit.bundled.vision import build_vision_encoder
from pefomed_plugin.vision_encoders import VIT_G
from tests.conformance.exported_model import (
    LLAMA,
    answered,
    chat,
    export,
    generated_questions,
    golden_batch,
    inputs_of,
    loaded,
    parts_of,
)
from tests.conformance.golden import arrays, golden


def test_half_precision_device_map_and_saving_again(talk: dict[str, Any], tmp_path: Path) -> None:
    model, processor = loaded(talk["folder"], dtype=torch.bfloat16, device_map={"": "cpu"})
    assert {one.dtype for one in model.parameters()} == {torch.bfloat16}
    batch = golden_batch(processor)
    batch["pixel_values"] = batch["pixel_values"].to(torch.bfloat16)
    assert answered(model, batch, max_new_tokens=4).shape == (6, 4)
    talk["model"].save_pretrained(tmp_path / "again")
    talk["processor"].save_pretrained(tmp_path / "again")
    again, its_processor = loaded(tmp_path / "again")
    wanted = answered(talk["model"], golden_batch(talk["processor"]), max_new_tokens=8)
    assert torch.equal(answered(again, golden_batch(its_processor), max_new_tokens=8), wanted)
    ours = load(tmp_path / "again").network  # what another program trained can be evaluated here
    found = ours.generate_ids(arrays()["images"], golden()["prompts"], max_new_tokens=8)
    assert torch.equal(found, wanted)


@pytest.mark.parametrize("with_adapter", [False, True])
def test_a_disk_that_is_too_small_is_named_before_anything_is_written(
    talk: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_adapter: bool
) -> None:
    parts = parts_of(
        read_contents(talk["folder"].parent / "checkpoint.pth"), LLAMA, talk["folder"].parent / "eva_vit.pth"
    )
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(CheckpointError, match=rf"{tmp_path} has 0.0 GB free, the exported model needs"):
        export(parts, tmp_path / "out", with_adapter=with_adapter)


def test_our_load_reads_the_folder(talk: dict[str, Any]) -> None:
    model = load(talk["folder"])
    found = model.network.generate_ids(arrays()["images"], golden()["prompts"], max_new_tokens=8)
    assert torch.equal(found, talk["ours"].generate_ids(arrays()["images"], golden()["prompts"], max_new_tokens=8))
    film, question = generated_questions(1)[0]
    batch = inputs_of(talk["processor"], chat(film, question))
    row = answered(talk["model"], batch, max_new_tokens=20)
    assert model.ask(film, question) == talk["processor"].batch_decode(row, skip_special_tokens=True)[0].strip()


def said_of(folder: Path) -> str:
    """What our ``load`` says, or is refused with."""
    with redirect_stderr(StringIO()) as said:
        try:
            load(folder)
        except CheckpointError as error:
            return str(error)
    return " ".join(said.getvalue().split())


def test_base_and_adapter(talk: dict[str, Any], tmp_path: Path) -> None:
    from peft import PeftModel

    parts = parts_of(
        read_contents(talk["folder"].parent / "checkpoint.pth"), LLAMA, talk["folder"].parent / "eva_vit.pth"
    )
    out = export(parts, tmp_path / "two", with_adapter=True)
    settings = json.loads((out / "adapter" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == str(out / "base")
    batch = golden_batch(talk["processor"])
    with torch.no_grad():
        wanted = talk["model"](**batch).logits
        base, _ = loaded(out / "base")
        assert "is the base of an adapter: the LoRA that it was trained with is not in it" in said_of(out / "base")
        assert not torch.allclose(base(**batch).logits, wanted, atol=1e-3)
        adapted = PeftModel.from_pretrained(base, str(out / "adapter")).eval()
        assert torch.allclose(adapted(**batch).logits, wanted, atol=1e-5)
        assert f"{out / 'base'} is the model without its LoRA" in said_of(out)
        at_once, _ = loaded(out / "adapter")  # transformers finds the base by its name
        assert torch.allclose(at_once(**batch).logits, wanted, atol=1e-5)


def test_what_would_compute_something_else_is_refused(talk: dict[str, Any]) -> None:
    model, processor, film = talk["model"], talk["processor"], Image.new("RGB", (9, 9))
    prompt = golden()["prompts"][0]
    batch = processor(text=prompt, images=film, return_tensors="pt")
    for refused, said in (
        (lambda: model.resize_token_embeddings(600), "keeps them"),
        (lambda: processor(text=prompt), "0 image"),
        (lambda: processor(text="no place", images=film), "0 place"),
        (lambda: processor(text=prompt, images=film, size={"height": 28, "width": 28}), "56 pixels"),
        (lambda: processor(text=prompt, images=film, do_normalize=False), "do_normalize"),
        (lambda: processor(text=prompt, images="chest.dcm"), "No such file"),
        (lambda: model(input_ids=batch["input_ids"]), "no pixel_values"),
        (lambda: model(input_ids=batch["input_ids"][:, :9], pixel_values=batch["pixel_values"]), "cut"),
        (lambda: model(input_ids=batch["input_ids"], pixel_values=torch.zeros(1, 3, 28, 28)), "56"),
    ):
        with pytest.raises((ValueError, OSError), match=said):
            refused()
    assert model.resize_token_embeddings(512) is model.get_input_embeddings()


def test_parts_on_other_devices(talk: dict[str, Any], tmp_path: Path) -> None:
    """Offloaded parts reach their weights through modules alone, as parts on other GPUs do."""
    batch = golden_batch(talk["processor"])
    wanted = answered(talk["model"], batch, max_new_tokens=6)
    places = {"model.visual_encoder": "disk", "model.ln_vision": "cpu", "model.llama_proj": "disk"}
    places.update({"model.language_model": "cpu", "lm_head": "disk"})
    model, _ = loaded(talk["folder"], device_map=places, offload_folder=str(tmp_path))
    assert torch.equal(answered(model, batch, max_new_tokens=6), wanted)


def test_the_real_sizes_have_the_real_names(tmp_path: Path, talk: dict[str, Any]) -> None:
    """ViT-g and LLaMA-2-7B: what the folder's code would load is what is written of them."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(str(talk["folder"]), trust_remote_code=True)
    size = asdict(LLAMA_2.published_size)
    text = {key: size[key] for key in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")}
    vision = type(config.vision_config)()
    real = type(config)({"model_type": "llama", **text, "num_attention_heads": 32}, vision, auto_map=config.auto_map)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(real, trust_remote_code=True)
        encoder = build_vision_encoder(VIT_G)
    found = {name: tuple(one.shape) for name, one in model.state_dict().items()}
    wanted = {exported_name(name): shape for name, shape in LLAMA_2.tensor_shapes(size).items()}
    wanted.update({VISION + name: tuple(one.shape) for name, one in encoder.state_dict().items()})
    wanted.update({PROJECTION + "weight": (4096, 5632), PROJECTION + "bias": (4096,)})
    wanted.update({NORM + "weight": (1408,), NORM + "bias": (1408,)})
    assert found == wanted
    assert vision.visual_tokens == VIT_G.visual_tokens == 256
