"""From a release on disk to batches, and what a damaged one is told."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import torch
from omegaconf import OmegaConf

from pefomed_plugin.adapters.data import builders
from pefomed_plugin.adapters.data.builders import make_builder
from pefomed_plugin.adapters.data.datasets import MedicalDataset, existing_images
from pefomed_plugin.adapters.data.sampling import Draw
from pefomed_plugin.adapters.tasks import MedicalVqaTask
from pefomed_plugin.errors import ConfigError, DataError, ImageError
from pefomed_plugin.prompts import REPORT_INSTRUCTIONS
from pefomed_plugin.readers.image_tree import ImageTree
from pefomed_plugin.records import Sample
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import registry
from tests.unit.adapters.vqa_rad_release import record, write_release


def section(folder, **changes):
    processor = {"name": "blip2_image_eval", "image_size": 28}
    return OmegaConf.create(
        {
            "build_info": {"storage": str(folder)},
            "batch_size": 2,
            "sample_ratio": 5,
            "vis_processor": {"train": processor, "eval": processor},
            "text_processor": {"train": {"name": "medical_text"}, "eval": {"name": "medical_text"}},
            **changes,
        }
    )


def build(folder, **changes):
    register_all()
    return make_builder("vqa_rad")(section(folder, **changes)).build_datasets()


def test_a_batch_has_the_documented_shapes(tmp_path):
    datasets = build(write_release(tmp_path / "vqa_rad"))
    assert {split: len(dataset) for split, dataset in datasets.items()} == {"train": 4, "test": 3}
    train = datasets["train"]
    assert (train.batch_size, train.sample_ratio) == (2, 5.0)
    batch = MedicalDataset.collater([train[Draw(0, number, 0)] for number in (1, 3)])
    assert batch["image"].shape == (2, 3, 28, 28)
    assert batch["image"].dtype == torch.float32
    assert batch["answer"] == ["yes", "yes"]
    assert batch["image_id"] == ["vqa_rad-2", "vqa_rad-4"]
    assert batch["instruction_input"][0] == (
        "<Img><ImageHere></Img> [vqa] Based on the image, respond to this question with a short answer: Is it number 2?"
    )


def test_instructions_depend_on_sample_and_pass_alone(tmp_path):
    folder = write_release(tmp_path / "vqa_rad")
    report = Sample(
        id="r", dataset="iu_xray", split="train", images=("synpic1.jpg",), task="report", question=None, answer="clear"
    )
    train = MedicalDataset("iu_xray", [report], folder / "images", torch.tensor, str, draws_instructions=True)
    train.vis_processor = lambda image: torch.zeros(3, 2, 2)
    drawn = [train[Draw(0, 0, number)]["instruction_input"] for number in range(40)]
    assert drawn == [train[Draw(0, 0, number)]["instruction_input"] for number in range(40)]
    assert len(set(drawn)) > len(REPORT_INSTRUCTIONS) // 2
    train.draws_instructions = False
    assert {train[number]["instruction_input"] for number in range(1)} == {
        "<Img><ImageHere></Img> [report] " + REPORT_INSTRUCTIONS[0]
    }


def test_shuffled_images_are_always_another_image(tmp_path):
    test = build(write_release(tmp_path / "vqa_rad", test=3))["test"]
    own = [test[number]["image"] for number in range(3)]
    test.shuffle_images(seed=1)
    assert not any(torch.equal(own[number], test[number]["image"]) for number in range(3))


def test_missing_images_stop_with_their_names(tmp_path):
    folder = write_release(tmp_path / "vqa_rad")
    for number in (2, 3):
        os.unlink(folder / "images" / f"synpic{number}.jpg")
    with pytest.raises(DataError) as caught:
        build(folder)
    assert "2 of 4 train samples have no image" in str(caught.value)
    assert caught.value.problems == ("vqa_rad-2: no file synpic2.jpg", "vqa_rad-3: no file synpic3.jpg")


def test_missing_images_are_skipped_and_counted_on_request(tmp_path, capsys):
    folder = write_release(tmp_path / "vqa_rad")
    os.unlink(folder / "images" / "synpic2.jpg")
    assert len(build(folder, missing_images="skip")["train"]) == 3
    assert "skipped 1 of 4 train samples: image not there" in capsys.readouterr().out


def test_samples_with_several_images_are_refused_all_together_where_the_model_takes_one(tmp_path, monkeypatch):
    folder = write_release(tmp_path / "vqa_rad")
    read = builders.read_data

    def read_with_views(name, root, **options):
        release = read(name, root, **options)
        release.samples[:2] = [replace(sample, images=(*sample.images, "b.jpg")) for sample in release.samples[:2]]
        return release

    monkeypatch.setattr(builders, "read_data", read_with_views)
    monkeypatch.setattr(registry.get_model_class("minigpt_v2"), "takes_several_images", False)
    with pytest.raises(DataError, match="2 of 4 train samples have several images") as caught:
        build(folder, missing_images="skip")
    assert len(caught.value.problems) == 2 and "b.jpg" in caught.value.problems[0]


def test_an_unreadable_image_is_named(tmp_path):
    folder = write_release(tmp_path / "vqa_rad")
    (folder / "images" / "synpic5.jpg").write_bytes(b"\xff\xd8\xff cut")
    with pytest.raises(ImageError, match="synpic5.jpg"):
        build(folder)["test"][0]


def test_an_image_outside_its_root_is_refused(tmp_path):
    folder = write_release(tmp_path / "vqa_rad")
    rows = [record(1, "../trainset.json"), record(2, "synpic2.jpg")]
    (folder / "trainset.json").write_text(json.dumps(rows))
    with pytest.raises(DataError) as caught:
        build(folder)
    assert len(caught.value.problems) == 1
    assert "../trainset.json" in caught.value.problems[0]


def test_malformed_json_names_file_and_position(tmp_path):
    folder = write_release(tmp_path / "vqa_rad")
    text = (folder / "testset.json").read_text()
    (folder / "testset.json").write_text(text[: len(text) // 2])
    with pytest.raises(DataError, match=r"testset\.json, line 1, column \d+: not JSON"):
        build(folder)


def test_a_missing_field_names_the_record(tmp_path):
    folder = write_release(tmp_path / "vqa_rad")
    rows = [record(1, "synpic1.jpg"), record(2, "synpic2.jpg")]
    del rows[1]["answer"]
    (folder / "trainset.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=r"trainset\.json.*missing answer"):
        build(folder)


@pytest.mark.parametrize("limit", [{"tset": 2}, {"test": 0}, {"test": "two"}, {"test:2": None}])
def test_a_limit_that_is_none(tmp_path, limit):
    with pytest.raises(ConfigError, match=r"datasets\.vqa_rad\.limit\.t"):
        build(write_release(tmp_path / "vqa_rad"), limit=limit)


def test_a_limit_takes_the_first_samples(tmp_path):
    assert [
        sample.id for sample in build(write_release(tmp_path / "vqa_rad"), limit={"train": 2})["train"].samples
    ] == [
        "vqa_rad-1",
        "vqa_rad-2",
    ]


def test_an_option_the_reader_does_not_have(tmp_path):
    with pytest.raises(ConfigError, match="vqa_rad has no option 'langauge'"):
        build(write_release(tmp_path / "vqa_rad"), options={"langauge": "en"})


def test_an_empty_split_names_what_there_is(tmp_path):
    register_all()
    cfg = OmegaConf.create(
        {
            "datasets_cfg": {"vqa_rad": section(write_release(tmp_path / "vqa_rad"))},
            "run_cfg": {"train_splits": ["train"], "test_splits": ["val"]},
        }
    )
    with pytest.raises(DataError, match="run.test_splits: val: no sample in vqa_rad; they have test, train"):
        MedicalVqaTask().build_datasets(cfg)


def test_random_is_not_touched_by_loading(tmp_path):
    train = build(write_release(tmp_path / "vqa_rad"))["train"]
    import random

    random.seed(3)
    train[Draw(0, 0, 0)]
    assert random.random() == Random(3).random()


def test_images_are_looked_for_by_the_names_of_their_files(tmp_path: Path) -> None:
    for name in ("bild#1.png", "rows.parquet", "volume.nii.gz"):
        (tmp_path / name).touch()
    images = ("bild#1.png", "rows.parquet#17", "volume.nii.gz#axial:middle", "bild.png", "bild", "rows.parquet#x")
    samples = [Sample(image, "x", "train", (image,), "report", None, "") for image in images]
    there, missing = existing_images(samples, ImageTree(tmp_path))
    assert [sample.id for sample in there] == list(images[:3]) and [sample.id for sample in missing] == list(images[3:])
