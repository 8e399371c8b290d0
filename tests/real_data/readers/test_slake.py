"""SLAKE as released: its published figures, and what its languages share."""

from __future__ import annotations

from collections import Counter

from pefomed_plugin.readers.slake import SLAKE
from tests.real_data.data import real_data


def test_real_files_have_their_published_figures() -> None:
    release = SLAKE.read(real_data("slake"))
    splits = release.splits()
    assert {name: len(part) for name, part in splits.items()} == {"train": 4918, "val": 1053, "test": 1061}
    assert Counter(skip.reason for skip in release.skips) == {"language zh, not en": 6995, "empty answer": 1}
    empty = [skip.where for skip in release.skips if skip.reason == "empty answer"]
    assert empty == ["train.json, record 1622 (qid 1622)"]
    raw = Counter(where.where.partition(",")[0] for where in release.skips)
    assert [raw["train.json"] + 4918, raw["validate.json"] + 1053, raw["test.json"] + 1061] == [9835, 2099, 2094]
    types = {name: Counter(sample.question_type for sample in part) for name, part in splits.items()}
    assert types["train"] == {
        "Organ": 1269 - 1,
        "Position": 847,
        "Abnormality": 716,
        "KG": 582,
        "Modality": 534,
        "Size": 323,
        "Plane": 249,
        "Quantity": 220,
        "Color": 137,
        "Shape": 42,
    }
    assert types["val"] == {
        "Organ": 254,
        "Position": 183,
        "Abnormality": 132,
        "KG": 155,
        "Modality": 110,
        "Size": 59,
        "Plane": 62,
        "Quantity": 56,
        "Color": 31,
        "Shape": 11,
    }
    assert types["test"] == {
        "Organ": 253,
        "Position": 186,
        "Abnormality": 150,
        "KG": 148,
        "Modality": 108,
        "Size": 65,
        "Plane": 58,
        "Quantity": 52,
        "Color": 34,
        "Shape": 7,
    }


def test_real_english_rows_by_flag_place_and_image() -> None:
    splits = SLAKE.read(real_data("slake")).splits()
    flags = [Counter(sample.answer_type for sample in splits[name]) for name in ("train", "val", "test")]
    assert flags == [{"OPEN": 2975, "CLOSED": 1943}, {"OPEN": 631, "CLOSED": 422}, {"OPEN": 645, "CLOSED": 416}]
    assert Counter(sample.organ for sample in splits["test"]) == {
        "Lung": 419,
        "Abdomen": 313,
        "Brain_Tissue": 166,
        "Pelvic Cavity": 47,
        "Brain": 42,
        "Neck": 35,
        "Brain_Face": 29,
        "Chest_mediastinal": 10,
    }
    assert Counter(sample.metadata["modality"] for sample in splits["test"]) == {"CT": 472, "X-Ray": 361, "MRI": 228}
    images = [{sample.only_image for sample in splits[name]} for name in ("train", "val", "test")]
    assert [len(part) for part in images] == [450, 96, 96] and len(set.union(*images)) == 642
    knowledge = [sum(sample.metadata["base_type"] == "kvqa" for sample in splits[name]) for name in splits]
    assert knowledge == [582, 155, 148]


def test_real_chinese_training_rows_hold_english_test_images() -> None:
    folder = real_data("slake")
    test = {sample.only_image for sample in SLAKE.read(folder).splits()["test"]}
    chinese = {sample.only_image for sample in SLAKE.read(folder, language="zh").splits()["train"]}
    assert (len(test), len(test & chinese)) == (96, 72)
