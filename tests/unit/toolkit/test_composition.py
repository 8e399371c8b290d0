"""Layers of a configuration, and what is said about its mistakes."""

from __future__ import annotations

import argparse

import pytest

from pefomed_plugin.errors import ConfigError, ToolkitError
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit.bundled.config import Config
from pefomed_plugin.toolkit.composition import load_yaml, parse_options

LEAST = """
model: {arch: minigpt_v2, lora_r: 16}
datasets: {vqa_rad: {batch_size: 3}}
run: {task: medical_vqa, output_dir: out}
"""


def config(tmp_path, text=LEAST, *options):
    register_all()
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return Config(argparse.Namespace(cfg_path=str(path), options=list(options)))


def test_defaults_then_yaml_then_options(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFOMED_DATA", "/data")
    cfg = config(tmp_path, LEAST, "model.lora_alpha=8", "datasets.vqa_rad.batch_size=5", "run.max_epoch=2")
    assert (cfg.model_cfg.lora_r, cfg.model_cfg.lora_alpha, cfg.model_cfg.image_size) == (16, 8, 448)
    assert (cfg.datasets_cfg.vqa_rad.batch_size, cfg.run_cfg.max_epoch) == (5, 2)
    assert cfg.datasets_cfg.vqa_rad.build_info.storage == "/data/vqa_rad"
    assert cfg.datasets_cfg.vqa_rad.vis_processor.eval.image_size == 448


def test_the_saved_configuration_names_variables_not_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFOMED_LLAMA", "/secret/folder")
    assert "/secret" not in str(config(tmp_path).to_dict())


def test_upstreams_way_of_writing_options():
    assert parse_options(["run.max_epoch", "3"]).run.max_epoch == 3


def test_mistyped_keys_are_reported_together_with_near_ones(tmp_path):
    text = LEAST.replace("lora_r", "lora_rank").replace("batch_size", "batchsize").replace("task", "tsak")
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, text)
    assert len(caught.value.problems) == 3
    assert "datasets.vqa_rad.batchsize: no such key; did you mean 'batch_size'?" in caught.value.problems
    assert any(problem.startswith("run.tsak: no such key; did you mean 'task'") for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {}\n", "no section 'datasets'"),
        ("[1]", "expected the sections"),
        ("model: [unclosed", "is not YAML"),
        (LEAST + "modle: {}\n", "did you mean 'model'"),
        ("model: {arch: minigpt_v2}\ndatasets: {}\nrun: {task: x, output_dir: o}", "no data set named"),
    ],
)
def test_files_that_are_no_configuration(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message):
        config(tmp_path, text)


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="no configuration file"):
        Config(argparse.Namespace(cfg_path=str(tmp_path / "no.yaml"), options=None))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("vqa_rad", "vqa_rda", "did you mean 'vqa_rad'"), ("minigpt_v2", "minigpt_2", "did you mean 'minigpt_v2'")],
)
def test_unknown_data_sets_and_models(tmp_path, old, new, message):
    with pytest.raises(ToolkitError, match=message):
        config(tmp_path, LEAST.replace(old, new))


@pytest.mark.parametrize("option", ["max_epoch=3", "runs.max_epoch=3", "run.max_epoch"])
def test_options_that_cannot_be_read(tmp_path, option):
    with pytest.raises(ConfigError, match="write it as section.key=value"):
        config(tmp_path, LEAST, option)


def test_shipped_yamls_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_yaml("train_configs/pefomed_stage2.yaml").run.task == "medical_vqa"
    with pytest.raises(ConfigError, match="no configuration file mine.yaml; shipped are .*/pefomed_stage1"):
        load_yaml("mine.yaml")
