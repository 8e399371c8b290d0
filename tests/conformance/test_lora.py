"""LoRA's settings come from the file that was trained, and compute what peft computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from pefomed_plugin.adapters.exports.adapter import write_adapter
from pefomed_plugin.adapters.exports.contents import find_lora, read_contents
from pefomed_plugin.adapters.exports.merge import write_merged
from pefomed_plugin.errors import CheckpointError, ConfigError
from pefomed_plugin.lora import FAMILY, RECORD, LoraSettings, recorded, settings_of
from pefomed_plugin.toolkit.bundled import language
from pefomed_plugin.toolkit.checkpoint import load_checkpoint, load_weights, read_checkpoint, trainable_state
from pefomed_plugin.toolkit.language_folder import open_language_folder
from pefomed_plugin.toolkit.start import settle_model
from tests.conformance.golden import golden, golden_model
from tests.unit.adapters.exported import LLAMA, TOKENS, UPSTREAM, lora_of

SECTION = {"llama_model": str(LLAMA), "ckpt": None, "vit": golden()["vit"]}


def plain_llama() -> Any:
    return language.load_language_model(open_language_folder(LLAMA), torch.float32)


def logits_of(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(TOKENS).logits


def scaled_up(folder: Path) -> None:
    """An adapter that matters: B times 30, so that a wrong scale shows."""
    from safetensors.torch import load_file, save_file

    path = folder / "adapter_model.safetensors"
    tensors = {name: 30 * value if "lora_B" in name else value for name, value in load_file(str(path)).items()}
    save_file(tensors, str(path), {"format": "pt"})


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """An exported folder, as other programs and people change it."""
    contents = read_contents(UPSTREAM)
    folder = tmp_path / "adapter"
    folder.mkdir()
    write_adapter(contents, lora_of(contents), None, folder)
    scaled_up(folder)
    return folder


def change_config(folder: Path, changes: dict[str, Any]) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lora_alpha": 32},
        {"use_rslora": True},
        {"alpha_pattern": {"v_proj": 64}},
        {"alpha_pattern": {"layers.1.self_attn.q_proj": 4, "v_proj": 32}, "use_rslora": True},
    ],
)
def test_an_adapter_folder_computes_what_peft_computes(adapter: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    """Merged and loaded (sgl-project/sglang#40835, vllm-project/vllm#10798)."""
    from peft import PeftModel
    from transformers import LlamaForCausalLM

    change_config(adapter, changes)
    right = logits_of(PeftModel.from_pretrained(plain_llama(), str(adapter)))
    contents = read_contents(adapter)
    lora = lora_of(contents)
    (tmp_path / "merged").mkdir()
    write_merged(contents, lora, open_language_folder(LLAMA), tmp_path / "merged")
    merged = LlamaForCausalLM.from_pretrained(str(tmp_path / "merged"), dtype=torch.float32)
    assert torch.allclose(logits_of(merged), right, rtol=0, atol=1e-5)
    model = golden_model(lora=lora.settings)
    load_checkpoint(model, contents.content, str(adapter))
    assert torch.allclose(logits_of(model.llama_model), right, rtol=0, atol=1e-5)
    if changes:
        plain = golden_model()
        load_weights(plain, contents.content["model"], "x")
        assert not torch.allclose(logits_of(plain.llama_model), right, atol=1e-3), "alpha 16 must show"


def test_ranks_of_a_pattern_are_those_of_the_tensors(tmp_path: Path) -> None:
    settings = LoraSettings(8, 16, ("q_proj", "v_proj"), rank_pattern={"v_proj": 4})
    content = {"model": trainable_state(golden_model(lora=settings)), RECORD: settings.record()}
    torch.save(content, tmp_path / "a.pth")
    settled = settle_model({**SECTION, "ckpt": str(tmp_path / "a.pth")})
    assert settled["peft"] == {"rank_pattern": {"v_proj": 4}}
    model = golden_model(lora=settings_of(settled, ()))
    load_checkpoint(model, read_checkpoint(tmp_path / "a.pth"), "a")
    del content[RECORD]  # then the tensors tell
    torch.save(content, tmp_path / "a.pth")
    lora = find_lora(read_contents(tmp_path / "a.pth"))
    assert lora is not None and lora.settings.rank_of("model.layers.1.self_attn.v_proj") == 4


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"use_dora": True}, r"no magnitudes \(DoRA\) in the file, use_dora is True by its settings"),
        ({"modules_to_save": ["lm_head"]}, "lm_head: trained whole by its settings"),
        ({"init_lora_weights": "corda"}, "init_lora_weights: 'corda' changes the base weights as well"),
        ({"layers_to_transform": [0]}, r"layers_to_transform: \[0\] is not supported"),
        ({"bias": "all"}, "bias 'all': only 'none' is supported"),
        ({"init_lora_weights": "pissa_niter_4"}, "changes the base weights as well"),
        ({"peft_type": "IA3"}, "peft_type is 'IA3'; only LORA"),
        ({"r": 4}, "rank 8 in the file, 4 by its settings"),
        ({"target_modules": ["q_proj"]}, "adapters on q_proj, v_proj in the file, on q_proj by its settings"),
    ],
)
def test_an_adapter_config_that_cannot_be_followed_is_refused(adapter: Path, changes: Any, told: str) -> None:
    change_config(adapter, changes)
    with pytest.raises(CheckpointError, match=told):
        find_lora(read_contents(adapter))


# -- what was trained is written into the file and read from there ---------------------------------------------------


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A checkpoint of this plugin, trained with alpha 64 on three kinds of modules."""
    model = golden_model(lora=LoraSettings(8, 64, ("k_proj", "q_proj", "v_proj")))
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(parameter, std=0.1)
    torch.save({"model": trainable_state(model), **recorded(model)}, tmp_path / "trained.pth")
    return tmp_path / "trained.pth"


def test_the_record_is_whole_and_read_without_unpickling_objects(trained: Path) -> None:
    content = torch.load(trained, weights_only=True)
    assert content[FAMILY] == "llama"
    assert content[RECORD] == {
        "peft_type": "LORA",
        "r": 8,
        "lora_alpha": 64,
        "target_modules": ["k_proj", "q_proj", "v_proj"],
        "lora_dropout": 0.0,
        "use_rslora": False,
        "rank_pattern": {},
        "alpha_pattern": {},
        "bias": "none",
    }


def test_a_yaml_that_says_nothing_takes_the_checkpoints(trained: Path) -> None:
    settled = settle_model({**SECTION, "ckpt": str(trained), "lora_r": None, "lora_dropout": 0.1})
    assert (settled["lora_r"], settled["lora_alpha"], settled["lora_dropout"]) == (8, 64, 0.1)
    assert settled["lora_target_modules"] == ["k_proj", "q_proj", "v_proj"]
    again = settle_model({**SECTION, **settled, "ckpt": str(trained)})
    assert again == settled, "settled twice is settled"


def test_a_yaml_that_says_otherwise_is_refused_with_both_values(trained: Path) -> None:
    given = {"lora_alpha": 16, "lora_target_modules": ["q_proj", "v_proj"], "peft": {"use_rslora": True}}
    with pytest.raises(ConfigError) as caught:
        settle_model({**SECTION, "ckpt": str(trained), **given})
    assert caught.value.problems == (
        f"model.lora_alpha: 16 is given, but {trained} was trained with 64",
        f"model.lora_target_modules: q_proj, v_proj is given, but {trained} was trained with k_proj, q_proj, v_proj",
        f"model.peft.use_rslora: True is given, but {trained} was trained with False",
    )


def test_the_file_to_resume_from_counts_in_place_of_the_one_to_start_from(trained: Path) -> None:
    settled = settle_model({**SECTION, "ckpt": str(UPSTREAM)}, str(trained))
    assert settled["lora_alpha"] == 64


def test_a_model_built_with_another_alpha_does_not_take_the_file(trained: Path) -> None:
    model = golden_model(lora=LoraSettings(8, 16, ("k_proj", "q_proj", "v_proj")))
    with pytest.raises(ConfigError, match="model.lora_alpha: 16 is given, but .* was trained with 64"):
        load_checkpoint(model, read_checkpoint(trained), str(trained))


def test_lora_that_the_run_has_no_place_for_stops_it(trained: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_weights(golden_model(), read_checkpoint(trained)["model"], "x")
    assert len(caught.value.problems) == 4
    assert all("k_proj" in problem and "no such tensor" in problem for problem in caught.value.problems)


def test_of_files_of_others_the_tensors_tell_and_the_configuration_beside_them(tmp_path: Path) -> None:
    content = read_checkpoint(UPSTREAM)
    content["config"] = {"model": {"lora_r": 8, "lora_alpha": 64}}
    torch.save(content, tmp_path / "a.pth")
    assert settle_model({**SECTION, "ckpt": str(tmp_path / "a.pth")})["lora_alpha"] == 64
    with pytest.raises(ConfigError, match="model.lora_alpha: 16 is given, but .* was trained with 64"):
        settle_model({**SECTION, "ckpt": str(tmp_path / "a.pth"), "lora_alpha": 16})
    del content["config"]  # nothing says alpha
    torch.save(content, tmp_path / "a.pth")
    assert settle_model({**SECTION, "ckpt": str(tmp_path / "a.pth")})["lora_alpha"] == 16
    assert settle_model({**SECTION, "ckpt": str(tmp_path / "a.pth"), "lora_alpha": 32})["lora_alpha"] == 32


def test_a_checkpoint_of_another_family_is_refused(trained: Path) -> None:
    content = torch.load(trained, weights_only=True)
    torch.save({**content, FAMILY: "qwen2"}, trained)
    with pytest.raises(CheckpointError, match="trained on a language model of the family 'qwen2'"):
        settle_model({**SECTION, "ckpt": str(trained)})


def test_a_target_that_no_layer_has_is_named() -> None:
    with pytest.raises(ConfigError, match="LoRA cannot be put on") as caught:
        language.add_lora(plain_llama(), LoraSettings(4, 8, ("q_prj",)))
    assert caught.value.problems[0].startswith("model.lora_target_modules: no 'q_prj'; did you mean 'q_proj'")
