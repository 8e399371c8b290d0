"""What an exported transformers folder is made of, without building a model or loading transformers."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, nodes
from jinja2.ext import Extension
from tokenizers import Tokenizer

from pefomed_plugin.adapters.exports import hub, shards
from pefomed_plugin.adapters.exports.hub_chat import chat_template
from pefomed_plugin.adapters.exports.hub_tokenizer import hub_tokenizer
from pefomed_plugin.adapters.exports.transformers_folder import CODE
from pefomed_plugin.errors import CheckpointError
from pefomed_plugin.families import DEFAULT_FAMILY
from pefomed_plugin.families.exported import exported_name, language_name
from pefomed_plugin.families.llama import load_tokenizer
from pefomed_plugin.prompts import LLAMA2_CHAT, PROMPT_TEMPLATES, PromptTemplate
from pefomed_plugin.toolkit.exported_folder import files_of, tensors_behind
from tests.conformance.golden import FOLDER

LLAMA = FOLDER / "tiny_llama"
STANDARD = {"__future__", "base64", "binascii", "collections", "io", "os", "pathlib", "shutil", "typing"}
OTHERS = {"torch", "numpy", "PIL", "transformers"}


def test_the_code_of_the_folder_stands_alone() -> None:
    assert len(CODE) == 4
    for name in CODE:
        for node in ast.walk(ast.parse((Path(hub.__file__).parent / name).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {alias.name.partition(".")[0] for alias in node.names} <= STANDARD | OTHERS, name
            elif isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1, name
                assert f"{node.module}.py" in CODE, name
            elif isinstance(node, ast.ImportFrom):
                assert str(node.module).partition(".")[0] in STANDARD | OTHERS, name


@pytest.fixture(scope="module")
def tokenizers() -> tuple[Any, Any]:
    found = hub_tokenizer(DEFAULT_FAMILY, LLAMA, 512, "[/INST]")
    return Tokenizer.from_str(json.dumps(found.content)), load_tokenizer(LLAMA)


OWN_TOKENS = ("<unk>", "<0x00>", "<ImageHere>")
"""The image token's place under both its names, and padding: the template takes them apart in what is asked."""


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(
        lambda text: not text.startswith(" ") and not any(token in text for token in OWN_TOKENS)
    )
)
def test_ids_of_any_text(tokenizers: tuple[Any, Any], text: str) -> None:
    theirs, ours = tokenizers
    assert theirs.encode(text, add_special_tokens=False).ids == ours.encode(text)


def test_every_piece_of_the_vocabulary_by_itself(tokenizers: tuple[Any, Any]) -> None:
    theirs, ours = tokenizers
    for text in [text for text in theirs.get_vocab() if not text.startswith("\u2581") and text not in OWN_TOKENS]:
        assert theirs.encode(text, add_special_tokens=False).ids == ours.encode(text), text


def test_a_tokenizer_without_bytes_is_refused(tmp_path: Path) -> None:
    from sentencepiece import SentencePieceTrainer

    SentencePieceTrainer.train(
        sentence_iterator=iter(["is there a mass"] * 50),
        model_prefix=str(tmp_path / "tokenizer"),
        vocab_size=30,
        model_type="bpe",
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with pytest.raises(CheckpointError, match="has no byte pieces"):
        hub_tokenizer(DEFAULT_FAMILY, tmp_path, 30, "[/INST]")


class _Generation(Extension):
    """The tag that transformers adds to Jinja."""

    tags = {"generation"}

    def parse(self, parser: Any) -> Any:
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


def rendered(template: str, messages: Any, **more: Any) -> str:
    def refuse(text: str) -> None:
        raise ValueError(text)

    environment = Environment(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation])
    environment.globals["raise_exception"] = refuse
    return environment.from_string(template).render(messages=messages, add_generation_prompt=True, **more)


def asked(text: str, *views: str) -> list[dict[str, Any]]:
    images = [{"type": "image", "view": view} for view in views] or [{"type": "image"}]
    return [{"role": "user", "content": [*images, {"type": "text", "text": text}]}]


def test_prompts_of_its_own() -> None:
    """Whatever a YAML put in the place of ours, with what Jinja would take for its own."""
    several = "({view}) <Img><ImageHere></Img>"
    own = PromptTemplate(
        "[vqa]", "{{ a }} <Img><ImageHere></Img> [vqa] {instruction} %}", ("'\"Q\\\u80ba: {question}",), several
    )
    templates = {**PROMPT_TEMPLATES, "vqa": own}
    template = chat_template(templates, "vqa", LLAMA2_CHAT.turn, "</s>", "<s>")
    assert rendered(template, asked("Is it?")) == "<s>" + LLAMA2_CHAT.user_turn(own.ask("Is it?"))
    views = ("frontal", "{instruction} <Img>")
    wanted = "<s>" + LLAMA2_CHAT.user_turn(own.ask("Is it?", names=views))
    assert rendered(template, asked("Is it?", *views)) == wanted


def test_a_model_that_learnt_reports_alone_writes_one() -> None:
    template = chat_template(PROMPT_TEMPLATES, "report", LLAMA2_CHAT.turn, "</s>", "<s>")
    report = PROMPT_TEMPLATES["report"]
    assert rendered(template, asked("")) == "<s>" + LLAMA2_CHAT.user_turn(report.ask())
    assert "[caption] Describe" in rendered(template, asked("[caption]"))


@pytest.mark.parametrize("task", list(PROMPT_TEMPLATES))
def test_evaluations_own_instruction_names_its_task(task: str) -> None:
    """As ``pefomed predict --api`` writes it."""
    template = chat_template(PROMPT_TEMPLATES, "vqa", LLAMA2_CHAT.turn, "</s>", "<s>")
    own = PROMPT_TEMPLATES[task]
    text = own.draw_instruction("Is it?")
    assert rendered(template, asked(text)) == "<s>" + LLAMA2_CHAT.user_turn(own.ask("Is it?"))


SYSTEM = [{"role": "system", "content": "[report]"}]


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([*SYSTEM, *asked("[vqa] Is it?")], r"two tasks are named, \[report\] and \[vqa\]"),
        (asked("[report] [vqa] Is it?"), "two tasks are named"),
        (asked("[vqa] [report]"), "two tasks are named"),
        (asked("[reprot]"), r"no task \[reprot\]; this model knows \[caption\], \[vqa\], \[report\]"),
        ([*asked("Is it?"), *SYSTEM], "before the user asks"),
        ([*SYSTEM, *SYSTEM, *asked("")], "one system message"),
        (SYSTEM, "no message of the user"),
        ([{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": None}]}], "has none"),
        ([{"role": "user", "content": [{"text": "Is it?"}]}], "no part without a type"),
    ],
)
def test_what_would_be_dropped_or_guessed_is_refused(messages: Any, said: str) -> None:
    template = chat_template(PROMPT_TEMPLATES, "vqa", LLAMA2_CHAT.turn, "</s>", "<s>")
    with pytest.raises(ValueError, match=said):
        rendered(template, messages)
    for more in ({"tools": [{}]}, {"documents": [{"text": "a"}]}):
        with pytest.raises(ValueError, match="no tools and reads no documents"):
            rendered(template, asked("Is it?"), **more)


def test_a_task_is_named_as_the_server_takes_it() -> None:
    template = chat_template(PROMPT_TEMPLATES, "vqa", LLAMA2_CHAT.turn, "</s>", "<s>")
    report = rendered(template, asked("[report]"))
    assert report == "<s>" + LLAMA2_CHAT.user_turn(PROMPT_TEMPLATES["report"].ask())
    for role, word in (("system", "report"), ("system", "[REPORT]"), ("developer", "[report]")):
        assert rendered(template, [{"role": role, "content": word}, *asked("")]) == report
    assert rendered(template, asked("[Report]")) == rendered(template, [*SYSTEM, *asked("[report]")]) == report
    question = rendered(template, asked("Is a [b] sign seen?"))
    assert question == rendered(template, [{"role": "system", "content": ""}, *asked("[VQA] Is a [b] sign seen?")])
    own = PROMPT_TEMPLATES["report"].pool[0]  # of a question it is a question
    assert own in rendered(template, asked(f"[vqa] {own}")) and "[vqa]" in rendered(template, asked(f"[vqa] {own}"))


@pytest.mark.parametrize("text", ["a <|im_end|> b", "<Img> {instruction}", "{{ x }}", "{% endfor %}"])
def test_what_a_user_writes_steers_nothing(text: str) -> None:
    template = chat_template(PROMPT_TEMPLATES, "vqa", "{}", "<|im_end|>", "", ["<|im_end|>"])
    wanted = PROMPT_TEMPLATES["vqa"].ask(text).replace("<|im_end|>", "< |im_end|>")
    assert rendered(template, asked(text)) == wanted


def test_shards_and_their_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 100)
    written = shards.Shards(tmp_path, {"epoch": 3})
    for number in range(5):
        written.add(f"model.llama_proj.{number}", torch.full((20,), float(number)))
    written.finish()
    assert len(files_of(tmp_path)) == 3 and sorted(tmp_path.glob("*-of-00003.safetensors"))
    found = tensors_behind(tmp_path, "model.llama_proj.")
    assert {key: float(one[0]) for key, one in found.items()} == {str(number): float(number) for number in range(5)}


def test_names_there_and_back() -> None:
    for name in ("model.layers.0.self_attn.q_proj.weight", "lm_head.weight", "model.embed_tokens.weight"):
        assert language_name(exported_name(name)) == name
    assert language_name("model.visual_encoder.cls_token") is None
