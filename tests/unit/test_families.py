"""Language model families: what LLaMA declares is what transformers builds; others are refused or added."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from pefomed_plugin import launch, load, plugins
from pefomed_plugin.cli import main
from pefomed_plugin.errors import CheckpointError, ConfigError, ToolkitError
from pefomed_plugin.families import FAMILIES, LLAMA3, QWEN2, QWEN3, check_transformers, family_in, family_of_config
from pefomed_plugin.families.llama import LLAMA, tensor_shapes
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit.bundled.decoder import block_of, llama_block
from pefomed_plugin.toolkit.checkpoint import read_checkpoint
from tests.unit.adapters.exported import LLAMA as LLAMA_FOLDER
from tests.unit.adapters.exported import UPSTREAM

SMALL = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
OWN = replace(LLAMA, name="own", model_types=("own",))
"""What another package would declare."""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_key_value_heads": 2, "head_dim": 16},
        {"attention_bias": True, "mlp_bias": True},
        {"tie_word_embeddings": True},
    ],
)
def test_names_and_shapes_are_those_of_transformers(changes: dict[str, Any]) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = {**SMALL, **changes}
    with torch.device("meta"):
        state = LlamaForCausalLM(LlamaConfig(**config)).state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if changes.get("tie_word_embeddings"):
        del shapes["lm_head.weight"]  # the embedding again
    assert tensor_shapes(config) == shapes


def test_what_a_family_declares_can_be_found() -> None:
    import transformers

    for family in FAMILIES.values():
        assert hasattr(transformers, family.model_class)
        assert callable(block_of(family))
        assert set(family.lora_targets) <= set(family.published_size.matrices())
        assert "{}" in family.prompt_style.turn and family.prompt_style.end
        assert family.licence.notice and family.licence.identifier
    assert block_of(LLAMA) is llama_block


@pytest.mark.parametrize("family", FAMILIES.own.values(), ids=FAMILIES.own)
def test_names_shapes_and_numbers_of_parameters_are_those_of_transformers(family: Any) -> None:
    import transformers

    model_class = getattr(transformers, family.model_class)
    config = {**SMALL, "num_key_value_heads": 2, "head_dim": 16 if family is QWEN3 else 8}
    with torch.device("meta"):
        state = model_class(model_class.config_class(**config)).state_dict()
    shapes = family.tensor_shapes(config)
    assert shapes == {name: tuple(tensor.shape) for name, tensor in state.items()}
    size = family.read_size(config)
    assert size.in_matrices + size.elsewhere == sum(tensor.numel() for tensor in state.values())


def test_published_sizes_have_the_published_numbers_of_parameters() -> None:
    counted = {name: family.published_size for name, family in FAMILIES.own.items()}
    assert {name: size.in_matrices + size.elsewhere for name, size in counted.items()} == {
        "llama": 6_738_415_616,
        "llama3": 8_030_261_248,
        "qwen2": 7_615_616_512,
        "qwen3": 8_190_735_360,
    }


def byte_level(folder: Path, *special: str) -> Path:
    """A folder with a ``tokenizer.json`` as the package tokenizers writes it, and nothing in it."""
    folder.mkdir(exist_ok=True)
    tokens = [{"id": 300 + number, "content": text, "special": True} for number, text in enumerate(special)]
    content = {"added_tokens": tokens, "pre_tokenizer": {"type": "ByteLevel"}, "decoder": {"type": "ByteLevel"}}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    (folder / "config.json").write_text(json.dumps({**SMALL, "model_type": "llama"}))
    return folder


def test_llama_3_is_told_from_llama_2_by_what_the_folder_holds(tmp_path: Path) -> None:
    two, three = tmp_path / "two", byte_level(tmp_path / "three", "<|begin_of_text|>", "<|eot_id|>")
    byte_level(two, "<|begin_of_text|>", "<|eot_id|>")
    (two / "tokenizer.model").write_bytes(b"")
    assert family_in(three)[0] is LLAMA3
    assert family_in(two)[0] is LLAMA
    for key in ("rope_scaling", "rope_parameters"):
        assert family_of_config({"model_type": "llama", key: {"rope_type": "llama3"}}, "x") is LLAMA3
    other = byte_level(tmp_path / "other", "<|im_start|>", "<|im_end|>")
    with pytest.raises(CheckpointError, match="no LLaMA, LLaMA-3 that is supported; its tokenizer.json is byte-level"):
        family_in(other)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "qwen2", "use_sliding_window": True}, "use_sliding_window: true"),
        ({"model_type": "qwen3", "layer_types": ["full_attention", "sliding_attention"]}, "sliding_attention"),
        ({"model_type": "llama", "rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope type 'dynamic'"),
        ({"model_type": "qwen2", "rope_parameters": {"rope_type": "longrope"}}, "rope type 'longrope'"),
        ({"model_type": "qwen3", "hidden_act": "gelu"}, "hidden_act: gelu"),
        ({"model_type": "llama", "num_local_experts": 8}, "a mixture of experts"),
        ({"model_type": "llama", "partial_rotary_factor": 0.5}, "partial_rotary_factor: 0.5"),
    ],
)
def test_what_the_decoder_does_not_compute_is_refused_by_name(
    tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**SMALL, **changes}))
    with pytest.raises(CheckpointError) as caught:
        family_in(tmp_path)
    assert "of a kind that is not supported" in caught.value.summary
    assert len(caught.value.problems) == 1 and told in caught.value.problems[0]


def test_what_qwens_own_files_say_of_windows_is_no_reason_to_refuse() -> None:
    config = {"sliding_window": 131072, "use_sliding_window": False, "max_window_layers": 28, "rope_scaling": None}
    assert family_of_config({**SMALL, **config, "model_type": "qwen2"}, "x") is QWEN2
    assert family_of_config({**SMALL, "layer_types": ["full_attention"] * 2, "model_type": "qwen3"}, "x") is QWEN3


def test_a_transformers_that_is_too_old_is_told_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from pefomed_plugin import families

    monkeypatch.setattr(families.metadata, "version", lambda name: "4.50.3")
    check_transformers(QWEN2)
    with pytest.raises(CheckpointError, match="4.50.3 has no Qwen3ForCausalLM.*pip install 'transformers>=4.51'"):
        check_transformers(QWEN3)


@pytest.mark.parametrize(
    ("family", "text", "identifier"),
    [
        (LLAMA3, "META LLAMA 3 COMMUNITY LICENSE AGREEMENT\nMeta Llama 3 Version Release Date: ...", "llama3"),
        (LLAMA3, "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\n", "llama3.2"),
        (LLAMA3, "", "llama3.1"),
        (QWEN2, "\n                                 Apache License\n        Version 2.0, January 2004", "apache-2.0"),
        (QWEN2, "Qwen RESEARCH LICENSE AGREEMENT\n", "other"),
        (QWEN3, "My own terms\nof use", "other"),
        (LLAMA, "LLAMA 2 COMMUNITY LICENSE AGREEMENT\n", "llama2"),
    ],
)
def test_the_licence_file_of_the_folder_counts(tmp_path: Path, family: Any, text: str, identifier: str) -> None:
    if text:
        (tmp_path / "LICENSE").write_text(text)
    found = family.licence_of(tmp_path)
    assert found.identifier == identifier and found.notice
    if family is LLAMA3:
        assert "Built with" in found.obliges
    if "RESEARCH" in text:
        assert "RESEARCH" in found.notice and "commercial" in found.obliges
    if "My own" in text:
        assert "My own terms" in found.notice


@pytest.mark.parametrize("kind", ["mistral", "gemma", None, "lama"])
def test_another_model_type_is_refused_by_name(tmp_path: Path, kind: Any) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**SMALL, "model_type": kind}))
    with pytest.raises(CheckpointError, match=f"of type {kind!r}, which is not supported; .*llama"):
        family_in(tmp_path)


def test_a_mixture_of_experts_is_called_one() -> None:
    with pytest.raises(CheckpointError, match=r"'qwen3_moe' \(a mixture of experts\), which is not supported"):
        family_of_config({"model_type": "qwen3_moe"}, "x")


def test_another_packages_family_reads_its_own_model_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint("own", "tests.unit.test_families:OWN", plugins.GROUPS[FAMILIES.kind])
    entry = plugins.EntryPoint(FAMILIES.kind, "own", "invented 1.0", point)
    monkeypatch.setattr(plugins, "find_entry_points", lambda kind: (entry,) if kind == FAMILIES.kind else ())
    (tmp_path / "config.json").write_text(json.dumps({**SMALL, "model_type": "own"}))
    assert family_in(tmp_path)[0] is OWN
    assert family_of_config({"model_type": "llama"}, "x") is LLAMA


def test_a_minigpt_4_checkout_refuses_other_families_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pefomed_plugin.toolkit import start

    (tmp_path / "config.json").write_text(json.dumps({**SMALL, "model_type": "qwen3"}))
    section = {"llama_model": str(tmp_path)}
    assert start.settle_model(section)["end_sym"] == "<|im_end|>"
    monkeypatch.setattr(start, "NAME", "minigpt4")
    with pytest.raises(ToolkitError, match="knows LLaMA-2 and Vicuna only, and .* holds a Qwen3; set PEFOMED_TOOLKIT"):
        start.settle_model(section)
    (tmp_path / "config.json").write_text(json.dumps({**SMALL, "model_type": "llama"}))
    assert start.settle_model(section)["end_sym"] == "</s>"


def test_a_checkpoint_of_another_family_is_refused_with_both_ways_out(tmp_path: Path) -> None:
    from pefomed_plugin.toolkit.start import settle_model

    (tmp_path / "config.json").write_text(json.dumps({**SMALL, "model_type": "qwen3"}))
    with pytest.raises(
        CheckpointError, match="of the family 'llama'; .* is of 'qwen3'.*PEFOMED_LLAMA.*model.ckpt=null"
    ):
        settle_model({"llama_model": str(tmp_path), "ckpt": str(UPSTREAM)})


@pytest.fixture
def mistral(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment of a real run whose language model is a Mistral."""
    folder = tmp_path / "mistral"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({**SMALL, "model_type": "mistral"}))
    (tmp_path / "eva.pth").write_bytes(b"")
    values = {
        "PEFOMED_DATA": tmp_path,
        "PEFOMED_LLAMA": folder,
        "PEFOMED_VIT": tmp_path / "eva.pth",
        "PEFOMED_CKPT": UPSTREAM,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, str(value))
    return folder


def test_every_command_that_loads_refuses_another_family_at_its_start(
    mistral: Path, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    told = "of type 'mistral', which is not supported; known: llama, qwen2, qwen3"
    yaml = "train_configs/pefomed_stage2.yaml"
    register_all()
    with pytest.raises(CheckpointError, match=told):  # training and evaluation
        launch.compose(yaml, [])
    with pytest.raises(CheckpointError, match=told):
        load(UPSTREAM)
    for arguments, code in (
        (["estimate", "--cfg-path", yaml], 2),
        (["doctor", "--cfg-path", yaml], 1),
        (["checkpoint", "merge", str(UPSTREAM), "--llama", str(mistral), "--out", str(tmp_path / "merged")], 2),
    ):
        assert main(arguments) == code
        shown = capsys.readouterr()
        assert told in " ".join((shown.out + shown.err).split()), arguments


def test_a_composed_configuration_has_the_lora_of_its_checkpoint(
    mistral: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run evaluates, resumes or trains on with (huggingface/diffusers#6087)."""
    monkeypatch.setenv("PEFOMED_LLAMA", str(LLAMA_FOLDER))
    content = read_checkpoint(UPSTREAM)
    content["config"] = {"model": {"lora_r": 8, "lora_alpha": 64}}
    torch.save(content, tmp_path / "a.pth")
    monkeypatch.setenv("PEFOMED_CKPT", str(tmp_path / "a.pth"))
    register_all()
    for yaml in ("train_configs/pefomed_stage2.yaml", "eval_configs/pefomed_vqa_rad.yaml"):
        model = launch.compose(yaml, []).configuration.model
        assert (model.lora_r, model.lora_alpha, list(model.lora_target_modules)) == (8, 64, ["q_proj", "v_proj"])
        with pytest.raises(ConfigError, match="model.lora_alpha: 16 is given, but .* was trained with 64"):
            launch.compose(yaml, ["model.lora_alpha=16"])
