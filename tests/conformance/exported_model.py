"""The golden model, and tiny ones of every family, as transformers folders; and what our own says to the same."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import dynamic_module_utils

from pefomed_plugin.adapters.exports.contents import Contents, find_lora, read_contents
from pefomed_plugin.adapters.exports.transformers_folder import Parts, write_transformers, write_with_adapter
from pefomed_plugin.adapters.exports.writing import fresh_folder
from pefomed_plugin.embedded.chest import draw_frontal
from pefomed_plugin.embedded.questions import questions
from pefomed_plugin.embedded.scenes import draw_scenes
from pefomed_plugin.prompts import PROMPT_TEMPLATES, template_of
from pefomed_plugin.toolkit.checkpoint import trainable_state
from pefomed_plugin.toolkit.language_folder import open_language_folder
from pefomed_plugin.vision_encoders import encoder_of
from tests.conformance.golden import FOLDER, arrays, golden, golden_model

_CODE = tempfile.TemporaryDirectory(prefix="pefomed-hub-code-")
dynamic_module_utils.HF_MODULES_CACHE = _CODE.name
"""Where transformers keeps the Python files of folders: not the user's cache, and one for the whole process, because
Python remembers where it found the package of them all."""
UPSTREAM = FOLDER / "checkpoint_upstream.pth"
LLAMA = FOLDER / "tiny_llama"


def write_vit(path: Path) -> Path:
    """The golden vision encoder as a released file."""
    initial = load_file(str(FOLDER / "initial.safetensors"))
    vision = {key.partition("visual_encoder.")[2]: one for key, one in initial.items() if "visual_encoder." in key}
    torch.save({key: one.clone() for key, one in vision.items()}, path)
    return path


def parts_of(contents: Contents, llama: Path, vit: Path) -> Parts:
    """What is exported of a checkpoint on the golden vision encoder."""
    base = open_language_folder(llama)
    style = base.family.prompt_style
    encoder = encoder_of({"vit": golden()["vit"], "image_size": 56})
    turn = style.system + style.turn
    return Parts(contents, find_lora(contents), base, encoder, vit, PROMPT_TEMPLATES, turn, style.end)


def export(parts: Parts, out: Path, with_adapter: bool = False) -> Path:
    """Write the folder."""
    with fresh_folder(out) as partial:
        if with_adapter:
            write_with_adapter(parts, partial, str(out / "base"))
        else:
            write_transformers(parts, partial)
    return out


def talkative(path: Path) -> tuple[Path, Any]:
    """A checkpoint of the golden model that has much to say, with that model: its LoRA is random."""
    model = golden_model()
    with torch.random.fork_rng():
        torch.manual_seed(5)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.2)
    assert model.lora_settings is not None
    section = {"image_size": 56, "vit": golden()["vit"]}
    content = {"model": trainable_state(model), "peft": model.lora_settings.record(), "config": {"model": section}}
    torch.save(content, path)
    return path, model


def write_talkative(folder: Path) -> tuple[Path, Any]:
    """Its exported folder ``hub``, and our own model."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, model = talkative(folder / "checkpoint.pth")
    parts = parts_of(read_contents(checkpoint), LLAMA, write_vit(folder / "eva_vit.pth"))
    return export(parts, folder / "hub"), model


def generated_questions(count: int = 50) -> list[tuple[Image.Image, str]]:
    """Questions about generated chest films, several a film."""
    rng, found = Random(7), []
    for scene in draw_scenes(("chest",), count, rng):
        film = draw_frontal(scene, 80).convert("RGB")
        found += [(film, asked.text) for asked in questions(scene, rng)[:3]]
    return found[:count]


def our_prompts(model: Any, texts: Sequence[str]) -> list[str]:
    """Whole prompts of questions, as evaluation asks them."""
    return [model.prompt_style.user_turn(template_of("vqa").ask(text), model.prompt_template) for text in texts]


def loaded(folder: Path, **settings: Any) -> tuple[Any, Any]:
    """Model and processor, as anybody loads them."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(str(folder), trust_remote_code=True, **settings)
    return model.eval(), AutoProcessor.from_pretrained(str(folder), trust_remote_code=True)


def chat(image: Any, text: str, answer: str | None = None) -> list[dict[str, Any]]:
    """Messages of one turn."""
    asked = {"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": text}]}
    return [asked] if answer is None else [asked, {"role": "assistant", "content": [{"type": "text", "text": answer}]}]


def inputs_of(processor: Any, messages: Any) -> Any:
    """What ``generate`` takes."""
    return processor.apply_chat_template(
        messages,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True},
    )


def answered(model: Any, batch: Any, **settings: Any) -> torch.Tensor:
    """New tokens alone."""
    return model.generate(**batch, **settings)[:, batch["input_ids"].shape[1] :]


def until_end(row: torch.Tensor, ends: Sequence[int]) -> list[int]:
    """An answer with the token that ends it; what fills rows up behind it is nobody's."""
    ids = row.tolist()
    at = next((place for place, token in enumerate(ids) if token in ends), len(ids))
    return ids[: at + 1]


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
