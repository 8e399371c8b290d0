"""A family of another package, with a decoder layer and a tokenizer of its own, trains, answers and is recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from pefomed_plugin import plugins
from pefomed_plugin.families import FAMILIES, family_in
from pefomed_plugin.families.llama import LLAMA
from pefomed_plugin.lora.settling import recorded
from pefomed_plugin.prompts import PromptStyle
from pefomed_plugin.toolkit.bundled.decoder import llama_block
from tests.conformance.tiny_families import batch, tiny_model

CALLS: list[int] = []


class Bytes:
    """A tokenizer that shares nothing with ours: one id a byte, no beginning, two ends."""

    bos_token_id = None
    eos_token_id, pad_token_id, pieces = 257, 256, 259
    stop_token_ids = (257, 258)

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        parts = text.split("~END~")
        ids = list(parts[0].encode())
        for part in parts[1:]:
            ids += [257, *part.encode()]
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(token for token in ids if token < 256).decode(errors="replace")

    def plain(self, text: str) -> str:
        return text.replace("~END~", "~ END~")


def own_block(layer: Any, number: int, *arguments: Any) -> torch.Tensor:
    CALLS.append(number)
    return llama_block(layer, number, *arguments)


def load_bytes(folder: Path) -> Bytes:
    return Bytes()


def refuses(config: Mapping[str, Any]) -> list[str]:
    return ["secret: is set"] if config.get("secret") else []


OWN = replace(
    LLAMA,
    name="own",
    title="Own",
    model_types=("own",),
    block=own_block,
    prompt_style=PromptStyle(name="own", turn="Q {} A ", end="~END~", answer_mark=""),
    load_tokenizer=load_bytes,
    recognises=lambda config, folder: True,
    refuses=refuses,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    point = metadata.EntryPoint("own", "tests.conformance.test_own_family:OWN", plugins.GROUPS[FAMILIES.kind])
    entry = plugins.EntryPoint(FAMILIES.kind, "own", "invented 1.0", point)
    monkeypatch.setattr(plugins, "find_entry_points", lambda kind: (entry,) if kind == FAMILIES.kind else ())
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=260, initializer_range=0.3, **sizes))
    model.save_pretrained(tmp_path / "own")
    change(tmp_path / "own", model_type="own")
    return tmp_path / "own"


def change(folder: Path, **values: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_its_block_and_tokenizer_are_used_and_its_name_is_recorded(folder: Path) -> None:
    model = tiny_model(folder)
    assert model.family is OWN and recorded(model)["language_model"] == "own"
    CALLS.clear()
    packed = model(batch(model, packed=True))["loss"]
    assert CALLS == [0, 1]
    assert packed.item() == pytest.approx(model(batch(model, packed=False))["loss"].item(), rel=0, abs=1e-5)
    given = batch(model, packed=True, answers=False)
    ids = model.generate_packed_ids(given["image"], given["layout"], max_new_tokens=6)
    assert ids.shape[0] == given["layout"].samples and len(CALLS) > 2


def test_what_it_refuses_is_refused(folder: Path) -> None:
    change(folder, secret=True)
    with pytest.raises(Exception, match="is a Own of a kind that is not supported") as caught:
        family_in(folder)
    assert list(caught.value.problems) == ["secret: is set"]
