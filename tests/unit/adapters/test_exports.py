"""Checkpoints for the outside: nothing is lost on the way, and what is damaged or of another model has a name."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest
import torch
from safetensors.torch import load_file, save_file

from pefomed_plugin.adapters.exports.adapter import write_adapter
from pefomed_plugin.adapters.exports.contents import (
    Contents,
    find_lora,
    left_out,
    read_contents,
    spelling_of,
)
from pefomed_plugin.adapters.exports.convert import FORMS, convert
from pefomed_plugin.adapters.exports.summary import summarise
from pefomed_plugin.adapters.exports.writing import fresh_folder, save_tensors
from pefomed_plugin.digests import digest_state
from pefomed_plugin.errors import CheckpointError, ConfigError
from pefomed_plugin.toolkit.bundled import language
from pefomed_plugin.toolkit.checkpoint import load_weights, read_checkpoint
from pefomed_plugin.toolkit.language_folder import open_language_folder
from tests.conformance.golden import golden_model
from tests.unit.adapters.exported import LLAMA, TOKENS, UPSTREAM, adapter_logits, lora_of

Q = "llama_model.base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"


@pytest.fixture
def upstream() -> Contents:
    return read_contents(UPSTREAM)


def changed(contents: Contents, change: Callable[[dict[str, Any]], Any]) -> Contents:
    """The same file with other tensors."""
    tensors = dict(contents.content["model"])
    change(tensors)
    return Contents(contents.path, {**contents.content, "model": tensors})


def base_logits() -> torch.Tensor:
    with torch.no_grad():
        return language.load_language_model(open_language_folder(LLAMA), torch.float32)(TOKENS).logits


# -- what a file holds -----------------------------------------------------------------------------------------------


def test_summary_of_upstreams_checkpoint(upstream: Contents) -> None:
    summary = summarise(upstream)
    assert summary["parts"] == {
        "lora": {"tensors": 8, "parameters": 4096, "dtypes": ["float32"]},
        "llama_proj": {"tensors": 2, "parameters": 64 * 128 + 64, "dtypes": ["float32"]},
    }
    assert summary["lora"] == {
        "rank": 8,
        "targets": ["q_proj", "v_proj"],
        "layers": 2,
        "alpha": 16,
        "alpha_from": "the configuration in the file",
        "rank_stabilised": False,
        "rank_pattern": {},
        "alpha_pattern": {},
        "use_dora": False,
        "init_lora_weights": True,
        "modules_to_save": [],
    }
    assert (summary["spelling"], summary["llama_width"], summary["digest"]) == ("minigpt4", 64, "none")
    assert summary["language_model"] == "LLaMA"
    assert (summary["resumable"], summary["problems"]) == (True, [])
    assert json.loads(json.dumps(summary)) == summary


def test_summary_names_damage_and_values_that_are_not_finite(upstream: Contents, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    shutil.copyfile(UPSTREAM, path)
    (tmp_path / "a.pth.sha256").write_text("0" * 64 + "\n")
    spoilt = changed(
        read_contents(path, may_be_damaged=True),
        lambda tensors: tensors.update(
            {"llama_proj.bias": torch.full((64,), float("nan")), Q.format(0, "A"): torch.zeros(4, 64)}
        ),
    )
    problems = summarise(spoilt)["problems"]
    assert "is damaged: its digest is not the one in" in problems[0]
    assert any("A (4, 64) and B (64, 8) are not of one rank" in problem for problem in problems)
    assert problems[-1] == "llama_proj.bias: 64 values are not finite (NaN or infinity)"
    with pytest.raises(CheckpointError, match="copy it again"):
        read_contents(path)


def test_a_truncated_file(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(UPSTREAM.read_bytes()[:90_000])
    save_file({"a": torch.zeros(100)}, str(tmp_path / "b.safetensors"))
    (tmp_path / "b.safetensors").write_bytes((tmp_path / "b.safetensors").read_bytes()[:-10])
    for name in ("a.pth", "b.safetensors"):
        with pytest.raises(CheckpointError, match="damaged|incomplete"):
            read_contents(tmp_path / name)


class Evil:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.witness),)


def test_pickled_code_is_refused(tmp_path: Path) -> None:
    torch.save({"model": {"a": torch.zeros(1)}, "config": Evil(tmp_path / "ran")}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError, match="refused"):
        read_contents(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_is_no_adapter_and_a_file_without_tensors(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no adapter_config.json"):
        read_contents(tmp_path)
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="holds no tensors"):
        read_contents(tmp_path / "a.pth")


def test_a_tensor_in_two_spellings_is_ambiguous(tmp_path: Path) -> None:
    key = Q.format(0, "A")
    other = key.replace("lora_A", "lora_A.default")
    torch.save({key: torch.zeros(8, 64), other: torch.ones(8, 64)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="ambiguous"):
        read_contents(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tensors: tensors.pop(Q.format(1, "B")), "layers.1.self_attn.q_proj: lora_B is missing"),
        (
            lambda tensors: [tensors.pop(Q.format(1, side)) for side in "AB"],
            "layers.1.self_attn.q_proj: adapted in other layers, not in this one",
        ),
        (
            lambda tensors: tensors.update({Q.format(0, "A"): torch.zeros(4, 64)}),
            r"q_proj: A \(4, 64\) and B \(64, 8\) are not of one rank",
        ),
        (
            lambda tensors: tensors.update({Q.format(0, "magnitude_vector"): torch.zeros(64)}),
            "layers.1.self_attn.q_proj: lora_magnitude_vector is missing",
        ),
        (
            lambda tensors: tensors.update({Q.format(0, "embedding_A"): torch.zeros(4, 64)}),
            "no weight of a LoRA on a linear layer",
        ),
    ],
)
def test_lora_that_is_not_whole(upstream: Contents, change: Callable, told: str) -> None:
    with pytest.raises(CheckpointError, match=told):
        find_lora(changed(upstream, change))


def test_alpha_comes_from_the_file_else_from_the_user_else_is_assumed(upstream: Contents) -> None:
    bare = Contents(UPSTREAM, {"model": upstream.content["model"]})
    for given in (None, 16):
        lora = lora_of(upstream, given)
        assert (lora.settings.lora_alpha, lora.alpha_from) == (16, "the configuration in the file")
    lora = lora_of(bare, 32)
    assert (lora.settings.lora_alpha, lora.alpha_from) == (32, "--lora-alpha")
    lora = lora_of(bare)
    assert lora.settings.lora_alpha == 16 and "the file does not say: give --lora-alpha" in lora.alpha_from
    with pytest.raises(ConfigError, match="--lora-alpha: 32 is given, but .* was trained with 16"):
        lora_of(upstream, 32)


def test_ranks_that_differ_between_modules_are_told_by_the_tensors(upstream: Contents) -> None:
    smaller = {Q.format(0, "A"): torch.zeros(4, 64), Q.format(0, "B"): torch.zeros(64, 4)}
    settings = lora_of(changed(upstream, lambda tensors: tensors.update(smaller))).settings
    assert (settings.r, settings.rank_pattern) == (8, {"model.layers.0.self_attn.q_proj": 4})
    assert settings.scale_of("model.layers.0.self_attn.q_proj") == 4.0
    assert settings.scale_of("model.layers.1.self_attn.q_proj") == 2.0


def test_a_configuration_of_another_rank(upstream: Contents) -> None:
    other = Contents(UPSTREAM, {**upstream.content, "config": {"model": {"lora_r": 64, "lora_alpha": 16}}})
    with pytest.raises(CheckpointError, match="says lora_r 64, its tensors are of rank 8"):
        lora_of(other)
    assert lora_of(other, 32).settings.lora_alpha == 32
    assert any("lora_r 64" in problem for problem in summarise(other)["problems"])


# -- other spellings ---------------------------------------------------------------------------------------------------


def test_there_and_back_is_bit_exact_and_keeps_what_resuming_needs(upstream: Contents, tmp_path: Path) -> None:
    there = convert(upstream, "peft", tmp_path / "there.pth")
    names = list(read_checkpoint(there)["model"])
    assert spelling_of(read_contents(there)) == "peft"
    assert Q.format(0, "A").replace("lora_A", "lora_A.default") in names
    back = read_checkpoint(convert(read_contents(there), "minigpt4", tmp_path / "back.pth"))
    before = read_checkpoint(UPSTREAM)
    assert list(back["model"]) == list(before["model"])
    assert all(
        torch.equal(back["model"][key], each) and back["model"][key].dtype == each.dtype
        for key, each in before["model"].items()
    )
    assert (back["config"], back["epoch"], back["scaler"]) == (before["config"], before["epoch"], before["scaler"])
    assert torch.equal(back["optimizer"]["state"][0]["exp_avg"], before["optimizer"]["state"][0]["exp_avg"])
    assert digest_state(there) == digest_state(tmp_path / "back.pth") == "ok"


def test_the_current_spelling_is_that_of_the_model_itself(upstream: Contents, tmp_path: Path) -> None:
    whole = golden_model().state_dict()
    file = Contents(UPSTREAM, {"model": {**{key: each for key, each in whole.items() if "q_proj" in key}}})
    to_upstream = read_contents(convert(file, "minigpt4", tmp_path / "a.pth"))
    assert not any("base_layer" in key or "default" in key for key in to_upstream.content["model"])
    back = read_checkpoint(convert(to_upstream, "peft", tmp_path / "b.pth"))["model"]
    assert list(back) == [key for key in whole if "q_proj" in key]


def test_safetensors_keeps_configuration_and_history(upstream: Contents, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="leave optimizer out with --weights-only"):
        convert(upstream, "safetensors", tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())
    path = convert(upstream, "safetensors", tmp_path / "a.safetensors", weights_only=True)
    back = read_checkpoint(convert(read_contents(path), "minigpt4", tmp_path / "back.pth"))
    assert (back["config"], back["epoch"]) == (upstream.content["config"], upstream.content["epoch"])
    assert all(torch.equal(back["model"][key], each) for key, each in upstream.content["model"].items())
    assert load_weights(golden_model(), load_file(str(path)), "a").loaded == tuple(load_file(str(path)))


def test_weights_only_drops_the_optimizer_and_only_then(upstream: Contents, tmp_path: Path) -> None:
    whole = read_checkpoint(convert(upstream, "peft", tmp_path / "whole.pth"))
    light = read_checkpoint(convert(upstream, "peft", tmp_path / "light.pth", weights_only=True))
    assert set(whole) - set(light) == {"optimizer", "scaler"}


def test_nothing_is_overwritten_and_forms_are_known(upstream: Contents, tmp_path: Path) -> None:
    (tmp_path / "mine.pth").write_text("mine")
    with pytest.raises(CheckpointError, match="is not overwritten"):
        convert(upstream, "peft", tmp_path / "mine.pth")
    assert (tmp_path / "mine.pth").read_text() == "mine"
    with pytest.raises(ConfigError, match="did you mean 'peft'"):
        convert(upstream, "pefd", tmp_path / "b.pth")
    with pytest.raises(CheckpointError, match="cannot write"):
        convert(upstream, "safetensors", tmp_path / "mine.pth" / "c.safetensors", weights_only=True)
    assert set(FORMS) == {"minigpt4", "peft", "safetensors"}


# -- adapter folder ----------------------------------------------------------------------------------------------------


@pytest.fixture
def adapter(upstream: Contents, tmp_path: Path) -> Path:
    with fresh_folder(tmp_path / "adapter") as folder:
        write_adapter(upstream, lora_of(upstream), upstream.family.hub_names[4096], folder)
    return tmp_path / "adapter"


def test_peft_loads_the_adapter_and_says_the_same(adapter: Path) -> None:
    from peft import PeftModel

    model = PeftModel.from_pretrained(
        language.load_language_model(open_language_folder(LLAMA), torch.float32), str(adapter)
    )
    with torch.no_grad():
        logits = model(TOKENS).logits
    assert torch.equal(logits, adapter_logits())
    assert not torch.allclose(logits, base_logits(), atol=1e-3), "the adapter must matter, or this test shows nothing"


def test_the_adapter_folder_is_a_checkpoint_again(adapter: Path, upstream: Contents, tmp_path: Path) -> None:
    contents = read_contents(adapter)
    assert spelling_of(contents) == "adapter"
    assert contents.config == upstream.config
    back = read_checkpoint(convert(contents, "minigpt4", tmp_path / "back.pth"))["model"]
    assert set(back) == set(upstream.content["model"])
    assert all(torch.equal(back[key], each) for key, each in upstream.content["model"].items())


def test_the_adapter_config_names_what_peft_needs(adapter: Path) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (8, 16, ["q_proj", "v_proj"])
    assert config["base_model_name_or_path"] == "meta-llama/Llama-2-7b-chat-hf"


def test_an_adapter_needs_its_projection(upstream: Contents, tmp_path: Path) -> None:
    blind = changed(upstream, lambda tensors: [tensors.pop("llama_proj." + name) for name in ("weight", "bias")])
    with pytest.raises(CheckpointError, match="has no llama_proj"), fresh_folder(tmp_path / "out") as folder:
        write_adapter(blind, lora_of(blind), None, folder)
    assert not list(tmp_path.iterdir()), "nothing half written stays"


def test_what_is_no_part_of_an_export_is_known(upstream: Contents) -> None:
    more = changed(upstream, lambda tensors: tensors.update({"visual_encoder.cls_token": torch.zeros(1)}))
    assert left_out(upstream) == []
    assert left_out(more) == ["visual_encoder.cls_token"]


# -- writing -----------------------------------------------------------------------------------------------------------


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), fresh_folder(tmp_path / "out") as folder:
        (folder / "half").write_text(str(1 / 0))
    assert not list(tmp_path.iterdir())
    (tmp_path / "out").mkdir()
    with fresh_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("")
    assert os.listdir(tmp_path / "out") == ["file"]
    with pytest.raises(CheckpointError, match="is not overwritten"), fresh_folder(tmp_path / "out"):
        pass
    with pytest.raises(CheckpointError, match="choose another --out"), fresh_folder(tmp_path / "out" / "file" / "x"):
        pass


def test_safetensors_take_views_and_shared_memory_and_keep_the_umask(tmp_path: Path) -> None:
    tensor = torch.arange(6.0).reshape(2, 3)
    before = os.umask(0o027)
    try:
        save_tensors({"a": tensor, "b": tensor.T}, tmp_path / "a.safetensors")
    finally:
        os.umask(before)
    found = load_file(str(tmp_path / "a.safetensors"))
    assert torch.equal(found["a"], tensor) and torch.equal(found["b"], tensor.T)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o640
