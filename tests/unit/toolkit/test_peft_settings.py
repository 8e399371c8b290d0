"""Which variant of LoRA a run has: what YAML and checkpoint say together; what cannot be is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from pefomed_plugin.adapters.training.strategies import STRATEGIES
from pefomed_plugin.config.compose import Composed, Configuration, read_configuration, refusals
from pefomed_plugin.config.model import PeftConfig, read_model_config
from pefomed_plugin.errors import CheckpointError, ConfigError, ToolkitError
from pefomed_plugin.lora import RECORD, LoraSettings, recorded, settings_of
from pefomed_plugin.toolkit.checkpoint import load_checkpoint, read_checkpoint, trainable_state
from pefomed_plugin.toolkit.start import settle_model, settled
from tests.conformance.golden import golden, golden_model
from tests.unit.adapters.exported import LLAMA, UPSTREAM

TARGETS = ("q_proj", "v_proj")
ALL = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")


@pytest.mark.parametrize(
    ("peft", "told"),
    [
        ({"use_dora": True}, "model.peft.use_dora: True is given, but .* was trained with False"),
        ({"init_lora_weights": "pissa"}, "model.peft.init_lora_weights: pissa is given, but .* was trained with True"),
        ({"modules_to_save": ["lm_head"]}, "model.peft.modules_to_save: lm_head is given, but .* with none"),
    ],
)
def test_another_variant_than_the_checkpoints_is_refused(tmp_path: Path, peft: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        settle_model({"llama_model": str(LLAMA), "ckpt": str(UPSTREAM), "peft": peft})


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"peft": {"modules_to_save": ["lm_haed"]}}, "no module of the LLaMA is called so; did you mean 'lm_head'"),
        ({"peft": {"modules_to_save": ["k_proj"]}}, "LoRA is for those: model.lora_target_modules"),
        ({"peft": {"init_lora_weights": "pissa"}, "lora_r": 65}, "q_proj is of rank 64; set model.lora_r"),
        (
            {"peft": {"init_lora_weights": "olora", "rank_pattern": {"layers.1.self_attn.v_proj": 65}}, "lora_r": 8},
            "olora: v_proj is of rank 64; set model.lora_r",
        ),
    ],
)
def test_what_the_language_model_cannot_have_is_refused_at_the_start(section: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        settle_model({"llama_model": str(LLAMA), **section})


# -- a variant that begins on what another has learned ---------------------------------------------------------------


def test_another_kind_begins_where_the_files_is_untrained(tmp_path: Path) -> None:
    """As the embedded default's checkpoint, whose B is zero."""
    model = golden_model(lora=LoraSettings(8, 16, TARGETS))
    torch.save({"model": trainable_state(model), **recorded(model)}, tmp_path / "a.pth")
    weights = {"llama_model": str(LLAMA), "ckpt": str(tmp_path / "a.pth"), "vit": golden()["vit"]}
    section = {**weights, "peft": {"use_dora": True}}
    settled = settle_model(section)
    assert (settled["lora_r"], settled["peft"]) == (8, {"use_dora": True})
    fresh = golden_model(lora=settings_of(settled, ()))
    report = load_checkpoint(fresh, read_checkpoint(tmp_path / "a.pth"), "a.pth")
    assert "untrained (B is zero): LoRA begins untrained" in str(report)
    assert torch.equal(fresh.llama_proj.weight, model.llama_proj.weight)


def test_a_projection_alone_is_no_checkpoint(tmp_path: Path) -> None:
    """Unless a merged model's: its LoRA may have been lost (``tests/conformance/test_peft_variants.py``)."""
    model = golden_model()
    projection = {"llama_proj.weight": model.llama_proj.weight, "llama_proj.bias": model.llama_proj.bias}
    with pytest.raises(CheckpointError, match="does not fit the model") as caught:
        load_checkpoint(model, {"model": projection}, "p.pth")
    assert len(caught.value.problems) == 8


def test_all_linear_stands_for_the_matrices_of_a_layer() -> None:
    settled = settle_model({"llama_model": str(LLAMA), "lora_target_modules": ["all-linear"]})
    assert settled["lora_target_modules"] == list(ALL)


def test_a_plain_checkpoint_is_what_it_was() -> None:
    model = golden_model()
    assert set(recorded(model)[RECORD]) == {
        "peft_type",
        "r",
        "lora_alpha",
        "target_modules",
        "lora_dropout",
        "use_rslora",
        "rank_pattern",
        "alpha_pattern",
        "bias",
    }
    assert all(key.endswith(("lora_A.weight", "lora_B.weight")) for key in trainable_state(model) if "lora" in key)


@pytest.mark.parametrize(
    ("peft", "told"),
    [
        ({"use_doraa": True}, "model.peft.use_doraa: no such key; did you mean 'use_dora'"),
        ({"target_modules": ["q_proj"]}, "no such key; its name is model.lora_target_modules, MiniGPT-v2's"),
        ({"init_lora_weights": "eva"}, "model.peft.init_lora_weights 'eva': none of true, gaussian, olora, pissa"),
        ({"init_lora_weights": False}, "model.peft.init_lora_weights False: none of"),
        ({"init_lora_weights": "pissa_niter_0"}, "init_lora_weights 'pissa_niter_0': none of"),
        ({"use_dora": True, "init_lora_weights": "olora"}, "no peft adapter can hold both; take one"),
        ({"lora_plus_ratio": 0}, "model.peft.lora_plus_ratio: 0.0 is not more than 0"),
    ],
)
def test_a_section_that_cannot_be_is_refused(peft: Any, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_model_config({"peft": peft})
    assert any(told in problem for problem in caught.value.problems)


def test_a_variant_of_no_lora_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        read_model_config({"lora_r": 0, "peft": {"modules_to_save": ["norm"]}})
    (problem,) = caught.value.problems
    assert problem.startswith("model.peft.modules_to_save: model.lora_r is 0, which trains nothing of the language")
    assert read_model_config({"lora_r": 0, "peft": {"use_dora": False}}).lora_r == 0


def test_keys_that_moved_are_named_and_say_nothing_when_null() -> None:
    with pytest.raises(ConfigError) as caught:
        read_model_config({"lora_use_rslora": True, "lora_rank_pattern": None})
    assert caught.value.problems == ("model.lora_use_rslora: no such key; its name is model.peft.use_rslora now",)


def test_a_module_is_not_adapted_and_trained_whole() -> None:
    with pytest.raises(ConfigError) as caught:
        LoraSettings(4, 16, TARGETS, modules_to_save=("q_proj",))
    assert caught.value.problems == ("q_proj: in modules_to_save and in target_modules; take it out of one",)


def test_what_the_checkpoint_says_is_written_into_the_runs_configuration(tmp_path: Path) -> None:
    settings = LoraSettings(4, 16, TARGETS, use_dora=True, modules_to_save=("norm",))
    model = golden_model(lora=settings)
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(parameter, std=0.1)
    torch.save({"model": trainable_state(model), **recorded(model)}, tmp_path / "a.pth")
    weights = {"llama_model": str(LLAMA), "ckpt": str(tmp_path / "a.pth"), "vit": golden()["vit"]}
    sections = {
        "model": {**weights, "peft": {"lora_plus_ratio": 4}},
        "datasets": {"vqa_rad": {}},
        "run": {"task": "medical_vqa", "output_dir": "out"},
    }
    composed = Composed(read_configuration(sections), "model: {}", (), frozenset())
    found = composed.with_model(settled(composed.configuration).model)
    assert found.configuration.model.peft == PeftConfig(use_dora=True, modules_to_save=("norm",), lora_plus_ratio=4)
    written = yaml.safe_load(found.text)["model"]["peft"]
    assert written == {"use_dora": True, "modules_to_save": ["norm"], "lora_plus_ratio": 4}
    assert settled(found.configuration) == found.configuration, "settled twice is settled"


def run_with(model: dict[str, Any], **run: Any) -> Configuration:
    run = {"task": "medical_vqa", "output_dir": "out", **run}
    return read_configuration({"model": model, "datasets": {"vqa_rad": {}}, "run": run})


def test_quantised_weights_are_not_parted() -> None:
    given = {"llm_quantization": "4bit", "peft": {"init_lora_weights": "pissa_niter_4"}}
    (line,) = refusals(run_with(given), STRATEGIES)
    assert line.startswith("model.peft.init_lora_weights: pissa_niter_4: the part that A and B begin as cannot be")
    assert not refusals(run_with({**given, "peft": {"use_dora": True, "init_lora_weights": True}}), STRATEGIES)


def test_runner_base_has_one_learning_rate() -> None:
    (line,) = refusals(run_with({"peft": {"lora_plus_ratio": 4}}, runner="runner_base"), STRATEGIES)
    assert line.endswith("has one learning rate for all; set run.runner=runner_pefomed")


@pytest.mark.parametrize(
    ("changes", "plain"),
    [
        ({}, True),
        ({"lora_plus_ratio": 4.0}, True),
        ({"use_dora": True}, False),
        ({"init_lora_weights": "gaussian"}, False),
        ({"modules_to_save": ("norm",)}, False),
        ({"use_rslora": True}, False),
    ],
)
def test_a_checkout_is_given_plain_lora_only(changes: Any, plain: bool) -> None:
    """``toolkit.workarounds`` refuses all else; LoRA+ is our own trainer's."""
    assert LoraSettings(4, 16, TARGETS, **changes).is_plain() == plain


def test_a_peft_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import peft

    monkeypatch.setattr(peft, "LoraConfig", lambda r, lora_alpha, target_modules, lora_dropout, bias, task_type: None)
    LoraSettings(4, 16, TARGETS).to_peft()
    with pytest.raises(ToolkitError, match="does not know model.peft.use_dora, model.peft.modules_to_save; use the"):
        LoraSettings(4, 16, TARGETS, use_dora=True, modules_to_save=("norm",)).to_peft()
