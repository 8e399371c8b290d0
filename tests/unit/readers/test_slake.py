"""SLAKE: languages, layouts, the empty answer, and damage."""

from collections import Counter
from pathlib import Path
from typing import Any, Dict, List

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.readers.slake import read_slake

from .files import Row, real_data, write_json


def row(qid: int, **changes: Any) -> Row:
    image = "xmlab{}".format(900 + qid)
    released = {
        "img_id": 900 + qid, "img_name": image + "/source.jpg", "question": "Which invented organ is shown?",
        "answer": "Liver, Spleen", "q_lang": "en", "location": "Pelvic Cavity", "modality": "CT",
        "answer_type": "OPEN", "base_type": "vqa", "content_type": "Organ", "triple": ["vhead", "_", "_"], "qid": qid}
    return {**released, **changes}


def rows() -> Dict[str, List[Row]]:
    chinese = row(2, question="虚构的器官是什么?", answer="肝脏", q_lang="zh")
    return {
        "train": [row(1), chinese, row(3, answer=""),
                  row(4, base_type="kvqa", content_type="KG", triple=["invented", "function", "_"])],
        "val": [row(5, answer="Yes", answer_type="CLOSED", modality="X-Ray", location="Lung")],
        "test": [row(6, answer="None")],
    }


def write_release(root: Path, val_name: str = "validate.json", images: str = "imgs") -> Path:
    for split, name in (("train", "train.json"), ("val", val_name), ("test", "test.json")):
        write_json(root / name, rows()[split])
    (root / images / "xmlab901").mkdir(parents=True)
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX/._train.json").write_bytes(b"\0\5\26\7")
    return root


def message(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_slake(root)
    return str(caught.value)


def test_english_is_read_and_the_rest_counted(tmp_path: Path) -> None:
    release = read_slake(write_release(tmp_path))
    assert (release.layout, release.image_root) == ("official", tmp_path / "imgs")
    assert [(each.id, each.split) for each in release.samples] == [
        ("slake-1", "train"), ("slake-4", "train"), ("slake-5", "val"), ("slake-6", "test")]
    assert [(skip.where, skip.reason) for skip in release.skips] == [
        ("train.json, record 1 (qid 2)", "language zh, not en"), ("train.json, record 2 (qid 3)", "empty answer")]


def test_fields_of_a_sample(tmp_path: Path) -> None:
    first, knowledge, yes, _ = read_slake(write_release(tmp_path)).samples
    assert (first.image, first.answer, first.answer_type) == ("xmlab901/source.jpg", "Liver, Spleen", "OPEN")
    assert (first.question_type, first.organ, first.task) == ("Organ", "Pelvic Cavity", "vqa")
    assert first.metadata == {"source_id": 1, "language": "en", "modality": "CT", "base_type": "vqa",
                              "answer_type_from": "official flag"}
    assert (knowledge.metadata["base_type"], knowledge.question_type) == ("kvqa", "KG")
    assert (yes.answer_type, yes.metadata["modality"], yes.organ) == ("CLOSED", "X-Ray", "Lung")


@pytest.mark.parametrize(("language", "ids"), [("zh", [2]), ("all", [1, 2, 4, 5, 6])])
def test_other_languages(tmp_path: Path, language: str, ids: List[int]) -> None:
    release = read_slake(write_release(tmp_path), language=language)
    assert [each.metadata["source_id"] for each in release.samples] == ids


def test_an_unknown_language_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"slake\.language: unknown value 'english'; known: all, en, zh"):
        read_slake(write_release(tmp_path), language="english")


@pytest.mark.parametrize("images", ["imgs", "images"])
def test_the_copy_on_hugging_face(tmp_path: Path, images: str) -> None:
    release = read_slake(write_release(tmp_path, "validation.json", images))
    assert (release.layout, release.image_root) == ("Hugging Face copy", tmp_path / images)
    assert Counter(each.split for each in release.samples) == {"train": 2, "val": 1, "test": 1}


def test_an_english_only_copy_need_not_name_the_language(tmp_path: Path) -> None:
    root = write_release(tmp_path, "validation.json")
    short = row(1)
    del short["q_lang"], short["modality"]
    write_json(root / "train.json", [short])
    first = read_slake(root).samples[0]
    assert (first.metadata["language"], first.metadata["modality"]) == ("en", None)


def test_text_without_any_image_folder_is_read(tmp_path: Path) -> None:
    for name in ("train.json", "validate.json", "test.json"):
        write_json(tmp_path / name, [])
    assert read_slake(tmp_path).image_root == tmp_path / "imgs"


def test_damage_is_named_with_file_and_record(tmp_path: Path) -> None:
    root = write_release(tmp_path)
    cut = row(7)
    del cut["answer"], cut["img_name"]
    write_json(root / "train.json", [row(1), cut, row(8, img_name="../../x.jpg"), row(9, answer_type="")])
    (root / "validate.json").write_text('[{"qid": 5,', encoding="utf-8")
    write_json(root / "test.json", {"rows": []})
    text = message(root)
    for told in ("train.json, record 1 (qid 7): missing img_name, answer",
                 "train.json, record 2 (qid 8): image '../../x.jpg' leads out of",
                 "train.json, record 3 (qid 9): answer_type '' is neither",
                 "validate.json, line 1, column 12: not JSON", "test.json: expected a list of records, found dict"):
        assert told in text


def test_a_doubled_id_is_refused(tmp_path: Path) -> None:
    write_json(write_release(tmp_path) / "test.json", [row(1)])
    assert "id 'slake-1' occurs twice" in message(tmp_path)


def test_two_layouts_or_a_missing_split_are_refused(tmp_path: Path) -> None:
    root = write_release(tmp_path)
    write_json(root / "validation.json", [])
    assert "2 layouts" in message(root)
    (root / "test.json").unlink()
    assert "none of the known layouts" in message(root) and "validate.json" in message(root)


def test_real_files_have_their_published_figures() -> None:
    release = read_slake(real_data("slake"))
    splits = release.splits()
    assert {name: len(part) for name, part in splits.items()} == {"train": 4918, "val": 1053, "test": 1061}
    assert Counter(skip.reason for skip in release.skips) == {"language zh, not en": 6995, "empty answer": 1}
    empty = [skip.where for skip in release.skips if skip.reason == "empty answer"]
    assert empty == ["train.json, record 1622 (qid 1622)"]
    raw = Counter(where.where.partition(",")[0] for where in release.skips)
    assert [raw["train.json"] + 4918, raw["validate.json"] + 1053, raw["test.json"] + 1061] == [9835, 2099, 2094]
    types = {name: Counter(each.question_type for each in part) for name, part in splits.items()}
    assert types["train"] == {"Organ": 1269 - 1, "Position": 847, "Abnormality": 716, "KG": 582, "Modality": 534,
                              "Size": 323, "Plane": 249, "Quantity": 220, "Color": 137, "Shape": 42}
    assert types["val"] == {"Organ": 254, "Position": 183, "Abnormality": 132, "KG": 155, "Modality": 110, "Size": 59,
                            "Plane": 62, "Quantity": 56, "Color": 31, "Shape": 11}
    assert types["test"] == {"Organ": 253, "Position": 186, "Abnormality": 150, "KG": 148, "Modality": 108, "Size": 65,
                             "Plane": 58, "Quantity": 52, "Color": 34, "Shape": 7}


def test_real_english_rows_by_flag_place_and_image() -> None:
    splits = read_slake(real_data("slake")).splits()
    flags = [Counter(each.answer_type for each in splits[name]) for name in ("train", "val", "test")]
    assert flags == [{"OPEN": 2975, "CLOSED": 1943}, {"OPEN": 631, "CLOSED": 422}, {"OPEN": 645, "CLOSED": 416}]
    assert Counter(each.organ for each in splits["test"]) == {
        "Lung": 419, "Abdomen": 313, "Brain_Tissue": 166, "Pelvic Cavity": 47, "Brain": 42, "Neck": 35,
        "Brain_Face": 29, "Chest_mediastinal": 10}
    assert Counter(each.metadata["modality"] for each in splits["test"]) == {"CT": 472, "X-Ray": 361, "MRI": 228}
    images = [{each.image for each in splits[name]} for name in ("train", "val", "test")]
    assert [len(part) for part in images] == [450, 96, 96] and len(set.union(*images)) == 642
    knowledge = [sum(each.metadata["base_type"] == "kvqa" for each in splits[name]) for name in splits]
    assert knowledge == [582, 155, 148]


def test_real_chinese_training_rows_hold_english_test_images() -> None:
    folder = real_data("slake")
    test = {each.image for each in read_slake(folder).splits()["test"]}
    chinese = {each.image for each in read_slake(folder, language="zh").splits()["train"]}
    assert (len(test), len(test & chinese)) == (96, 72)
