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
from pefomed_plugin.errors import CheckpointError, ConfigError
from pefomed_plugin.families import FAMILIES, family_in, family_of_type
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


@pytest.mark.parametrize("kind", ["mistral", "qwen2", "gemma", None, "lama"])
def test_another_model_type_is_refused_by_name(tmp_path: Path, kind: Any) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**SMALL, "model_type": kind}))
    with pytest.raises(CheckpointError, match=f"of type {kind!r}, which is not supported; .*llama"):
        family_in(tmp_path)


def test_another_packages_family_reads_its_own_model_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint("own", "tests.unit.test_families:OWN", plugins.GROUPS[FAMILIES.kind])
    entry = plugins.EntryPoint(FAMILIES.kind, "own", "invented 1.0", point)
    monkeypatch.setattr(plugins, "find_entry_points", lambda kind: (entry,) if kind == FAMILIES.kind else ())
    (tmp_path / "config.json").write_text(json.dumps({**SMALL, "model_type": "own"}))
    assert family_in(tmp_path)[0] is OWN
    assert family_of_type("llama", "x") is LLAMA


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
    told = "of type 'mistral', which is not supported; known: llama"
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
