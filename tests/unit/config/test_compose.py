"""Layers of a configuration, and what is said about its mistakes."""

from __future__ import annotations

import argparse
import re

import pytest
import yaml

from pefomed_plugin.adapters.training.strategies import STRATEGIES
from pefomed_plugin.cli import main
from pefomed_plugin.config.compose import compose_config
from pefomed_plugin.config.datasets import Limit
from pefomed_plugin.config.given import given_twice, load_yaml, parse_options
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import registry
from pefomed_plugin.toolkit.bundled.config import Config

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
    assert len(caught.value.problems) == 4
    assert "run.task: missing" in caught.value.problems
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
    [
        ("vqa_rad", "vqa_rda", "did you mean 'vqa_rad'"),
        ("vqa_rad", "VQA_RAD", "did you mean 'vqa_rad'"),
        ("minigpt_v2", "minigpt_2", "did you mean 'minigpt_v2'"),
    ],
)
def test_unknown_data_sets_and_models(tmp_path, old, new, message):
    with pytest.raises(ConfigError, match=message):
        config(tmp_path, LEAST.replace(old, new))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["max_epoch=3"], "'max_epoch=3': write it as section.key=value, such as run.max_epoch=3"),
        (["lora_r=3"], "such as model.lora_r=3"),
        (["nothing=3"], "'nothing=3': write it as section.key=value"),
        (["runs.max_epoch=3"], "no section 'runs'; did you mean 'run'?"),
        (["run.max_epoch"], "'run.max_epoch': it has no value; write it as section.key=value"),
        (["run=3"], "'run=3': a whole section; write it as section.key=value"),
        (["run.max_epoch", "=", "3"], "without blanks around the ="),
        (["run.max_epoch=", "3"], "'3': write it as section.key=value, without blanks around the ="),
    ],
)
def test_options_that_cannot_be_read(tmp_path, options, told):
    with pytest.raises(ConfigError, match=re.escape(told)):
        config(tmp_path, LEAST, *options)


def test_an_option_twice_is_told_and_the_last_is_used(tmp_path, capsys):
    options = ["run.max_epoch=3", "run.seed=1", "run.max_epoch=4", "run.seed=1"]
    assert config(tmp_path, LEAST, *options).run_cfg.max_epoch == 4
    told = "--options run.max_epoch is given 2 times; the last is used: 4"
    assert given_twice(options) == [told] == given_twice(["run.max_epoch", "3", "run.max_epoch", "4"])
    assert main(["estimate", "--cfg-path", "nowhere.yaml", "--options", *options]) == 2
    assert capsys.readouterr().err.startswith(told + "\n")


def test_a_file_that_is_none_is_told_with_what_is_meant(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes(f"# f\u00fcr\n{LEAST}".encode("latin-1"))
    for name, told in (
        (str(path), "latin.yaml: byte 3 is not UTF-8; convert the file"),
        (str(tmp_path), "is a folder; name the YAML of a run in it"),
        ("train_configs/pefomed_stage3.yaml", "did you mean train_configs/pefomed_stage"),
        ("nothing-like-it", "shipped are eval_configs/"),
    ):
        with pytest.raises(ConfigError, match=re.escape(told)):
            load_yaml(name)


def test_an_embedded_section_names_data_sets_of_the_run(tmp_path):
    text = LEAST + "embedded: {datasets: {vqa_rda: {batch_size: 2}}}\n"
    with pytest.raises(ConfigError, match=r"embedded.datasets.vqa_rda: the YAML has no .* did you mean 'vqa_rad'"):
        config(tmp_path, text)


@pytest.mark.parametrize("number", ["042", "1:30", "-007"])
def test_numbers_that_yaml_reads_to_another_base_are_refused(tmp_path, number):
    """042 would be 34, and 1:30 would be 90."""
    with pytest.raises(ConfigError, match=f"run.yaml, line .*YAML reads {number} as a number to the base"):
        config(tmp_path, LEAST + f"evaluation_datasets: {{vqa_rad: {{seed: {number}}}}}\n")
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, LEAST, f"run.seed={number}")
    assert f"YAML reads {number} as a number to the base" in caught.value.problems[0]
    assert config(tmp_path, LEAST, f"run.output_dir={number}").run_cfg.output_dir == number


def test_aliases_that_would_fill_memory_are_refused(tmp_path):
    bomb = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    with pytest.raises(ConfigError, match="more than 100,000 values"):
        config(tmp_path, LEAST + bomb)


def composed(tmp_path, text=LEAST, *options, **environ):
    register_all()
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return compose_config(str(path), options, registry, STRATEGIES, environ, nothing_has_to_be_set=True)


def test_the_keys_that_the_user_set_are_told_from_defaults(tmp_path):
    found = composed(tmp_path, LEAST, "run.max_epoch=2", "datasets.vqa_rad.limit.test=3")
    assert found.given == {
        "model.arch",
        "model.lora_r",
        "datasets.vqa_rad.batch_size",
        "datasets.vqa_rad.limit.test",
        "run.task",
        "run.output_dir",
        "run.max_epoch",
    }
    configuration = found.configuration
    assert (configuration.model.lora_r, configuration.model.lora_alpha) == (16, None), "null: as the checkpoint says"
    assert configuration.datasets["vqa_rad"].limit == Limit(test=3)
    assert (configuration.run.max_epoch, configuration.datasets["vqa_rad"].seed) == (2, 42)


FOUR = """
model: {arch: minigpt_v2}
datasets: {vqa_rad: {passes: "${run.max_epoch}"}, slake: {passes: "${run.max_epoch}"}}
run: {task: medical_vqa, output_dir: out, max_epoch: 5}
embedded: {datasets: {slake: {batch_size: 32}}}
"""


def test_one_data_set_takes_the_place_of_all_others(tmp_path):
    nulls = ["datasets.slake=null", "datasets.vqa_rad=null"]
    found = composed(tmp_path, FOUR, *nulls, "datasets.medical_custom.build_info.storage=own", PEFOMED_LLAMA="embedded")
    assert list(found.configuration.datasets) == ["medical_custom"] and found.left_out == ("slake", "vqa_rad")


def test_a_data_set_is_left_out_by_null(tmp_path):
    found = composed(tmp_path, FOUR, "datasets.slake=null", PEFOMED_LLAMA="embedded")
    assert list(found.configuration.datasets) == ["vqa_rad"]
    assert found.left_out == ("slake",)
    assert "slake" not in found.text
    assert "slake" not in str(found.given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["datasets.slaek=null"], "datasets.slaek=null: the YAML has no such data set; did you mean 'slake'?"),
        (["datasets.slake=null", "datasets.vqa_rad=null"], "datasets: slake, vqa_rad left out, and no other is there"),
    ],
)
def test_a_data_set_that_cannot_be_left_out(tmp_path, options, message):
    with pytest.raises(ConfigError) as caught:
        composed(tmp_path, FOUR, *options)
    assert caught.value.problems == (message,)


def test_a_bare_name_in_the_yaml_is_neither_a_data_set_nor_left_out(tmp_path):
    with pytest.raises(ConfigError, match="datasets.slake: nothing behind it; write slake: {} for its defaults"):
        composed(tmp_path, "model: {arch: minigpt_v2}\ndatasets:\n  slake:\nrun: {task: x, output_dir: o}\n")


def test_passes_follow_the_epochs_unless_they_are_said(tmp_path):
    datasets = composed(tmp_path, FOUR, "run.max_epoch=7", "datasets.slake.passes=2.5").configuration.datasets
    assert {name: section.passes for name, section in datasets.items()} == {"vqa_rad": 7.0, "slake": 2.5}


def test_paths_are_filled_in_and_the_text_keeps_names(tmp_path):
    found = composed(tmp_path, LEAST, PEFOMED_DATA="/data/${odd}")
    assert found.configuration.datasets["vqa_rad"].build_info.storage == "/data/${odd}/vqa_rad"
    assert found.configuration.model.llama_model is None
    assert "/data" not in found.text


def test_mistakes_of_all_sections_come_in_one_error(tmp_path):
    with pytest.raises(ConfigError) as caught:
        composed(
            tmp_path,
            LEAST.replace("lora_r: 16", "decoder: pakced, vit: {dpth: 2}"),
            "datasets.vqa_rad.missing_images=ignore",
            "datasets.vqa_rda.batch_size=1",
            "datasets.vqa_rad.images.background=[300,0,0]",
            "run.max_epoch=0",
        )
    assert sorted(caught.value.problems) == [
        "datasets.vqa_rad.images.background: 300 is more than 255",
        "datasets.vqa_rad.missing_images: 'ignore' is none of error, skip",
        "datasets.vqa_rda: no builder is registered as 'vqa_rda'; did you mean 'vqa_rad'?",
        "model.decoder: 'pakced' is none of packed, plain",
        "model.vit.dpth: no such key; did you mean 'depth'?",
        "run.max_epoch: 0 is less than 1",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["run.strategy=fdsp"], "run.strategy: 'fdsp' is no training strategy; did you mean 'fsdp'?"),
        (["run.strategy=fsdp", "run.test_splits=[test]"], "run.strategy: fsdp only trains"),
        (
            ["run.merge_lora=true", "run.test_splits=[test]", "model.low_resource=true"],
            "run.merge_lora: weights in 8bit cannot take LoRA up",
        ),
        (["run.strategy=fsdp", "model.low_resource=true"], "run.strategy: fsdp cannot spread quantised weights"),
        (["run.strategy=fsdp", "run.questions_per_image=auto"], "run.strategy: fsdp takes each question alone"),
        (
            ["model.decoder=plain", "run.drafts=training_answers", "run.test_splits=[test]"],
            "run.drafts: training_answers: model.decoder: plain reads no guesses; set model.decoder=packed",
        ),
        (
            ["model.decoder=plain", "run.questions_per_image=8"],
            "run.questions_per_image: 8: model.decoder: plain takes",
        ),
        (["datasets.slake.passes=3"], "datasets.*.passes: set, but not for vqa_rad; set it for all or none"),
        (
            ["datasets.vqa_rad.passes=3", "datasets.vqa_rad.sample_ratio=2"],
            "datasets.vqa_rad.sample_ratio: 2 beside passes, which says how often it comes; leave one of them out",
        ),
        (["datasets.vqa_rad.passes=0"], "datasets.*.passes: 0 for every data set"),
        (["datasets.vqa_rad.sample_ratio=0"], "datasets.*.sample_ratio: 0 for every data set"),
        (
            ["datasets.vqa_rad.sample_ratio=equal"],
            "datasets.vqa_rad.sample_ratio: expected a number, found 'equal'",
        ),
        (["run.evaluate=true"], "the run neither trains nor answers"),
        (["model.freeze_vit=false"], "model.freeze_vit: the vision encoder is never trained"),
        (["model.low_resource=true", "model.llm_quantization=4bit"], "leave one of them out"),
    ],
)
def test_parts_that_do_not_go_together(tmp_path, options, message):
    with pytest.raises(ConfigError) as caught:
        composed(tmp_path, LEAST, *options)
    assert message in "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("written", "folder"),
    [("out/a #1", "out/a #1"), ("2024", "2024"), ("a: b", "a: b"), ("'quoted'", "quoted"), ("a=b", "a=b")],
)
def test_text_is_taken_as_it_stands(tmp_path, written, folder):
    """Everything behind `` #`` was taken for a comment."""
    found = composed(tmp_path, LEAST, "run.output_dir=" + written)
    assert found.configuration.run.output_dir == folder
    assert yaml.safe_load(found.text)["run"]["output_dir"] == folder


def test_shipped_yamls_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_yaml("train_configs/pefomed_stage2.yaml").run.task == "medical_vqa"
    with pytest.raises(ConfigError, match="no configuration file mine.yaml; shipped are .*/pefomed_stage1"):
        load_yaml("mine.yaml")
