"""What training has of each sample: each finding is true, false or not told, and never guessed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Prediction
from pefomed_plugin.scoring.breakdown import groups_of
from pefomed_plugin.scoring.leaks import LEAKS, SampleLeaks, read_leaks, samples_digest, with_leaks, write_leaks
from pefomed_plugin.services.data.sample_leaks import find_sample_leaks, note_leaks
from pefomed_plugin.services.images.fingerprints import Fingerprint

from ..small import sample

PRINTS = {
    "a.png": Fingerprint("1" * 64, "f" * 16),
    "again.png": Fingerprint("1" * 64, "f" * 16),
    "alike.png": Fingerprint("2" * 64, "f" * 16),
    "other.png": Fingerprint("3" * 64, "0" * 16),
}


def found(held_out, train, prints=PRINTS):
    leaks = find_sample_leaks(held_out, train, prints)
    return [dict(each.metadata["leaks"]) for each in leaks.attach(held_out)], leaks


def test_content_tells_images_apart_and_not_their_names() -> None:
    train = [sample(1, image="a.png", question="Q?")]
    held_out = [
        sample(2, "test", image="again.png", question="q?"),
        sample(3, "test", image="alike.png", question="Q?"),
        sample(4, "test", image="other.png", question="Q?"),
    ]
    verdicts, _ = found(held_out, train)
    assert [each["image_in_training"] for each in verdicts] == [True, False, False]
    assert [each["near_duplicate"] for each in verdicts] == [False, True, False]
    assert [each["question_in_training"] for each in verdicts] == [True, False, False]
    assert [groups_of(_answer(each), "leak") for each in found(held_out, train)[1].attach(held_out)] == [
        ("same question",),
        ("near duplicate",),
        ("none found",),
    ]


def _answer(of):
    return Prediction.of(of, "x", {})


def test_of_several_images_one_is_enough() -> None:
    train = [sample(1, image="a.png")]
    (verdict,), _ = found([replace(sample(2, "test"), images=("other.png", "again.png"))], train)
    assert verdict["image_in_training"] is True and verdict["near_duplicate"] is False


def test_what_cannot_be_told_is_not_told() -> None:
    train = [sample(1, image="a.png", question="Q?"), sample(5, image="gone.png", question="R?")]
    verdicts, leaks = found([sample(2, "test", image="other.png", question="Q?")], train)
    assert verdicts == [{}] and set(leaks.unknown) == {
        "image_in_training",
        "near_duplicate",
        "question_in_training",
    }
    # a question that no training row asks is in none of them, whatever it is about
    assert found([sample(2, "test", image="other.png", question="S?")], train)[0][0] == {"question_in_training": False}


def test_studies_and_patients() -> None:
    train = [sample(1, image="a.png", metadata={"study": "s1", "subject": 7})]
    held_out = [
        sample(2, "test", image="other.png", metadata={"study": "s1", "subject": 7}),
        sample(3, "test", image="other.png", metadata={"study": "s2", "subject": "7"}),
        sample(4, "test", image="other.png", metadata={"study": "s3"}),
    ]
    verdicts, _ = found(held_out, train)
    assert [each["study_in_training"] for each in verdicts] == [True, False, False]
    assert [each.get("patient_in_training") for each in verdicts] == [True, True, None]


def test_what_is_at_hand_is_noted_and_what_was_opened_is_kept(tmp_path) -> None:
    held_out, train = [sample(2, "test", image="b.png")], [sample(1, image="a.png")]
    assert "not examined" in note_leaks(tmp_path, held_out, [], None) and read_leaks(tmp_path) is None
    assert "not told of up to 1" in note_leaks(tmp_path, held_out, train, None)
    opened = find_sample_leaks(held_out, train, {"a.png": PRINTS["a.png"], "b.png": PRINTS["again.png"]})
    write_leaks(tmp_path, opened)
    assert "same image of 1" in note_leaks(tmp_path, held_out, train, None)
    assert read_leaks(tmp_path) == opened
    note_leaks(tmp_path, held_out, [sample(3, image="c.png")], None)  # another training split: another fact
    assert read_leaks(tmp_path).training.samples == 1 and not read_leaks(tmp_path).training.images_opened


def test_what_one_part_does_not_know_is_known_of_none() -> None:
    parts = []
    for number, prints in ((2, PRINTS), (3, {})):
        held_out = [sample(number, "test", image="again.png", question="Q?")]
        parts.append(find_sample_leaks(held_out, [sample(1, image="a.png", question="Q?")], prints))
    both = SampleLeaks.together(parts)
    assert both.n == 2 and both.found["image_in_training"] == ["vqa_rad-2"]
    assert both.unknown["image_in_training"] == ["vqa_rad-3"] and not both.training.images_opened
    assert "near_duplicate" not in both.found and both.not_examined["near_duplicate"] == "no image was opened"


def test_a_floor_has_the_leaks_of_the_answers_beside_it(tmp_path) -> None:
    held_out = [sample(2, "test", image="again.png")]
    _, leaks = found(held_out, [sample(1, image="a.png")])
    write_leaks(tmp_path, leaks)
    assert read_leaks(tmp_path / "floors" / "most_frequent") == leaks
    assert read_leaks(tmp_path / "reliance" / "blind") is None


def test_leaks_travel_by_file_with_the_digest_of_the_training_data(tmp_path) -> None:
    held_out = [sample(2, "test", image="again.png", question="Q?")]
    answers = [_answer(held_out[0])]
    _, leaks = found(held_out, [sample(1, image="a.png", question="Q?")])
    write_leaks(tmp_path, leaks)
    assert read_leaks(tmp_path) == leaks and len(leaks.training.sha256) == 64
    assert leaks.samples_sha256 == samples_digest(answers)
    assert with_leaks(answers, tmp_path)[0].metadata["leaks"]["image_in_training"] is True
    other = [_answer(sample(9, "test", image="again.png", question="Q?"))]
    with pytest.raises(DataError, match="about other samples"):
        with_leaks(other, tmp_path)
    (tmp_path / LEAKS).write_text('{"n": "many"}')
    with pytest.raises(DataError, match="leaks"):
        read_leaks(tmp_path)
