"""Words are true of the scene: captions, reports, questions and their answers."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from pefomed_plugin.embedded.questions import TEXTS, Question, paraphrase, presence, questions
from pefomed_plugin.embedded.scenes import (
    ABDOMEN,
    CHEST,
    FINDINGS,
    HEAD_CT,
    HEAD_MRI,
    LATERAL,
    RADIOLOGY,
    TISSUE,
    Scene,
    draw_scenes,
)
from pefomed_plugin.embedded.wording import MODALITY, REGION, caption, describe, finding_color, location, report

LEFT_MASS = Scene(CHEST, 1, finding="mass", side="left", enlarged=True)
ALL_FINDINGS = {finding for findings in FINDINGS.values() for finding in findings}


def some_scenes(count=200, seed=0):
    return draw_scenes(tuple(sorted(FINDINGS)), count, Random(seed))


def asked(scene, question_type, answer_type):
    """Answers that ``questions`` gives over many draws."""
    return {
        question.answer
        for seed in range(40)
        for question in questions(scene, Random(seed))
        if (question.question_type, question.answer_type) == (question_type, answer_type)
    }


@pytest.mark.parametrize(
    ("scene", "place", "color"),
    [
        (LEFT_MASS, "left lung", "white"),
        (Scene(CHEST, 1, finding="fracture", side="right"), "right clavicle", "white"),
        (Scene(ABDOMEN, 1, finding="cyst", organ="spleen"), "spleen", "black"),
        (Scene(HEAD_CT, 1, finding="infarct", side="left"), "left brain", "black"),
        (Scene(HEAD_MRI, 1, finding="infarct", side="left"), "left brain", "white"),
        (Scene(HEAD_MRI, 1, finding="tumor", side="right"), "right brain", None),
        (Scene(TISSUE, 1, finding="fat", stain="pink", glands=1), "center", None),
        (Scene(CHEST, 1), None, None),
    ],
)
def test_place_and_color_of_a_finding(scene, place, color):
    assert (location(scene), finding_color(scene)) == (place, color)


def test_a_caption_word_for_word():
    assert caption(LEFT_MASS, Random(1)) in {
        f"Frontal x-ray of the chest {verb} a mass in the left lung. The heart is enlarged."
        for verb in ("shows", "showing")
    }


def test_a_report_word_for_word():
    assert report(Scene(CHEST, 1, finding="effusion", side="right"), Random(0)).startswith(
        "The heart is normal. The lungs are clear. There is a pleural effusion on the right. "
    )


@pytest.mark.parametrize("words", [caption, describe])
def test_words_name_the_finding_its_place_and_no_other(words):
    for number, scene in enumerate(some_scenes()):
        text = words(scene, Random(number)).lower()
        named = {finding for finding in ALL_FINDINGS if f" {finding} " in f" {text.replace(',', ' ')} "}
        assert named == ({scene.finding} if scene.finding else set())
        assert str(location(scene) or "no lesion") in text
        assert REGION[scene.kind] in text
        assert ("enlarged" in text) == scene.enlarged


def test_a_report_speaks_of_one_side_only_and_of_every_chest_finding():
    for number, scene in enumerate(draw_scenes((CHEST, LATERAL), 200, Random(3))):
        text = report(scene, Random(number))
        other = {"left": "right", "right": "left", None: "left"}[scene.side]
        assert other not in text and ("heart is enlarged" in text) == scene.enlarged
        assert ("fracture of" in text) == (scene.finding == "fracture")
        assert ("is a pleural effusion" in text) == (scene.finding == "effusion")
        assert ("lungs are clear" in text) == (scene.finding not in ("opacity", "mass"))


def test_answers_are_those_of_the_scene():
    for number, scene in enumerate(some_scenes()):
        truth = {
            "MODALITY": MODALITY[scene.kind],
            "ORGAN": REGION[scene.kind],
            "POS": location(scene),
            "ABN": scene.finding or "none",
            "COUNT": str(scene.glands),
            "COLOR": scene.stain if scene.kind == TISSUE else finding_color(scene),
        }
        for question in questions(scene, Random(number)):
            if question.answer_type == "OPEN":
                assert question.answer == truth[question.question_type]


def test_yes_and_no_are_true():
    assert asked(LEFT_MASS, "SIZE", "CLOSED") == {"yes"}
    assert asked(LEFT_MASS, "ABN", "CLOSED") == {"no"}
    assert asked(Scene(CHEST, 1), "ABN", "CLOSED") == {"yes"}
    for named in FINDINGS[CHEST]:
        question = presence(LEFT_MASS, named, Random(0))
        assert question.answer == ("yes" if named == "mass" else "no")
        assert named in question.text


def test_articles():
    texts = {presence(Scene(kind, 1), each, Random(0)).text for kind in FINDINGS for each in FINDINGS[kind]}
    assert {"Does the image show an opacity?", "Does the image show a mass?", "Does the image show fat?"} <= texts


def test_guessing_does_not_pay():
    """The most frequent answer to each question, known beforehand, is right in less than half of the cases."""
    answers = {}
    for number, scene in enumerate(draw_scenes(RADIOLOGY, 1500, Random(8))):
        for question in questions(scene, Random(number))[:3]:
            answers.setdefault((question.question_type, question.answer_type), Counter())[question.answer] += 1
    for (kind, answer_type), counts in answers.items():
        if answer_type == "CLOSED":
            assert 0.35 < counts["yes"] / sum(counts.values()) < 0.65, kind
    total = sum(sum(answer.values()) for answer in answers.values())
    assert sum(max(answer.values()) for answer in answers.values()) / total < 0.45
    assert 0.2 < sum(sum(answer.values()) for (_, kind), answer in answers.items() if kind == "CLOSED") / total < 0.45


def test_a_paraphrase_asks_the_same_in_other_words():
    for kind, variants in TEXTS.items():
        for wordings in variants.values():
            for text in wordings:
                other = paraphrase(text)
                assert other in wordings
                assert (other != text) == (len(wordings) > 1), kind


def test_questions_are_deterministic():
    assert questions(LEFT_MASS, Random(3)) == questions(LEFT_MASS, Random(3))
    assert all(isinstance(question, Question) for question in questions(LEFT_MASS, Random(3)))
