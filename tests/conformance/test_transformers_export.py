"""The exported transformers folder computes what our model computes, by transformers' own doors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from pefomed_plugin import load
from pefomed_plugin.adapters.exports.contents import read_contents
from pefomed_plugin.prompts import template_of
from pefomed_plugin.toolkit.bundled.processors import Blip2ImageEvalProcessor
from pefomed_plugin.toolkit.checkpoint import trainable_state
from tests.conformance.exported_model import (
    LLAMA,
    UPSTREAM,
    answered,
    chat,
    export,
    generated_questions,
    golden_batch,
    inputs_of,
    loaded,
    our_prompts,
    parts_of,
    until_end,
    write_vit,
)
from tests.conformance.golden import arrays, golden, golden_model, samples
from tests.conformance.tiny_families import OURS, tiny_model, write_family


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What MiniGPT-v2 itself wrote after the golden training."""
    folder = tmp_path_factory.mktemp("upstream")
    return export(parts_of(read_contents(UPSTREAM), LLAMA, write_vit(folder / "eva_vit.pth")), folder / "hub")


def test_greedy_ids_of_the_golden_prompts(talk: dict[str, Any]) -> None:
    batch = golden_batch(talk["processor"])
    wanted = talk["ours"].generate_ids(arrays()["images"], golden()["prompts"], max_new_tokens=12)
    assert answered(talk["model"], batch, max_new_tokens=12).tolist() == wanted.tolist()
    assert len({tuple(row) for row in wanted.tolist()}) > 3, "answers that are all alike show nothing"


def test_what_minigpt_v2_itself_generated(tmp_path: Path) -> None:
    """The goldens' own ids: a checkpoint of nothing but what MiniGPT-v2 began with."""
    ours = golden_model()
    torch.save({"model": trainable_state(ours)}, tmp_path / "initial.pth")
    folder = export(
        parts_of(read_contents(tmp_path / "initial.pth"), LLAMA, write_vit(tmp_path / "v.pth")), tmp_path / "o"
    )
    model, processor = loaded(folder)
    wanted = [row[1:] for row in golden()["generate_ids"]["greedy"]]
    found = answered(model, golden_batch(processor), max_new_tokens=len(wanted[0])).tolist()
    assert found == wanted


def test_fifty_generated_questions(talk: dict[str, Any]) -> None:
    asked = generated_questions()
    ours, model, processor = talk["ours"], talk["model"], talk["processor"]
    make = Blip2ImageEvalProcessor(image_size=56)
    wanted, found, texts = [], [], []
    for start in range(0, len(asked), 10):
        some = asked[start : start + 10]
        images = torch.stack([make(image) for image, _ in some])
        prompts = our_prompts(ours, [text for _, text in some])
        wanted += [until_end(row, (2,)) for row in ours.generate_ids(images, prompts, max_new_tokens=12)]
        batch = inputs_of(processor, [chat(image, text) for image, text in some])
        assert torch.equal(batch["pixel_values"], images)
        rows = answered(model, batch, max_new_tokens=12)
        found += [until_end(row, (2,)) for row in rows]
        texts += processor.batch_decode(rows, skip_special_tokens=True)
    assert found == wanted
    assert [text.strip() for text in texts] == [ours._answer_text(row) for row in wanted]
    assert len({tuple(row) for row in wanted}) > 10


@pytest.mark.parametrize("side", ["left", "right"])
def test_loss_with_labels(upstream: Path, side: str) -> None:
    model, processor = loaded(upstream)
    ours = golden_model()
    ours.load_checkpoint(UPSTREAM)
    wanted = ours(samples())["loss"].item()
    assert wanted == pytest.approx(golden()["loss_after"], abs=1e-5)
    assert model(**golden_batch(processor, answers=True, side=side)).loss.item() == pytest.approx(wanted, abs=1e-5)


def test_gradients_reach_what_is_trainable_and_no_frozen_vision(talk: dict[str, Any]) -> None:
    model, _ = loaded(talk["folder"])
    batch = golden_batch(talk["processor"], answers=True)
    ours = talk["ours"]
    ours.zero_grad()
    ours(samples())["loss"].backward()
    model(**batch).loss.backward()
    wanted = ours.llama_proj.weight.grad
    assert torch.allclose(model.model.llama_proj.weight.grad, wanted, atol=1e-5)
    without = {name.split(".")[1] for name, one in model.named_parameters() if one.grad is None}
    assert without == {"visual_encoder", "ln_vision"}
    plain = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    model.train()
    model.gradient_checkpointing_enable()
    model(**batch, use_cache=False).loss.backward()
    assert all(
        torch.allclose(one.grad, plain[name], atol=1e-6) for name, one in model.named_parameters() if name in plain
    )


def test_batched_is_single(talk: dict[str, Any]) -> None:
    model, processor = talk["model"], talk["processor"]
    batch = golden_batch(processor)
    together = answered(model, batch, max_new_tokens=8).tolist()
    for number, text in enumerate(golden()["prompts"]):
        one = processor(text=text, images=Image.new("RGB", (9, 9)), return_tensors="pt")
        one["pixel_values"] = arrays()["images"][number : number + 1]
        assert answered(model, one, max_new_tokens=8).tolist()[0] == together[number]


@pytest.mark.parametrize("settings", [{"cache_implementation": "static"}, {"use_cache": False}])
def test_other_caches(talk: dict[str, Any], settings: dict[str, Any]) -> None:
    batch = golden_batch(talk["processor"])
    wanted = answered(talk["model"], batch, max_new_tokens=8)
    assert torch.equal(answered(talk["model"], batch, max_new_tokens=8, **settings), wanted)


def test_beams_are_ours_and_several_images_stay_with_their_rows(talk: dict[str, Any]) -> None:
    ours, model, processor = talk["ours"], talk["model"], talk["processor"]
    settings = {"num_beams": 3, "max_new_tokens": 6}
    wanted = ours.generate_ids(arrays()["images"], golden()["prompts"], **settings)
    assert torch.equal(answered(model, golden_batch(processor), **settings), wanted)
    template = template_of("vqa")
    texts = [template.ask("what?", names=("frontal", "lateral")), template.ask("where?", names=("a", "b"))]
    prompts = [ours.prompt_style.user_turn(text) for text in texts]
    batch = processor(text=prompts, images=[Image.new("RGB", (9, 9))] * 4, return_tensors="pt", padding=True)
    batch["pixel_values"] = arrays()["images"][:4]
    for chosen in (settings, {"max_new_tokens": 6}):
        wanted = ours.generate_ids(arrays()["images"][:4], prompts, **chosen)
        assert torch.equal(answered(model, batch, **chosen), wanted)


def test_a_tuple_for_those_who_ask_for_one(talk: dict[str, Any]) -> None:
    batch = golden_batch(talk["processor"])
    with torch.no_grad():
        named = talk["model"](**batch, labels=batch["input_ids"])
        loss, logits, *_ = talk["model"](**batch, labels=batch["input_ids"], return_dict=False)
    assert torch.equal(loss, named.loss) and torch.equal(logits, named.logits)


@pytest.mark.parametrize("name", OURS)
def test_every_language_model_family(tmp_path: Path, name: str) -> None:
    llama = write_family(name, tmp_path / "llama")
    ours = tiny_model(llama)
    settings = ours.lora_settings.record()
    torch.save({"model": trainable_state(ours), "peft": settings, "language_model": name}, tmp_path / "c.pth")
    vision = ours.visual_encoder.state_dict()
    torch.save({key: one for key, one in vision.items() if not key.endswith("k_bias")}, tmp_path / "v.pth")
    folder = export(parts_of(read_contents(tmp_path / "c.pth"), llama, tmp_path / "v.pth"), tmp_path / "hub")
    model, processor = loaded(folder)
    film = Image.new("RGB", (9, 9))
    hostile = ["Is it <|im_end|> or <|eot_id|>?", "how\u00e9 wide is the heart", "why"]
    template, plain = template_of("vqa"), ours.llama_tokenizer.plain
    prompts = [ours.prompt_template.format(plain(template.ask(text))) for text in hostile]
    batch = inputs_of(processor, [chat(film, text) for text in hostile])
    batch["pixel_values"] = arrays()["images"][:3]
    wanted = ours.generate_ids(arrays()["images"][:3], prompts, max_new_tokens=10)
    ends = ours.llama_tokenizer.stop_token_ids
    found = answered(model, batch, max_new_tokens=10)
    assert [until_end(row, ends) for row in found] == [until_end(row, ends) for row in wanted]
    loss = ours(
        {
            "image": arrays()["images"][:3],
            "instruction_input": [template.ask(text) for text in hostile],
            "answer": ["yes", "no it is not", "both"],
        }
    )["loss"].item()
    whole = [
        processor.apply_chat_template(chat(film, text, answer))
        for text, answer in zip(hostile, ["yes", "no it is not", "both"])
    ]
    trained = processor(text=whole, images=[film] * 3, return_tensors="pt", padding=True, padding_side="right")
    trained["pixel_values"] = batch["pixel_values"]
    labels = trained["input_ids"].masked_fill(trained["attention_mask"] == 0, -100)
    for row, text in enumerate(hostile):
        prompt = processor.apply_chat_template(chat(film, text), add_generation_prompt=True)
        labels[row, : len(processor(text=prompt, images=film)["input_ids"][0])] = -100
    assert model(**trained, labels=labels).loss.item() == pytest.approx(loss, abs=1e-5)
    assert load(folder).network.family.name == name
    again = export(parts_of(read_contents(folder), folder, folder), tmp_path / "again")
    assert (again / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
    assert torch.equal(answered(loaded(again)[0], batch, max_new_tokens=10), found)
