"""Records keep every field through JSON and refuse what is not one."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Prediction, Sample, Score

SAMPLE = Sample(
    id="vqa_rad-1",
    dataset="vqa_rad",
    split="test",
    images=("a/b.jpg",),
    task="vqa",
    question="where?",
    answer="left",
    answer_type="OPEN",
    metadata={"source_id": 1, "study": {"name": "x"}},
)


def test_a_sample_survives_json_and_pickle():
    assert Sample.from_json(json.loads(json.dumps(SAMPLE.to_json()))) == SAMPLE
    assert pickle.loads(pickle.dumps(SAMPLE)) == SAMPLE


def test_a_prediction_is_the_samples_fields_plus_what_was_said():
    prediction = Prediction.of(SAMPLE, "right", {"model": "m"})
    assert Prediction.from_json(prediction.to_json()) == prediction
    assert list(prediction.to_json())[:-2] == list(SAMPLE.to_json())
    assert (prediction.prediction, prediction.producer) == ("right", {"model": "m"})
    assert prediction.sample == SAMPLE and type(prediction.sample) is Sample


def test_missing_and_unknown_fields_are_named_together():
    record = {**SAMPLE.to_json(), "qestion": "?"}
    del record["answer"], record["split"]
    with pytest.raises(ValueError, match="missing answer, split; unknown qestion"):
        Sample.from_json(record)


def test_a_sample_cannot_be_changed():
    with pytest.raises(AttributeError):
        SAMPLE.answer = "right"


def test_not_scored_is_null():
    assert Score("a", "gpt4", "1", None, "no answer").to_json()["value"] is None


def test_one_image_is_written_as_before_and_several_as_a_list():
    assert SAMPLE.to_json()["image"] == SAMPLE.images[0] and "images" not in SAMPLE.to_json()
    views = replace(SAMPLE, images=["frontal.png", "lateral.png"])
    assert views.images == ("frontal.png", "lateral.png")
    written = json.loads(json.dumps(views.to_json()))
    assert written["images"] == ["frontal.png", "lateral.png"] and "image" not in written
    assert Sample.from_json(written) == views
    assert [key.replace("images", "image") for key in written] == list(SAMPLE.to_json())


def test_views_name_the_images_and_are_not_guessed():
    several = replace(SAMPLE, images=("0.png", "1.png"))
    assert several.image_names == ("image 1", "image 2") and "views" not in several.to_json()
    named = replace(several, views=["frontal", "lateral"])
    assert named.image_names == ("frontal", "lateral")
    assert named.to_json()["views"] == ["frontal", "lateral"]
    assert Sample.from_json(json.loads(json.dumps(named.to_json()))) == named
    assert Prediction.of(named, "no", {}).sample == named


@pytest.mark.parametrize("views", ["frontal", ["frontal"], ["a", "a"], ["a", ""], ["a", 5]])
def test_views_that_do_not_name_each_image_are_refused(views):
    record = {**replace(SAMPLE, images=("0.png", "1.png")).to_json(), "views": views}
    with pytest.raises(ValueError, match="views must"):
        Sample.from_json(record)
    with pytest.raises(ValueError, match="views must"):
        replace(SAMPLE, images=("0.png", "1.png"), views=views)


@pytest.mark.parametrize("images", [[], "", [""], ["a.png", 5]])
def test_a_sample_without_images_is_refused(images):
    with pytest.raises(ValueError, match="one path or several"):
        replace(SAMPLE, images=images)


def test_what_takes_one_image_refuses_several():
    assert SAMPLE.only_image == SAMPLE.images[0]
    with pytest.raises(DataError, match=r"has 2 images \(a.png, b.png\)"):
        _ = replace(SAMPLE, images=("a.png", "b.png")).only_image
