"""The exported folder's processor: texts, conversations and images become the tensors that our model is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pefomed_plugin.prompts import PROMPT_TEMPLATES, template_of
from pefomed_plugin.toolkit.bundled.processors import Blip2ImageEvalProcessor
from tests.conformance.exported_model import (
    chat,
    inputs_of,
)
from tests.conformance.golden import golden

PLACE = "<ImageHere>"


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
