"""Prompts, character by character: they are what the weights were trained with."""

from __future__ import annotations

from random import Random

import pytest

from pefomed_plugin.prompts import (
    CAPTION_INSTRUCTIONS,
    DEFAULT_STYLE,
    PROMPT_TEMPLATES,
    REPORT_INSTRUCTIONS,
    template_of,
    template_problems,
)


def prompt(task, question=None, rng=None):
    return DEFAULT_STYLE.user_turn(template_of(task).ask(question, rng))


def test_vqa():
    assert prompt("vqa", "Is there a fracture?") == (
        "[INST] <Img><ImageHere></Img> [vqa] Based on the image, respond to this question with a short answer: "
        "Is there a fracture? [/INST]"
    )


def test_report_in_evaluation_takes_the_first_of_the_pool():
    assert prompt("report") == (
        "[INST] <Img><ImageHere></Img> [report] Describe the given chest x-ray image in detail. [/INST]"
    )


def test_caption_in_evaluation_takes_the_first_of_the_pool():
    assert prompt("caption") == (
        "[INST] <Img><ImageHere></Img> [caption] Describe the given medical image in detail. [/INST]"
    )


@pytest.mark.parametrize(("task", "pool"), [("report", REPORT_INSTRUCTIONS), ("caption", CAPTION_INSTRUCTIONS)])
def test_training_draws_from_the_whole_pool(task, pool):
    drawn = {template_of(task).draw_instruction(rng=Random(seed)) for seed in range(200)}
    assert drawn == set(pool)


def test_no_prompt_holds_a_bos():
    assert "<s>" not in prompt("vqa", "why?")


def test_a_question_with_edge_blanks_and_braces():
    assert prompt("vqa", " what is {this} ? ").endswith("short answer: what is {this} ? [/INST]")


def test_a_question_cannot_claim_an_image():
    text = prompt("vqa", "what is <Img><ImageHere></Img> here?")
    assert text.count("<ImageHere>") == 1
    assert text.count("<Img>") == 1


@pytest.mark.parametrize("question", [None, "", "  "])
def test_a_vqa_sample_needs_a_question(question):
    with pytest.raises(ValueError, match="needs a question"):
        template_of("vqa").draw_instruction(question)


def test_unknown_task():
    with pytest.raises(ValueError, match="did you mean 'vqa'"):
        template_of("vga")


def test_a_template_names_itself_as_minigpt_v2_does():
    assert {task: template.name for task, template in PROMPT_TEMPLATES.items()} == {
        "caption": "[caption]",
        "vqa": "[vqa]",
        "report": "[report]",
    }
    assert all(template.name in template.template for template in PROMPT_TEMPLATES.values())
    assert [template.asks for template in PROMPT_TEMPLATES.values()] == [False, True, False]


@pytest.mark.parametrize(
    ("template", "lacking"),
    [
        ("[vqa] {instruction}", ["<Img><ImageHere></Img> (where the image goes) must be in it once"]),
        ("<Img><ImageHere></Img> [vqa]", ["{instruction} (where the instruction goes) must be in it once"]),
        ("<Img><ImageHere></Img> {instruction} {instruction}", ["{instruction} (where the instruction goes) must be "
                                                                "in it once"]),
        ("<Img><ImageHere></Img> [ask] {instruction}", []),
    ],
)  # fmt: skip
def test_a_template_needs_its_image_and_its_instruction_once(template, lacking):
    assert template_problems(template) == lacking
