"""Examples of the chat: from the run's own test split where it may be shown, else drawings, and said."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from pefomed_plugin.origins import REAL
from pefomed_plugin.provenance import DataPart, ModelPart, RunRecord, write_record
from pefomed_plugin.services import outbound
from pefomed_plugin.ui.examples import ANY_IMAGE, draw_examples, examples_of_run, find_examples
from tests.unit.services.small import small_image, write_rad

ROWS = [
    {"qid": 1, "image": 0, "split": "train", "question": "Of training?"},
    {"qid": 2, "image": 1, "split": "test", "question": "Is it small?", "answer": "no"},
    {"qid": 3, "image": 1, "split": "test", "question": "Is it grey?"},
    {"qid": 4, "image": 2, "split": "test", "question": "Is it round?"},
]


def write_run(folder: Path, **parts: DataPart) -> str:
    write_record(folder, RunRecord(parts, ModelPart(REAL)))
    return str(folder / "checkpoint_last.pth")


@pytest.fixture
def checkpoint(tmp_path):
    root = write_rad(tmp_path / "rad", ROWS)
    return write_run(tmp_path / "run", vqa_rad=DataPart("vqa_rad", REAL, str(root), str(root / "images")))


def test_each_image_of_the_test_split_comes_with_its_own_questions(checkpoint, tmp_path):
    gallery = examples_of_run(checkpoint, tmp_path / "copies", is_here=False)
    assert gallery.words == "From the test split of the run that trained this model: vqa_rad (real data)."
    assert [[offer.question for offer in example.offers] for example in gallery.examples] == [
        ["Is it small?", "Is it grey?"],
        ["Is it round?"],
    ]
    first = gallery.examples[0]
    assert (first.name, first.image) == ("vqa_rad 1", "synpic1.png")
    assert first.find("vqa", " Is it small? ").answer == "no" and first.find("vqa", "Is it round?") is None
    with Image.open(first.path) as shown, Image.open(tmp_path / "rad" / "images" / "synpic1.png") as own:
        assert shown.tobytes() == own.convert("RGB").tobytes()
    with Image.open(first.thumbnail) as small:
        assert max(small.size) <= 240
    assert all(Path(folder).is_relative_to(tmp_path / "copies") for folder in gallery.folders)


def test_data_that_need_permission_are_shown_on_this_machine_alone(tmp_path, monkeypatch):
    own = tmp_path / "own"
    own.mkdir()
    small_image(1).save(own / "a.png")
    (own / "test.csv").write_text("image,question,answer\na.png,Is it mine?,yes\n")
    checkpoint = write_run(tmp_path / "run", medical_custom=DataPart("medical_custom", REAL, str(own), str(own)))
    away = examples_of_run(checkpoint, tmp_path / "copies", is_here=False)
    assert away.source.startswith("Drawings") and "medical_custom (needs permission, and others" in away.words
    held = []
    monkeypatch.setattr("pefomed_plugin.ui.examples.keep_private", lambda names, origins: held.extend(names))
    here = examples_of_run(checkpoint, tmp_path / "copies", is_here=True)
    assert here.examples[0].offers[0].question == "Is it mine?" and held == ["medical_custom"]
    assert outbound.not_public(["medical_custom"])


@pytest.mark.parametrize("storage", ["gone", "https://example.org/{0..3}.tar", None])
def test_data_that_are_not_here_are_named_and_drawings_shown(tmp_path, storage):
    place = str(tmp_path / storage) if storage == "gone" else storage
    checkpoint = write_run(tmp_path / "run", slake=DataPart("slake", REAL, place))
    gallery = examples_of_run(checkpoint, tmp_path, is_here=True)
    assert len(gallery.examples) == 3 and f"Left out: slake ({place or 'its folder'} is not on this" in gallery.words


def test_a_checkpoint_without_a_record_and_one_with_a_damaged_one(tmp_path):
    assert examples_of_run(str(tmp_path / "a.pth"), tmp_path, is_here=True).source.startswith("Drawings")
    (tmp_path / "provenance.json").write_text("{}")
    assert "cannot be read" in examples_of_run(str(tmp_path / "a.pth"), tmp_path, is_here=True).words


def test_an_image_that_cannot_be_used_is_told(checkpoint, tmp_path):
    (tmp_path / "rad" / "images" / "synpic2.png").write_text("no")
    gallery = examples_of_run(checkpoint, tmp_path / "copies", is_here=True)
    assert len(gallery.examples) == 1 and "synpic2.png" in gallery.words


def test_studies_of_several_images_are_counted(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    small_image(1).save(own / "a.png")
    small_image(2).save(own / "b.png")
    (own / "test.csv").write_text("images,question,answer\nfrontal=a.png; lateral=b.png,Is it mine?,yes\n")
    checkpoint = write_run(tmp_path / "run", medical_custom=DataPart("medical_custom", REAL, str(own), str(own)))
    assert "1 samples that show several images together" in examples_of_run(checkpoint, tmp_path, is_here=True).words


def test_drawings_are_asked_what_they_answer(tmp_path):
    gallery = draw_examples(tmp_path)
    for example in gallery.examples:
        asked = [offer for offer in example.offers if offer.task == "vqa"]
        assert len(asked) >= 2 and all(example.find("vqa", offer.question).answer for offer in asked)
    assert gallery.examples == draw_examples(tmp_path).examples  # the same each time


def test_a_folder_of_the_users_has_questions_for_any_image(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(8):
        small_image(number).save(folder / f"{number}.png")
    (folder / "0.png").write_text("no")
    gallery = find_examples(folder, tmp_path)
    assert [example.name for example in gallery.examples] == [f"{number}.png" for number in range(1, 6)]
    assert "the first 6 of 8 images" in gallery.words and "0.png" in gallery.words.partition("Left out")[2]
    assert [offer.words for offer in gallery.examples[0].offers] == [*ANY_IMAGE, "Write a report", "Write a caption"]
    assert gallery.examples[0].find("vqa", ANY_IMAGE[0]) is None
