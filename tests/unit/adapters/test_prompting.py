"""Prompt templates: by name in the registry, replaced there or from the YAML, and the same object wherever one asks."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from pefomed_plugin.adapters.medical_model import MedicalModel, Request
from pefomed_plugin.adapters.prompting import (
    prompts_of,
    registered_templates,
    say_other_prompts,
    templates_for,
    trained_templates,
)
from pefomed_plugin.config.datasets import DatasetConfig, read_dataset_config
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.prompts import LLAMA2_CHAT, PROMPT_TEMPLATES
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import registry

OWN = "<Img><ImageHere></Img> [radiology] {instruction}"


@pytest.fixture(autouse=True)
def registered():
    """The registry as it was, behind a test that replaces something."""
    names = register_all()["prompt_template"]
    before = {name: registry.get(name) for name in names}
    yield names
    for name, template in before.items():
        registry.register(name, template)


def test_the_three_are_registered_by_name(registered):
    assert registered == ["[caption]", "[report]", "[vqa]"]
    assert [registry.get(name) for name in registered] == [
        PROMPT_TEMPLATES["caption"],
        PROMPT_TEMPLATES["report"],
        PROMPT_TEMPLATES["vqa"],
    ]


def test_one_that_was_replaced_stays_and_is_what_data_sets_and_chat_ask_with():
    mine = replace(PROMPT_TEMPLATES["vqa"], pool=("Answer in one word: {question}",))
    registry.register("[vqa]", mine)
    register_all()
    assert registry.get("[vqa]") is mine
    assert templates_for("vqa_rad", DatasetConfig(), ["vqa"])["vqa"] is mine
    assert model().templates["vqa"] is mine
    assert model().prompt(Request("x", "vqa", "Why?")).endswith("[vqa] Answer in one word: Why? [/INST]")


def test_something_else_under_such_a_name_is_refused():
    registry.register("[report]", "Describe it.")
    with pytest.raises(ConfigError, match=r"\[report\]: 'Describe it.' is no pefomed_plugin.prompts.PromptTemplate"):
        registered_templates()


def model(templates=None):
    network = torch.nn.Module()
    network.device, network.prompt_style = torch.device("cpu"), LLAMA2_CHAT
    network.prompt_template, network.max_context_len = LLAMA2_CHAT.turn, 3800
    return MedicalModel(network, 56, {}, templates=templates)


def settings(**values):
    return read_dataset_config("vqa_rad", values)


def test_the_yaml_of_a_data_set_replaces_template_and_pool():
    found = templates_for(
        "vqa_rad", settings(prompt_template=OWN, prompt_pool=["{question}", "Say: {question}"]), ["vqa", "vqa"]
    )
    assert found["vqa"].ask(" Why? ") == "<Img><ImageHere></Img> [radiology] Why?"
    assert found["report"] is registry.get("[report]")
    only_text = templates_for("vqa_rad", settings(prompt_template=OWN), ["vqa"])["vqa"]
    assert only_text.pool is registry.get("[vqa]").pool


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt_template": "[vqa] {instruction}"}, "prompt_template: <Img><ImageHere></Img> .where the image goes."),
        ({"prompt_pool": []}, "prompt_pool: an empty instruction, or none"),
        ({"prompt_pool": ["{question}", " "]}, "prompt_pool: an empty instruction, or none"),
    ],
)
def test_a_prompt_that_cannot_be_asked_is_refused_with_the_yaml(values, message):
    with pytest.raises(ConfigError, match=message):
        settings(**values)


@pytest.mark.parametrize(
    ("tasks", "pool", "message"),
    [
        (["vqa"], ["Describe it."], "vqa samples: every instruction needs {question}"),
        (["vqa"], ["{question}", "Describe it."], "vqa samples: every instruction needs {question}"),
        (["report"], ["Describe it: {question}"], "report samples: no instruction may have {question}"),
        (["vqa", "report"], ["{question}"], "replace the prompt of one task, and its samples are report and vqa"),
    ],
)
def test_a_pool_that_does_not_fit_the_samples(tasks, pool, message):
    with pytest.raises(ConfigError, match=message):
        templates_for("vqa_rad", settings(prompt_pool=pool), tasks)


def asked_with(**templates):
    samples = [SimpleNamespace(task=task) for task in templates]
    return SimpleNamespace(name="invented", templates={**registered_templates(), **templates}, samples=samples)


def test_a_checkpoint_is_asked_with_what_it_was_trained_with(capsys):
    own = replace(PROMPT_TEMPLATES["vqa"], template=OWN)
    recorded = prompts_of([asked_with(vqa=own), asked_with(vqa=own, report=PROMPT_TEMPLATES["report"])])
    assert recorded == {"vqa": [own.to_json()], "report": [PROMPT_TEMPLATES["report"].to_json()]}
    templates = trained_templates(recorded, "a.pth")
    assert templates == {**registered_templates(), "vqa": own}
    assert templates["report"] is registry.get("[report]")
    assert "a.pth: trained with a prompt of its own for [vqa]" in capsys.readouterr().out
    assert model(templates).prompt(Request("x", "vqa", "Why?")).startswith("[INST] <Img><ImageHere></Img> [radiology]")


@pytest.mark.parametrize("recorded", [None, {}, {"vqa": [PROMPT_TEMPLATES["vqa"].to_json()]}])
def test_a_checkpoint_that_says_nothing_else_is_asked_with_the_registered_ones(recorded, capsys):
    assert trained_templates(recorded, "a.pth") == registered_templates()
    assert capsys.readouterr().out == ""


def test_two_prompts_of_one_task_are_said():
    own = replace(PROMPT_TEMPLATES["vqa"], template=OWN)
    recorded = prompts_of([asked_with(vqa=own), asked_with(vqa=PROMPT_TEMPLATES["vqa"])])
    assert trained_templates(recorded, "a.pth")["vqa"] is registry.get("[vqa]")


def test_evaluation_that_asks_otherwise_than_training_is_warned_of(capsys):
    own = replace(PROMPT_TEMPLATES["vqa"], template=OWN)
    recorded = prompts_of([asked_with(vqa=own)])
    say_other_prompts(recorded, [asked_with(vqa=own, report=PROMPT_TEMPLATES["report"])], "a.pth")
    assert capsys.readouterr().out == "", "the report's prompt was not trained at all"
    say_other_prompts(recorded, [asked_with(vqa=PROMPT_TEMPLATES["vqa"])], "a.pth")
    assert f"warning: a.pth learnt [vqa] as {OWN!r}" in capsys.readouterr().out
