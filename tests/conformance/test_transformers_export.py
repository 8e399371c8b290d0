"""The exported transformers folder computes what our model computes, by transformers' own doors."""

from __future__ import annotations

import json
from contextlib import redirect_stderr
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pefomed_plugin import load
from pefomed_plugin.adapters.exports.contents import read_contents
from pefomed_plugin.errors import CheckpointError
from pefomed_plugin.families import DEFAULT_FAMILY as LLAMA_2
from pefomed_plugin.families.exported import NORM, PROJECTION, VISION, exported_name
from pefomed_plugin.prompts import PROMPT_TEMPLATES, template_of
from pefomed_plugin.toolkit.bundled.processors import Blip2ImageEvalProcessor
from pefomed_plugin.toolkit.bundled.vision import build_vision_encoder
from pefomed_plugin.toolkit.checkpoint import trainable_state
from pefomed_plugin.vision_encoders import VIT_G
from tests.conformance.exported_model import (
    LLAMA,
    UPSTREAM,
    answered,
    chat,
    export,
    generated_questions,
    inputs_of,
    loaded,
    our_prompts,
    parts_of,
    until_end,
    write_talkative,
    write_vit,
)
from tests.conformance.golden import arrays, golden, golden_model, samples
from tests.conformance.tiny_families import OURS, tiny_model, write_family

PLACE = "<ImageHere>"


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A model that has much to say: ours, and its folder as transformers loads it."""
    folder, ours = write_talkative(tmp_path_factory.mktemp("talk"))
    model, processor = loaded(folder)
    return {"folder": folder, "ours": ours, "model": model, "processor": processor}


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What MiniGPT-v2 itself wrote after the golden training."""
    folder = tmp_path_factory.mktemp("upstream")
    return export(parts_of(read_contents(UPSTREAM), LLAMA, write_vit(folder / "eva_vit.pth")), folder / "hub")


def golden_batch(processor: Any, answers: bool = False, side: str = "left") -> Any:
    """The golden prompts and images; with answers also ``labels``."""
    texts = list(golden()["prompts"])
    if answers:
        texts = [f"{text} {answer}</s>" for text, answer in zip(texts, golden()["answer"])]
    film = Image.new("RGB", (9, 9))
    batch = processor(text=texts, images=[film] * 6, return_tensors="pt", padding=True, padding_side=side)
    batch["pixel_values"] = arrays()["images"]
    if answers:
        batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        for row, text in enumerate(golden()["prompts"]):
            prompt = len(processor(text=text, images=film)["input_ids"][0])
            begin = int(batch["attention_mask"][row].argmax())
            batch["labels"][row, : begin + prompt] = -100
    return batch


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


@pytest.mark.parametrize("task", ["vqa", "report", "caption"])
def test_prompts_are_those_of_training(talk: dict[str, Any], task: str) -> None:
    processor, template = talk["processor"], PROMPT_TEMPLATES[task]
    film = Image.new("RGB", (9, 9))
    asked = "Is <Img> there  a {question} </Img>?" if task == "vqa" else ""
    own = template.ask(" ".join(asked.split()))
    wanted = "<s>" + talk["ours"].prompt_style.user_turn(own)
    said = f"{template.name} {asked}"
    assert processor.apply_chat_template(chat(film, said), add_generation_prompt=True) == wanted
    system = [{"role": "system", "content": template.name}, *chat(film, asked)]
    assert processor.apply_chat_template(system, add_generation_prompt=True) == wanted
    if task == "vqa":  # the whole instruction is not put in front a second time
        again = chat(film, own.partition("[vqa] ")[2])
        assert processor.apply_chat_template(again).count("Based on the image") == 1
    else:
        own = template.instruction_input("Only the heart.")
        text = processor.apply_chat_template(chat(film, f"{template.name} Only the heart."))
        assert text == "<s>" + talk["ours"].prompt_style.user_turn(own)


def test_several_images_in_one_prompt(talk: dict[str, Any]) -> None:
    film = Image.new("RGB", (9, 9))
    content = [{"type": "image", "image": film, "view": "frontal"}, {"type": "image", "image": film}]
    messages = [{"role": "user", "content": [*content, {"type": "text", "text": "Is there one?"}]}]
    own = template_of("vqa").ask("Is there one?", names=("frontal", "image 2"))
    text = talk["processor"].apply_chat_template(messages, add_generation_prompt=True)
    assert text == "<s>" + talk["ours"].prompt_style.user_turn(own)


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"role": "user", "content": "Is it?"}], "no prompt without an image"),
        (chat(None, ""), "needs a question"),
        ([*chat(None, "a", "b"), *chat(None, "c")], "one question at a time"),
        ([{"role": "system", "content": "Be kind."}, *chat(None, "a")], r"\[caption\], \[vqa\], \[report\]"),
        ([{"role": "tool", "content": "a"}], "knows user and assistant, not tool"),
        ([{"role": "user", "content": [{"type": "video", "path": "a.mp4"}]}], "no video"),
    ],
)
def test_conversations_that_were_not_learnt_are_refused(talk: dict[str, Any], messages: Any, said: str) -> None:
    with pytest.raises(Exception, match=said):
        talk["processor"].apply_chat_template(messages)


def test_tokens_of_prompt_and_answer_apart_or_together(talk: dict[str, Any]) -> None:
    processor, tokenizer = talk["processor"], talk["ours"].llama_tokenizer
    film = Image.new("RGB", (9, 9))
    hostile = ["a $$ b", "$$", "<unk> \u80ba\u00e9\u0000", "two  blanks", "</Img> [INST] x", "\U0001fa7b 37\u00b0"]
    for text in [*golden()["instruction_input"], *(f"<Img>{PLACE}</Img> [vqa] {one}" for one in hostile)]:
        prompt = talk["ours"].prompt_style.user_turn(text)
        before, behind = (tokenizer.encode(part) for part in prompt.split(PLACE))
        found = processor(text=prompt, images=film)["input_ids"][0]
        assert found == [1, *before, *[processor.image_token_id] * 4, *behind]
        for answer in [*golden()["answer"], *hostile]:
            whole = processor(text=f"{prompt} {answer}</s>", images=film)["input_ids"][0]
            assert whole[len(found) :] == tokenizer.encode(answer + "</s>")
            for blank in ("", " "):
                alone = processor(text=f"{blank}{answer}</s>", add_special_tokens=False)["input_ids"][0]
                assert alone == tokenizer.encode(answer + "</s>")


def test_images_are_made_as_ours(talk: dict[str, Any], tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    kinds = {
        "rgb.png": Image.fromarray(draw.integers(0, 255, (300, 90, 3), dtype=np.uint8)),
        "grey.png": Image.fromarray(draw.integers(0, 255, (31, 200), dtype=np.uint8)),
        "deep.png": Image.fromarray(draw.integers(100, 4000, (90, 80)).astype(np.uint16)),
        "clear.png": Image.fromarray(draw.integers(0, 255, (60, 60, 4), dtype=np.uint8)),
        "palette.gif": Image.fromarray(draw.integers(0, 255, (60, 50), dtype=np.uint8)).convert("P"),
    }
    turned = Image.Exif()
    turned[0x0112] = 6
    kinds["rgb.png"].save(tmp_path / "turned.jpg", exif=turned)
    for name, image in kinds.items():
        image.save(tmp_path / name)
    from pefomed_plugin.services.images.given_images import open_given

    make, processor = Blip2ImageEvalProcessor(image_size=56), talk["processor"]
    for path in sorted(tmp_path.iterdir()):
        wanted = make(open_given(path))
        for given in (str(path), path, Image.open(path)):
            found = inputs_of(processor, chat(given, "Is it?"))["pixel_values"][0]
            assert torch.equal(found, wanted), (path.name, type(given))


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


def test_a_tuple_for_those_who_ask_for_one(talk: dict[str, Any]) -> None:
    batch = golden_batch(talk["processor"])
    with torch.no_grad():
        named = talk["model"](**batch, labels=batch["input_ids"])
        loss, logits, *_ = talk["model"](**batch, labels=batch["input_ids"], return_dict=False)
    assert torch.equal(loss, named.loss) and torch.equal(logits, named.logits)


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


def test_which_tokens_are_the_answers(talk: dict[str, Any]) -> None:
    """What trainers with ``assistant_only_loss`` take the loss of."""
    processor, film = talk["processor"], Image.new("RGB", (9, 9))
    two = [{"type": "image", "image": film, "view": "frontal"}, {"type": "image", "image": film}]
    asked = {"role": "user", "content": [*two, {"type": "text", "text": "Is it there?"}]}
    answer = {"role": "assistant", "content": [{"type": "text", "text": "no it is not"}]}
    for messages in (chat(film, "Is it?", "no it is not"), [asked, answer]):
        found = processor.apply_chat_template(
            messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        kept = [token for token, taken in zip(found["input_ids"][0], found["assistant_masks"][0]) if taken]
        assert kept == talk["ours"].llama_tokenizer.encode("no it is not</s>")


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
