"""Variants of LoRA on every language model family: biases, norms of queries and keys, tied tables, grouped keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import PeftModel

from pefomed_plugin.adapters.exports.adapter import write_adapter
from pefomed_plugin.adapters.exports.contents import find_lora, read_contents
from pefomed_plugin.adapters.exports.merge import write_merged
from pefomed_plugin.adapters.training.strategies.fsdp import units_of
from pefomed_plugin.config.model import ModelConfig, PeftConfig
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.families import read_model_size
from pefomed_plugin.lora import LoraSettings, recorded, settings_of
from pefomed_plugin.toolkit.checkpoint import load_checkpoint, read_checkpoint, trainable_state
from pefomed_plugin.toolkit.language_folder import open_language_folder
from pefomed_plugin.toolkit.start import settle_model
from tests.conformance.golden import golden
from tests.conformance.tiny_families import OURS, batch, family_of, tiny_model, write_family

ALL = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")
VARIANTS = {
    "dora": LoraSettings(4, 16, ALL, use_dora=True, use_rslora=True, modules_to_save=("norm",)),
    "pissa": LoraSettings(4, 16, ("k_proj", "q_proj"), init_lora_weights="pissa", modules_to_save=("_layernorm",)),
}
EYES = {"vit": golden()["vit"], "image_size": 56}
IDS = torch.arange(5, 25)[None]


@pytest.fixture(scope="module", params=OURS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_family(name, tmp_path_factory.mktemp("families") / name)


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> LoraSettings:
    return VARIANTS[request.param]


@pytest.fixture(scope="module")
def model(folder: Path, variant: LoraSettings) -> Any:
    made = tiny_model(folder, variant)
    draw = torch.Generator().manual_seed(4)
    for parameter in made.parameters():
        if parameter.requires_grad:
            parameter.data += 0.02 * torch.randn(parameter.shape, generator=draw)
    return made


@pytest.fixture
def saved(model: Any, tmp_path: Path) -> Path:
    torch.save({"model": trainable_state(model), **recorded(model)}, tmp_path / "saved.pth")
    return tmp_path / "saved.pth"


def logits_of(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(IDS).logits


def test_loss_and_gradients_are_those_of_transformers_forward(model: Any) -> None:
    found = []
    for packed in (False, True):
        model.zero_grad()
        loss = model(batch(model, packed))["loss"]
        loss.backward()
        found.append((loss.detach(), {key: own.grad for key, own in model.named_parameters() if own.requires_grad}))
    model.zero_grad()
    assert torch.allclose(found[0][0], found[1][0], rtol=0, atol=1e-5)
    for key, gradient in found[0][1].items():
        assert gradient is not None and torch.allclose(gradient, found[1][1][key], rtol=1e-4, atol=1e-5), key


def test_a_checkpoint_gives_the_same_bits_and_merges_while_answering(model: Any, folder: Path, saved: Path) -> None:
    settled = settle_model({"llama_model": str(folder), "ckpt": str(saved), **EYES})
    other: Any = tiny_model(folder, settings_of(settled, ()), lora_is_read=True)
    load_checkpoint(other, read_checkpoint(saved), str(saved))
    expected = logits_of(model.llama_model)
    assert torch.equal(logits_of(other.llama_model), expected)
    with other.merged_lora():
        assert torch.allclose(logits_of(other.llama_model), expected, rtol=0, atol=2e-5)


def test_merged_and_exported_it_says_the_same(model: Any, name: str, folder: Path, saved: Path, tmp_path: Path) -> None:
    contents = read_contents(saved)
    lora: Any = find_lora(contents)
    merged, adapter = tmp_path / "merged", tmp_path / "adapter"
    for out in (merged, adapter):
        out.mkdir()
    write_merged(contents, lora, open_language_folder(folder), merged)
    write_adapter(contents, lora, None, adapter)
    own = getattr(transformers, family_of(name).model_class)
    plain = own.from_pretrained(merged).double()
    exported = PeftModel.from_pretrained(own.from_pretrained(folder).double(), str(adapter)).double()
    again: Any = tiny_model(folder, lora.settings, lora_is_read=True)  # in float64, so that weights are compared
    load_checkpoint(again, contents.content, str(saved))
    expected = logits_of(again.llama_model.double())
    for theirs in (plain, exported):
        assert torch.allclose(logits_of(theirs), expected, rtol=0, atol=1e-5)


def test_parameters_are_counted_as_they_are(model: Any, folder: Path, variant: LoraSettings) -> None:
    keys = variant.yaml()
    config = ModelConfig(
        llama_model=str(folder),
        lora_r=variant.r,
        lora_target_modules=variant.target_modules,
        peft=PeftConfig(**{**keys["peft"], "modules_to_save": variant.modules_to_save}),
    )
    size = read_model_size(config)
    of_language = sum(own.numel() for own in model.llama_model.parameters() if own.requires_grad)
    assert size.lora + size.whole == of_language


def test_fsdp_gathers_layer_by_layer(model: Any) -> None:
    assert [type(layer).__name__.endswith("DecoderLayer") for layer in units_of(model)] == [True, True]


def test_all_linear_and_tables_of_a_family(name: str, folder: Path) -> None:
    settled = settle_model({"llama_model": str(folder), "lora_target_modules": ["all-linear"]})
    assert settled["lora_target_modules"] == list(ALL)
    section = {"llama_model": str(folder), "peft": {"modules_to_save": ["lm_head"]}}
    if open_language_folder(folder).size.tie_word_embeddings:
        with pytest.raises(ConfigError, match="embedding and output layer are one tensor here"):
            settle_model(section)
        return
    settings = settings_of(settle_model(section), ())
    assert settings is not None
    whole = replace(settings, r=4)
    model = tiny_model(folder, whole)
    loss = model(batch(model, packed=True))["loss"]
    loss.backward()
    assert model.llama_model.get_base_model().lm_head.weight.grad is not None
