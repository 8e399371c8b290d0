"""SLAKE: languages, layouts, the empty answer, and damage."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.readers.slake import SLAKE

from .files import Row, write_json


def row(qid: int, **changes: Any) -> Row:
    image = f"xmlab{900 + qid}"
    released = {
        "img_id": 900 + qid,
        "img_name": image + "/source.jpg",
        "question": "Which invented organ is shown?",
        "answer": "Liver, Spleen",
        "q_lang": "en",
        "location": "Pelvic Cavity",
        "modality": "CT",
        "answer_type": "OPEN",
        "base_type": "vqa",
        "content_type": "Organ",
        "triple": ["vhead", "_", "_"],
        "qid": qid,
    }
    return {**released, **changes}


def rows() -> dict[str, list[Row]]:
    chinese = row(2, question="虚构的器官是什么?", answer="肝脏", q_lang="zh")
    return {
        "train": [
            row(1),
            chinese,
            row(3, answer=""),
            row(4, base_type="kvqa", content_type="KG", triple=["invented", "function", "_"]),
        ],
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
        SLAKE.read(root)
    return str(caught.value)


def test_english_is_read_and_the_rest_counted(tmp_path: Path) -> None:
    release = SLAKE.read(write_release(tmp_path))
    assert (release.layout, release.image_root) == ("official", tmp_path / "imgs")
    assert [(sample.id, sample.split) for sample in release.samples] == [
        ("slake-1", "train"),
        ("slake-4", "train"),
        ("slake-5", "val"),
        ("slake-6", "test"),
    ]
    assert [(skip.where, skip.reason) for skip in release.skips] == [
        ("train.json, record 1 (qid 2)", "language zh, not en"),
        ("train.json, record 2 (qid 3)", "empty answer"),
    ]


def test_fields_of_a_sample(tmp_path: Path) -> None:
    first, knowledge, yes, _ = SLAKE.read(write_release(tmp_path)).samples
    assert (first.only_image, first.answer, first.answer_type) == ("xmlab901/source.jpg", "Liver, Spleen", "OPEN")
    assert (first.question_type, first.organ, first.task) == ("Organ", "Pelvic Cavity", "vqa")
    assert first.metadata == {
        "source_id": 1,
        "language": "en",
        "modality": "CT",
        "base_type": "vqa",
        "answer_type_from": "official flag",
    }
    assert (knowledge.metadata["base_type"], knowledge.question_type) == ("kvqa", "KG")
    assert (yes.answer_type, yes.metadata["modality"], yes.organ) == ("CLOSED", "X-Ray", "Lung")


@pytest.mark.parametrize(("language", "ids"), [("zh", [2]), ("all", [1, 2, 4, 5, 6])])
def test_other_languages(tmp_path: Path, language: str, ids: list[int]) -> None:
    release = SLAKE.read(write_release(tmp_path), language=language)
    assert [sample.metadata["source_id"] for sample in release.samples] == ids


def test_an_unknown_language_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"slake\.language: unknown value 'english'; known: all, en, zh"):
        SLAKE.read(write_release(tmp_path), language="english")


@pytest.mark.parametrize("images", ["imgs", "images"])
def test_the_copy_on_hugging_face(tmp_path: Path, images: str) -> None:
    release = SLAKE.read(write_release(tmp_path, "validation.json", images))
    assert (release.layout, release.image_root) == ("Hugging Face copy", tmp_path / images)
    assert Counter(sample.split for sample in release.samples) == {"train": 2, "val": 1, "test": 1}


def test_an_english_only_copy_need_not_name_the_language(tmp_path: Path) -> None:
    root = write_release(tmp_path, "validation.json")
    short = row(1)
    del short["q_lang"], short["modality"]
    write_json(root / "train.json", [short])
    first = SLAKE.read(root).samples[0]
    assert (first.metadata["language"], first.metadata["modality"]) == ("en", None)


def test_text_without_any_image_folder_is_read(tmp_path: Path) -> None:
    for name in ("train.json", "validate.json", "test.json"):
        write_json(tmp_path / name, [])
    assert SLAKE.read(tmp_path).image_root == tmp_path / "imgs"


def test_damage_is_named_with_file_and_record(tmp_path: Path) -> None:
    root = write_release(tmp_path)
    cut = row(7)
    del cut["answer"], cut["img_name"]
    write_json(root / "train.json", [row(1), cut, row(8, img_name="../../x.jpg"), row(9, answer_type="")])
    (root / "validate.json").write_text('[{"qid": 5,', encoding="utf-8")
    write_json(root / "test.json", {"rows": []})
    text = message(root)
    for told in (
        "train.json, record 1 (qid 7): missing img_name, answer",
        "train.json, record 2 (qid 8): image '../../x.jpg' leads out of",
        "train.json, record 3 (qid 9): answer_type '' is neither",
        "validate.json, line 1, column 12: not JSON",
        "test.json: expected a list of records, found an object",
    ):
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
