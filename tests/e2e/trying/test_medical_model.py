"""A model that is asked: kinds of images, lists, streams, settings."""

from __future__ import annotations

import numpy as np
import pytest

from pefomed_plugin.adapters.medical_model import Request
from pefomed_plugin.errors import ConfigError, ImageError
from pefomed_plugin.services.images.decoding import ImagePolicy
from tests.unit.services.images.test_dicom import write as write_dicom
from tests.unit.services.small import small_image

QUESTIONS = ["Is there a fracture?", "Which side is the tube on?", "What is shown?"]


def test_path_image_and_array_are_one_image(model, scans):
    path = scans / "a.png"
    answers = {model.ask(each, QUESTIONS[0]) for each in (path, str(path), small_image(1), np.asarray(small_image(1)))}
    assert len(answers) == 1


def test_a_dicom_file_is_shown_as_it_is_meant(model, tmp_path):
    pytest.importorskip("pydicom")
    grey = np.asarray(small_image(1).convert("L"))
    shown = grey - grey.min()
    write_dicom(tmp_path / "IM0001", grey.astype(np.uint16) * 10)
    stretched = np.rint(shown * (255 / shown.max())).astype(np.uint8)
    assert model.caption(tmp_path / "IM0001", max_new_tokens=12) == model.caption(stretched, max_new_tokens=12)


def test_lists_answer_as_one_by_one(model, scans):
    a, b = scans / "a.png", scans / "old" / "b.jpg"
    one_by_one = [[model.ask(image, question) for question in QUESTIONS] for image in (a, b)]
    assert model.ask(a, QUESTIONS) == one_by_one[0]
    assert model.ask([a, b], QUESTIONS[0]) == [one_by_one[0][0], one_by_one[1][0]]
    assert model.ask([a, b], QUESTIONS[1:]) == [one_by_one[0][1], one_by_one[1][2]]
    assert model.report([a, b], max_new_tokens=12) == [model.report(each, max_new_tokens=12) for each in (a, b)]
    assert model.ask([], QUESTIONS[0]) == []


def test_an_image_with_many_questions_is_encoded_once(model, scans):
    before = model.network.vit_forwards
    model.ask(scans / "a.png", QUESTIONS)
    assert model.network.vit_forwards == before + 1


def test_images_that_are_shown_together(model, scans, capsys):
    a, b = scans / "a.png", scans / "old" / "b.jpg"
    both, other = {"frontal": a, "lateral": b}, {"frontal": b, "lateral": a}
    assert "[INST] frontal: <Img><ImageHere></Img> lateral: <Img><ImageHere></Img> [vqa] " in model.prompt(
        Request(both, "vqa", QUESTIONS[0])
    )
    before = model.network.vit_forwards
    answers = model.ask(both, QUESTIONS)
    assert model.network.vit_forwards == before + 2
    assert answers == [model.ask(both, question) for question in QUESTIONS]
    assert model.ask([both, a, other], QUESTIONS[0]) == [model.ask(shown, QUESTIONS[0]) for shown in (both, a, other)]
    assert len({model.report(shown, max_new_tokens=12) for shown in (a, both, other)}) == 3
    assert model.ask({"frontal": a}, QUESTIONS[0]) == model.ask(a, QUESTIONS[0])
    *_, last = model.stream(Request(both, "vqa", QUESTIONS[0]))
    assert last == answers[0]
    said = capsys.readouterr().out
    assert said.count("does not say that it learnt vqa prompts of 2 images") == 1
    assert said.count("does not say that it learnt report prompts of 2 images") == 1


@pytest.mark.parametrize("shown", [{}, {"": "a.png"}, {5: "a.png"}])
def test_images_that_are_shown_together_need_names(model, shown):
    with pytest.raises(ConfigError, match="need names"):
        model.ask(shown, QUESTIONS[0])


def test_more_images_than_a_prompt_has_room_for(model, scans):
    limit, model.network.max_context_len = model.network.max_context_len, 60
    try:
        assert model.ask(scans / "a.png", QUESTIONS[0])
        with pytest.raises(ConfigError, match=r"3 images make a prompt of \d+ tokens, and the model takes 60"):
            model.ask({name: scans / "a.png" for name in ("one", "two", "three")}, QUESTIONS[0])
    finally:
        model.network.max_context_len = limit


def test_batches_change_no_answer(model, scans):
    requests = [Request(scans / "a.png", "vqa", question) for question in QUESTIONS] + [
        Request(scans / "a.png", "report")
    ]
    together = model.answer(requests, 12)
    model.batch_size = 2
    assert model.answer(requests, 12) == together
    model.batch_size = 8


def test_requests_are_taken_as_there_is_room_and_those_of_an_image_together(model, scans):
    taken = []
    images = ["a.png"] * 5 + ["old/b.jpg", "a.png", "old/b.jpg"]

    def requests():
        for number, image in enumerate(images):
            taken.append(number)
            yield Request(scans / image, "vqa", QUESTIONS[number % 3])

    expected = [model.ask(scans / image, QUESTIONS[number % 3]) for number, image in enumerate(images)]
    before = model.network.vit_forwards
    ended = model.answers(requests(), 3)
    found = [next(ended)]
    assert len(taken) < len(images)
    found += ended
    assert dict(found) == dict(enumerate(expected)) and len(found) == len(images)
    assert model.network.vit_forwards - before == 5  # 3 and 2 of the first, and one for each other
    assert list(model.answers([], 3)) == []


@pytest.mark.parametrize("request_", [Request("", "vqa", QUESTIONS[0]), Request("", "caption")])
def test_a_stream_ends_with_the_answer(model, scans, request_):
    request_ = request_._replace(image=scans / "a.png")
    texts = list(model.stream(request_, 12))
    assert 1 < len(texts) <= 12
    assert texts[-1] == model.answer([request_], 12)[0]


def test_prompts_are_those_of_training(model):
    start = "[INST] <Img><ImageHere></Img> "
    assert model.prompt(Request("x", "report")) == (
        start + "[report] Describe the given chest x-ray image in detail. [/INST]"
    )
    assert model.prompt(Request("x", "caption", " Name  the organ. ")) == start + "[caption] Name the organ. [/INST]"
    assert "< Img >" in model.prompt(Request("x", "vqa", "What is <Img>?"))


def test_the_limit_of_an_answer(model, scans):
    assert len(model.report(scans / "a.png", max_new_tokens=2)) < len(model.report(scans / "a.png", max_new_tokens=30))


@pytest.mark.parametrize(
    ("arguments", "told"), [((["a", "b"], ["q"]), "2 images and 1 questions"), (("a", "  "), "an empty question")]
)
def test_what_cannot_be_asked(model, arguments, told):
    with pytest.raises(ConfigError, match=told):
        model.ask(*arguments)
    with pytest.raises(ConfigError, match="no task 'reprot'; did you mean 'report'"):
        model.answer([Request("a", "reprot")])


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("nowhere.png", "no such file"),
        (np.zeros((2, 3, 4, 5)), "give \\(height, width\\)"),
        (7, "no image"),
        (np.zeros((0, 3)), "no image"),
    ],
)
def test_what_is_no_image(model, image, told):
    with pytest.raises(ImageError, match=told):
        model.ask(image, QUESTIONS[0])


def test_a_folder_is_no_image(model, scans):
    with pytest.raises(ImageError, match="pefomed predict --images takes a folder"):
        model.caption(scans)


def test_the_policy_chooses_a_frame(model, tmp_path):
    path = tmp_path / "two.gif"
    small_image(1).save(path, save_all=True, append_images=[small_image(2)])
    with pytest.raises(ImageError, match="several frames"):
        model.ask(path, QUESTIONS[0])
    model.policy = ImagePolicy(frame=1)
    assert isinstance(model.ask(path, QUESTIONS[0]), str)
    model.policy = ImagePolicy()
