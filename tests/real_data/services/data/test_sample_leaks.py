"""What training has of each sample of the published test sets, by the names of the images."""

from __future__ import annotations

from collections import Counter

from pefomed_plugin.readers import read_data
from pefomed_plugin.records import Prediction
from pefomed_plugin.scoring.breakdown import groups_of
from pefomed_plugin.services.data.sample_leaks import find_sample_leaks
from tests.real_data.data import real_data


def test_the_real_vqa_rad_parts_into_284_and_167() -> None:
    splits = read_data("vqa_rad", real_data("vqa_rad")).splits()
    leaks = find_sample_leaks(splits["test"], splits["train"], {})
    answers = [Prediction.of(sample, "", {}) for sample in leaks.attach(splits["test"])]
    assert Counter(group for answer in answers for group in groups_of(answer, "twin")) == {"yes": 284, "no": 167}
    assert {name: len(ids) for name, ids in leaks.found.items()} == {
        "twin": 284,
        "question_in_training": 14,
        "image_in_training": 451,
    }


def test_the_real_slake_is_not_said_to_be_free_of_leaks_without_its_images() -> None:
    splits = read_data("slake", real_data("slake")).splits()
    leaks = find_sample_leaks(splits["test"], splits["train"], {})
    assert leaks.found["image_in_training"] == [] and len(leaks.unknown["image_in_training"]) == 1061
