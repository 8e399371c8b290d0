"""The arithmetic of memory: what each switch does to it. (What torch really takes: ``tests/conformance``.)"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.config.compose import Configuration, read_configuration
from pefomed_plugin.config.datasets import DatasetConfig
from pefomed_plugin.config.model import ModelConfig
from pefomed_plugin.errors import CheckpointError, ConfigError
from pefomed_plugin.families import LanguageSize, read_model_size
from pefomed_plugin.services.memory.estimate import GIB, RunSize, estimate, usable_bytes
from pefomed_plugin.storage import write_json

KEPT = "activations kept for the backward pass"


def config(**changes: Any) -> Configuration:
    """A stage-2 run, with ``model_...``, ``run_...`` and ``batch_size`` changed."""
    made: dict[str, Any] = {
        "model": {"lora_r": 64, "lora_dropout": 0.05, "image_size": 448, "max_txt_len": 1024},
        "datasets": {"vqa_rad": {"batch_size": changes.pop("batch_size", 6)}},
        "run": {"task": "medical_vqa", "output_dir": "out", "precision": "fp16", "test_splits": ["test"]},
    }
    for key, value in changes.items():
        section, _, name = key.partition("_")
        made[section][name] = value
    return read_configuration(made)


def training(**changes: Any) -> dict[str, int]:
    parts = estimate(config(**changes)).training
    assert parts is not None
    return parts


def answering(**changes: Any) -> dict[str, int]:
    parts = estimate(config(**changes)).answering
    assert parts is not None
    return parts


def test_weights_of_the_paper() -> None:
    """6,738,415,616 and 986,978,688 numbers in 16 bits; 56,627,200 with gradient and two moments in 32."""
    parts = training()
    assert parts["language model"] == 2 * 6_738_415_616
    assert parts["vision encoder"] == 2 * 986_978_688
    assert (
        parts["projection and LoRA, fp32"] + parts["gradients, fp32"] + parts["AdamW's two moments, fp32"]
        == 16 * 56_627_200
    )


def test_bits_of_the_frozen_weights() -> None:
    """Only linear modules are quantised: 6,476,005,376 numbers; 262,410,240 stay at 16 bits."""
    outside = 2 * 262_410_240
    matrices = 6_476_005_376
    assert training(model_llm_quantization="8bit")["language model"] - outside == pytest.approx(matrices, rel=1e-3)
    four = training(model_llm_quantization="4bit")["language model"] - outside
    assert four / matrices * 8 == pytest.approx(4.127, abs=1e-3)
    assert training(model_low_resource=True) == training(model_llm_quantization="8bit")


def test_a_batch_twice_as_large_keeps_twice_as_much() -> None:
    assert training(batch_size=12)[KEPT] == 2 * training()[KEPT]


def test_checkpointing_keeps_a_layers_input_only() -> None:
    saved = training(model_use_grad_checkpoint_llm=True)
    load = estimate(config()).training_load
    assert load is not None
    assert saved[KEPT] == 32 * 2 * 4096 * load.tokens
    assert saved["work of one layer"] > training()["work of one layer"]


def test_questions_of_one_image_share_a_row() -> None:
    apart, shared = estimate(config()).training_load, estimate(config(run_questions_per_image=3)).training_load
    assert apart is not None
    assert shared is not None
    assert (apart.rows, shared.rows, shared.samples) == (6, 2, 6)
    assert apart.row_tokens < shared.row_tokens < 3 * apart.row_tokens - 2 * 256


def test_an_encoder_on_the_cpu_takes_nothing() -> None:
    assert "vision encoder" not in training(model_vit_on_cpu=True)


def test_cached_features_take_disk() -> None:
    """1024 x 1408 numbers in 16 bits, of 314 images."""
    disk = estimate(config(run_image_cache="features")).disk
    assert disk["features of vqa_rad, 314 images"] == 314 * 1024 * 1408 * 2
    assert disk["checkpoints, 3 of 0.63 GiB"] == 3 * 12 * 56_627_200


def test_frozen_weights_in_32_bits_are_cast() -> None:
    wide = {"run_precision": "bf16", "model_llm_precision": "fp32"}
    casts = training(**wide)["casts of frozen weights to bf16"]
    assert casts == 2 * 6_476_005_376
    assert training(**wide, model_use_grad_checkpoint_llm=True)["casts of frozen weights to bf16"] == casts // 32
    assert "casts of frozen weights to bf16" not in training(run_precision="bf16"), "fp16 becomes bf16 at the start"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"amp": True}, "fp16"),
        ({"amp": False}, "fp32"),
        ({"amp": None}, "bf16"),
        ({"amp": True, "precision": "bf16"}, "bf16"),
    ],
)
def test_the_precision_a_run_computes_in(settings: dict[str, Any], expected: str) -> None:
    changes = {f"run.{key}": value for key, value in {"precision": None, **settings}.items()}
    assert estimate(config().with_values(changes)).precision == expected


def test_answering_grows_with_batch_beams_and_length() -> None:
    few = answering(run_batch_size_eval=4)["keys and values"]
    assert answering(run_batch_size_eval=8)["keys and values"] == 2 * few
    assert answering(run_batch_size_eval=4, run_num_beams=3)["keys and values"] == 3 * few
    assert answering(run_batch_size_eval=4, run_max_new_tokens=300)["keys and values"] > few
    merged = answering(run_merge_lora=True)["weights LoRA is added to"]
    assert merged == 2 * 32 * 2 * 4096 * 4096


def test_phases_that_a_run_does_not_have() -> None:
    assert estimate(config(run_test_splits=[])).answering is None
    only = estimate(config(run_evaluate=True))
    assert only.training is None
    assert only.answering is not None
    assert "AdamW's two moments, fp32" not in only.answering
    with pytest.raises(ConfigError, match="neither trains nor answers"):
        config(run_evaluate=True, run_test_splits=[])


def test_the_data_set_with_the_longest_texts_counts() -> None:
    load = estimate(replace(config(), datasets={"vqa_rad": DatasetConfig(), "iu_xray": DatasetConfig()})).training_load
    assert load is not None
    assert (load.dataset, load.answer_tokens) == ("iu_xray", 6 * 319)


def test_unknown_texts_are_as_long_as_the_limit() -> None:
    load = estimate(replace(config(), datasets={"medical_custom": DatasetConfig(batch_size=2)})).training_load
    assert load is not None
    assert load.answer_tokens == 2 * 1024


def test_a_card_has_less_than_its_name_says() -> None:
    assert usable_bytes(24) == pytest.approx(22.56 * GIB)
    found: RunSize = estimate(config())
    assert not found.fits(24)
    assert found.fits(48)


def test_sizes_come_from_the_folder(tmp_path: Any) -> None:
    given = {
        "model_type": "llama",
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    (tmp_path / "config.json").write_text(json.dumps(given))
    size = read_model_size(ModelConfig(llama_model=str(tmp_path)))
    assert size.language == LanguageSize(512, 64, 128, 2, 4, 4, 16)
    assert not size.published
    assert read_model_size(ModelConfig(llama_model=str(tmp_path / "none"))).published


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "holds no JSON object"),
        ("{}", "a language model of type None, which is not supported"),
        ('{"model_type": "mistral"}', "of type 'mistral', which is not supported; known: llama"),
        ('{"model_type": "llama", "hidden_size": 64}', "is not the configuration of a LLaMA"),
    ],
)
def test_a_folder_of_something_else(text: str, told: str, tmp_path: Any) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=told):
        read_model_size(ModelConfig(llama_model=str(tmp_path)))


def test_a_lora_target_that_does_not_exist() -> None:
    with pytest.raises(ConfigError) as caught:
        read_model_size(ModelConfig(lora_target_modules=("q_prj",)))
    assert caught.value.problems == (
        "model.lora_target_modules: no 'q_prj'; did you mean 'q_proj' or 'v_proj' or 'o_proj'?",
    )


def test_every_image_of_a_study_takes_its_tokens(tmp_path: Path) -> None:
    def of(name: str, **section: Any) -> RunSize:
        run = {"task": "report_generation", "output_dir": "out", "precision": "fp16", "test_splits": ["test"]}
        datasets = {name: {"batch_size": 6, **section}}
        return estimate(read_configuration({"model": {"image_size": 448}, "datasets": datasets, "run": run}))

    one = of("iu_xray")
    two = of("iu_xray", options={"per": "study", "views": "all"})
    three = of("mimic_cxr", options={"per": "study", "views": ["frontal", "lateral", "prior"]})
    for single, pair, triple in (
        (one.training_load, two.training_load, three.training_load),
        (one.answering_load, two.answering_load, three.answering_load),
    ):
        assert single and pair and triple
        assert (single.images_a_row, pair.images_a_row, triple.images_a_row) == (1, 2, 3)
        assert 256 < pair.alone_tokens - single.alone_tokens < 256 + 2 * 20
    assert two.peak > one.peak
    assert one.training and two.training
    assert two.training["images and visual features"] == 2 * one.training["images and visual features"]
    write_json(tmp_path / "index.json", {"most_images": 4})
    shards = of("medical_custom", build_info={"storage": str(tmp_path)}).training_load
    assert shards and shards.images_a_row == 4


def test_variants_of_lora_take_what_they_train() -> None:
    """DoRA: a length for each row of q_proj and v_proj in 32 layers; a head of 32,000 x 4,096; LoRA on all matrices."""
    lora, rows, head = 33_554_432, 32 * 2 * 4096, 32000 * 4096
    all_linear = 32 * 64 * (4 * 8192 + 3 * (4096 + 11008))

    def trained(**model: Any) -> int:
        return estimate(config(**{f"model_{key}": value for key, value in model.items()})).size.trained

    rest = 56_627_200 - lora
    assert trained(peft={"use_dora": True}) == rest + lora + rows
    assert trained(peft={"modules_to_save": ["lm_head"]}) == rest + lora + head
    assert trained(peft={"modules_to_save": ["norm"]}) == rest + lora + 65 * 4096
    assert trained(lora_target_modules=["all-linear"]) == rest + all_linear
    assert trained(peft={"rank_pattern": {"v_proj": 32}}) == rest + lora * 3 // 4
    assert "projection and LoRA, modules trained whole, fp32" in training(model_peft={"modules_to_save": ["lm_head"]})


def test_a_checkpoint_of_pissa_holds_what_lora_began_as() -> None:
    plain, pissa = (estimate(config(model_peft=peft)).disk for peft in ({}, {"init_lora_weights": "pissa"}))
    assert sum(pissa.values()) - sum(plain.values()) == 3 * 4 * 33_554_432


def test_doras_lengths_are_found_for_each_token_unless_merged() -> None:
    dora = {"use_dora": True}
    lengths = 4 * (4096**2 + 3 * 4096**2)
    work = "work of one layer"
    assert answering(model_peft=dora)[work] - answering()[work] == lengths
    assert answering(model_peft=dora, run_merge_lora=True)[work] == answering(run_merge_lora=True)[work]
    assert training(model_peft=dora)[work] - training()[work] == lengths
    assert training(model_peft=dora)[KEPT] > training()[KEPT]
