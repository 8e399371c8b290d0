"""The five normalisations: what ours decides on the forty published cases, and what the others get wrong."""

from __future__ import annotations

import pytest

from pefomed_plugin.text import (
    NORMALISATIONS,
    normalise_clean,
    normalise_llava_med,
    normalise_mumc,
    normalise_pefomed,
    normalise_strict,
    normalise_vqav2,
    without_reasoning,
)

CLEAN_VERDICTS = [
    ("x-ray", "xray", True),
    ("x-ray", "x ray", True),
    ("X-Ray", "chest x-ray", False),
    ("yes", "Yes.", True),
    ("yes", "Yes, there is a fracture", False),
    ("no", "There is no pneumothorax", False),
    ("no", "Not seen", False),
    ("yes", "yes, a small nodule is present", False),
    ("no", "normal", False),
    ("left lung", "the left lung", True),
    ("left lung", "Left  Lung ", True),
    ("left lung", "left lung.", True),
    ("2", "two", True),
    ("0", "none", True),
    ("no", "none", False),
    ("11", "eleven", True),
    ("3.5 cm", "35 cm", False),
    ("3.5 cm", "3.5cm", True),
    ("1000 ml", "1,000 ml", True),
    ("1,000-ml bag", "1000-ml bag", True),
    ("right-sided", "right sided", True),
    ("right-sided", "right - sided", True),
    ("T2-weighted", "T2 weighted", True),
    ("t2-weighted", "t2weighted", True),
    ("lung, liver", "liver, lung", False),
    ("lung, liver", "lung,liver", True),
    ("lung and liver", "lung, liver", False),
    ("crohn's disease", "crohns disease", True),
    ("crohn's disease", "crohn\u2019s disease", True),
    ("hepatitis a", "hepatitis", False),
    ("a", "the", False),
    ("ct", "CT scan", False),
    ("both", "bilateral", False),
    ("pa view (posteroanterior)", "pa view posteroanterior", True),
    ("axial/transverse", "axial transverse", True),
    ("ring: enhancing", "ring enhancing", True),
    ("left\u00a0lung", "left lung", True),
    ("37\u00b0c", "37 c", False),
    ("caf\u00e9-au-lait", "cafe\u0301-au-lait", True),
    ("none", "", False),
]
"""Answer, prediction, equal under ``clean``: the forty cases in their published order, argued in the docs."""


@pytest.mark.parametrize(("answer", "prediction", "equal"), CLEAN_VERDICTS)
def test_clean_verdict_on_a_published_case(answer: str, prediction: str, equal: bool) -> None:
    assert (normalise_clean(answer) == normalise_clean(prediction)) is equal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (">3 cm", "<3 cm"),
        ("50%", "50"),
        ("-5 HU", "5 HU"),
        ("1:2", "1 2"),
        ("2-3 cm", "2 3 cm"),
        ("1/2", "1 2"),
        ("10\u00b2", "102"),
        ("1\u00bd", "11/2"),
        ("T1, T2", "T1-2"),
        ("1.5", "1,5"),
        ("type a dissection", "type dissection"),
        ("group a streptococcus", "group streptococcus"),
        ("?", "!"),
        ("12,34", "1234"),
        ("grade a. b", "grade ab"),
        ("a.bc", "abc"),
        ("T.1.2", "T12"),
        ("\u0915\u093f", "\u0915"),
    ],
)
def test_clean_keeps_apart_what_differs_in_meaning(one: str, other: str) -> None:
    assert normalise_clean(one) != normalise_clean(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5 \u2212 6", "5 - 6"),
        ("\u2212 5".replace(" ", ""), "-5"),
        ("T8\u2013T11", "T8-T11"),
        (".5 cm", "0.5 cm"),
        ("1\u00bd cm", "1 1/2 cm"),
        ("1,000,000", "1000000"),
        ("CT & MRI", "CT and MRI"),
        ("\uff21\uff30 view", "AP view"),
        ("soft\u00adtissue", "softtissue"),
        ("liver\u200b", "liver"),
        ("X rays", "x-rays"),
        ("A (small) nodule", "small nodule"),
        ("\u201cthe spleen\u201d", "spleen"),
        ("nodule of the lung", "nodule of lung"),
        ("There is a mass in a lung", "there is mass in lung"),
        ("NINETEEN", "19"),
        ("C.T.", "ct"),
        ("an M.R.I of the brain", "MRI of the brain"),
        ("given i.v.", "given IV"),
        ("stra\u00dfe", "strasse"),
    ],
)
def test_clean_evens_out_spelling(one: str, other: str) -> None:
    assert normalise_clean(one) == normalise_clean(other)


def test_clean_is_empty_for_blank_text_only() -> None:
    assert normalise_clean(" \t\n") == ""
    assert normalise_clean("...") == "..."


def test_strict_forgives_blanks_at_the_ends_only() -> None:
    assert normalise_strict(" Left lung\n") == "Left lung"
    assert normalise_strict("Left  lung.") == "Left  lung."


@pytest.mark.parametrize("normalise", [normalise_pefomed, normalise_vqav2, normalise_llava_med])
def test_mistakes_that_the_vqa_family_shares(normalise) -> None:  # type: ignore[no-untyped-def]
    assert normalise("hepatitis a") == "hepatitis"
    assert normalise("the") == normalise("a") == ""
    assert normalise("1,000-ml") == "1000ml"
    assert normalise("1000-ml") == "1000 ml"
    assert normalise(">3 cm") == normalise("<3 cm")
    assert normalise(". " * 40).count(".") == 8
    assert normalise("3. to 3.5") == "3 to 3.5"
    assert normalise("eleven") == "eleven"


def test_contractions_are_repaired_one_apostrophe_at_a_time() -> None:
    assert normalise_vqav2("dont") == "don't"
    assert normalise_vqav2("yall'd've") == normalise_vqav2("y'alld've") == "y'all'd've"
    assert normalise_vqav2("couldntve") == "couldntve"
    assert normalise_vqav2("somebody'd") == "somebodyd"
    assert normalise_vqav2("shes") == "shes"


def test_only_pefomed_joins_x_ray() -> None:
    assert normalise_pefomed("hex rays") == "hexrays"
    assert normalise_vqav2("x-ray") == normalise_llava_med("x-ray") == "x ray"


def test_line_ends_are_blanks_before_vqav2_looks_for_marks_beside_blanks() -> None:
    assert normalise_vqav2("a-b-\nc") == "ab c"
    assert normalise_pefomed("a-b-\nc") == "b c"


def test_mistakes_of_mumc() -> None:
    assert normalise_mumc("3.5 cm") == "35 cm"
    assert normalise_mumc("left lung ") != normalise_mumc("left lung")
    assert normalise_mumc("two") != normalise_mumc("2")


@pytest.mark.parametrize("name", sorted(NORMALISATIONS))
@pytest.mark.parametrize(
    "text", ["", "\ud800", "\u0000", "none", "a" * 10_000, "1" + ",000" * 500, "((((((" * 500, "the" + " " * 50_000]
)
def test_every_rule_takes_any_text(name: str, text: str) -> None:
    assert isinstance(NORMALISATIONS[name](text), str)


@pytest.mark.parametrize(
    "text", ["a5 mm", "the½", "hepatitis a", "an0.5 cm", "10²½a", "a.b℃", "the a⅓", "C.T. x-ray", ""]
)
def test_what_is_normal_stays_as_it_is(text: str) -> None:
    once = normalise_clean(text)
    assert normalise_clean(once) == once


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("\u25c1think\u25b7hm\u25c1/think\u25b7yes", "yes"),
        ("[THINK]hm[/THINK] yes", "yes"),
        ("a [think] that stays", "a [think] that stays"),
        ("<unused94>thought\nThe image shows<unused95>yes", "yes"),
        ("<unused94>thought\nThe image", None),
        ("\u25c1think\u25b7 The image", None),
        ("<think>hm</think><answer> yes </answer>", "yes"),
        ("<answer>yes", "yes"),
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>yes<|return|>", "yes"),
        ("<|channel|>analysis<|message|>The image", None),
        ("<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>yes<|END_RESPONSE|>", "yes"),
        ("<|begin_of_thought|>hm<|end_of_thought|>\n<|begin_of_solution|> yes <|end_of_solution|>", "yes"),
        ("<|begin_of_thought|> The image", None),
        ("<seed:think>hm</seed:think>yes", "yes"),
        ("<start_working_out>hm<end_working_out><SOLUTION>yes</SOLUTION>", "yes"),
        ("<REASONING>hm</REASONING><CONCLUSION>yes</CONCLUSION>", "yes"),
        ("yes</s>", "yes"),
        ("yes. <|im_end|>\n<|endoftext|>", "yes."),
        ("a < b </s> c", "a < b </s> c"),
        ("<answer>yes</answer></s>", "yes"),
        ("</s>", ""),
        ("<answer>no</answer> or <answer>yes</answer>", "<answer>no</answer> or <answer>yes</answer>"),
        ("It is <answer>yes</answer>", "It is <answer>yes</answer>"),
    ],
)
def test_marks_of_thoughts_and_of_the_answer(reply, said):
    """As the chat templates of Kimi, Magistral, MedGemma, gpt-oss, Command A, Sky-T1 and R1 write them."""
    assert without_reasoning(reply) == said
