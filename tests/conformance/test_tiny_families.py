"""The embedded default's tiny model of each family: what it is taught is what it is asked with, and it learns."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from pefomed_plugin import load, loading
from pefomed_plugin.embedded import TINY, lessons
from pefomed_plugin.embedded.tiny_language import CONFIGS, train_language
from pefomed_plugin.embedded.tiny_model import make_tiny_model
from pefomed_plugin.embedded.tiny_vision import HEADS, MLP_RATIO, PATCH_PX, WIDTH
from pefomed_plugin.families import FAMILIES, family_in
from pefomed_plugin.prompts import VQA_INSTRUCTION, template_of
from pefomed_plugin.toolkit.bundled.minigpt_v2 import MiniGPTv2


@pytest.fixture(scope="module", params=list(FAMILIES.own))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Path]]:
    return request.param, make_tiny_model(tmp_path_factory.mktemp("sample"), steps=1, family=request.param)


def test_every_family_has_a_tiny_model(made: tuple[str, dict[str, Path]]) -> None:
    name, paths = made
    assert set(CONFIGS) == set(TINY.values()) == set(FAMILIES.own)
    assert family_in(paths["llama"])[0].name == name
    assert TINY[paths["llama"].parent.name] == name


def test_a_run_starts_from_its_checkpoint_and_answers(made: tuple[str, dict[str, Path]]) -> None:
    _, paths = made
    section = {
        "llama_model": str(paths["llama"]),
        "vit_weights": str(paths["vit"]),
        "ckpt": str(paths["checkpoint"]),
        "image_size": 112,
        "vit": {"patch_size": PATCH_PX, "embed_dim": WIDTH, "depth": 2, "num_heads": HEADS, "mlp_ratio": MLP_RATIO},
    }
    model = MiniGPTv2.from_config(section).eval()
    asked = [template_of("vqa").ask("Is there a mass?")] * 2
    packer: Any = model.packer()
    layout, _ = packer(asked, None, [0, 0])
    assert len(model.generate_packed(torch.rand(1, 3, 112, 112), layout, max_new_tokens=3)) == 2


def test_lessons_are_the_tokens_of_fine_tuning(made: tuple[str, dict[str, Path]]) -> None:
    """Instruction and question, tokenised apart in a lesson, are the pieces that the packer makes of them together."""
    name, paths = made
    family = FAMILIES.find(name)
    encode = family.load_tokenizer(paths["llama"]).encode
    rng, told = Random(1), []

    def tokenize(text: str) -> list[int]:
        told.append(text)
        return encode(text)

    for _ in range(12):
        told.clear()
        _, branches = lessons.draw_page(rng, tokenize, family.prompt_style)
        if len(branches) > 1:
            instruction, question = told[2], told[3]
            whole = family.prompt_style.turn.partition("<")[0] + instruction
            assert whole.endswith(VQA_INSTRUCTION.format(question="").strip())
            blank = "" if question.startswith(" ") else " "
            assert encode(instruction) + encode(question) == encode(instruction + blank + question)
            return
    raise AssertionError("no page of questions")


def test_it_learns(made: tuple[str, dict[str, Path]]) -> None:
    """A few steps bring the loss of fresh lessons far below that of untrained weights."""
    name, paths = made
    family = FAMILIES.find(name)
    tokenizer: Any = family.load_tokenizer(paths["llama"])
    small = {**CONFIGS[name], "vocab_size": tokenizer.pieces, "num_hidden_layers": 1}
    rng = Random("held out")
    pages = [lessons.draw_page(rng, tokenizer.encode, family.prompt_style) for _ in range(8)]
    batch = lessons.collate(pages, tokenizer.bos_token_id, tokenizer.eos_token_id)
    labels = batch.pop("labels")[:, 1:].flatten()
    losses = []
    for steps in (0, 14):
        model = train_language(small, tokenizer, 0, steps, name)
        with torch.no_grad():
            logits = model(**batch).logits[:, :-1]
        losses.append(float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels)))
    assert losses[1] < losses[0] - 1.0, losses


def test_a_checkpoint_finds_the_tiny_model_of_its_own_family(
    made: tuple[str, dict[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ``PEFOMED_FAMILY`` says where it is loaded."""
    name, paths = made
    monkeypatch.setenv("PEFOMED_SAMPLE", str(paths["llama"].parents[1]))
    monkeypatch.setattr(loading, "ensure_embedded", lambda parts, family: asked.append(family))
    asked: list[str] = []
    model = load(paths["checkpoint"], device="cpu")
    assert asked == [name] and model.network.family.name == name
