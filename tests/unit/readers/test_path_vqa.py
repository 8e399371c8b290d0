"""PathVQA: pickles, the repository's JSON and the parquet copy; the two rules; damage."""

from __future__ import annotations

import pickle
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.readers.path_vqa import PATH_VQA, figure_4_type_of, question_type_of
from pefomed_plugin.records import Prediction
from pefomed_plugin.scoring.breakdown import places_of_groups

from .files import Row, write_json, write_parquet

SPLITS = ("train", "val", "test")


def vqa_row(split: str, running: int = 0, **changes: Any) -> Row:
    digit = SPLITS.index(split) + 1
    row = {
        "img_id": split + "_9999",
        "question_id": digit * 10**8 + 9999000 + running,
        "sent": "What is invented?",
        "label": {"a made-up cell": 1},
        "answer_type": "other",
        "question_type": "what",
    }
    return {**row, **changes}


def qa_row(split: str, **changes: Any) -> Row:
    return {"image": split + "_9999", "question": "Is a  tumor invented?", "answer": "yes", **changes}


def item(split: str, *pairs: Any, number: int = 9999) -> Row:
    return {
        "img_id": f"{split}_{number}",
        "sentf": {"pvqa": [question for question, _ in pairs]},
        "labelf": {"pvqa": [{answer: 1} for _, answer in pairs]},
    }


def write_pickle(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value))


def write_vqa(root: Path) -> Path:
    for split in SPLITS:
        write_pickle(
            root / f"qas/{split}_vqa.pkl",
            [vqa_row(split), vqa_row(split, 1, sent="Is it invented?", label={"no": 1}, question_type="")],
        )
    write_pickle(root / "qas/q2a.pkl", {"What is invented?": "a made-up cell"})
    return root


def write_qa(root: Path) -> Path:
    for split in SPLITS:
        write_pickle(
            root / "qas" / split / f"{split}_qa.pkl",
            [qa_row(split), qa_row(split, image=split + "_0001", answer="no tumor"), qa_row(split)],
        )
    return root


def write_repository(root: Path, **items: list[Row]) -> Path:
    for split in SPLITS:
        write_json(root / f"pvqa_{split}.json", items.get(split, [item(split, ("Is it invented?", "yes"))]))
    return root


def message(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        PATH_VQA.read(root)
    return str(caught.value)


def test_vqa_pickles_carry_ids_and_types(tmp_path: Path) -> None:
    release = PATH_VQA.read(write_vqa(tmp_path))
    assert (release.layout, release.image_root) == ("official", tmp_path / "images")
    first, second = release.splits()["test"]
    assert (first.id, first.only_image, first.question, first.answer) == (
        "path_vqa-309999000",
        "test/test_9999.jpg",
        "What is invented?",
        "a made-up cell",
    )
    assert (first.answer_type, first.question_type) == ("OPEN", "what")
    assert first.metadata == {
        "source_id": 309999000,
        "question_type_from": "words of the paper's figure 4",
        "released_type": "what",
        "released_type_from": "official field",
        "answer_type_from": "yes/no rule",
    }
    assert (second.answer_type, second.question_type) == ("CLOSED", "is")
    assert (second.metadata["released_type"], second.metadata["released_type_from"]) == ("yes/no", "official rule")


def test_an_option_gives_the_types_of_the_release(tmp_path: Path) -> None:
    first, second = PATH_VQA.read(write_vqa(tmp_path), question_types="released").splits()["test"]
    assert (first.question_type, first.metadata["question_type_from"]) == ("what", "official field")
    assert (second.question_type, second.metadata["question_type_from"]) == ("yes/no", "official rule")
    with pytest.raises(ConfigError, match="question_types"):
        PATH_VQA.read(tmp_path, question_types="lumped")


def test_groups_come_in_the_order_of_the_figure(tmp_path: Path) -> None:
    questions = ["Why?", "Are they?", "How much is it?", "Is it?", "What is it?", "Did it?"]
    write_repository(tmp_path, test=[item("test", *((question, "yes") for question in questions))])
    rows = [Prediction.of(sample, "yes", {}) for sample in PATH_VQA.read(tmp_path).splits()["test"]]
    assert list(places_of_groups(rows, "question_type")) == ["is", "did", "what", "why", "how many/much", "are"]
    assert list(places_of_groups(rows, "released_type")) == ["how many/how much", "what", "why", "yes/no"]


def test_vqa_pickles_are_preferred_and_qa_pickles_do(tmp_path: Path) -> None:
    write_vqa(write_qa(tmp_path))
    assert len(PATH_VQA.read(tmp_path).samples) == 6
    (tmp_path / "qas/test_vqa.pkl").unlink()
    release = PATH_VQA.read(tmp_path)
    assert [(sample.id, sample.only_image, sample.answer_type) for sample in release.splits()["val"]] == [
        ("path_vqa-val_9999-0", "val/val_9999.jpg", "CLOSED"),
        ("path_vqa-val_0001-0", "val/val_0001.jpg", "OPEN"),
        ("path_vqa-val_9999-1", "val/val_9999.jpg", "CLOSED"),
    ]
    assert {sample.question for sample in release.samples} == {"Is a  tumor invented?"}


def test_an_incomplete_set_of_pickles_names_what_is_missing(tmp_path: Path) -> None:
    write_vqa(tmp_path)
    (tmp_path / "qas/val_vqa.pkl").unlink()
    text = message(tmp_path)
    assert "neither all *_vqa.pkl nor all *_qa.pkl" in text
    assert "qas/val_vqa.pkl" in text and "qas/test/test_qa.pkl" in text and "train_vqa" not in text


def test_repository_json_gives_a_sample_for_each_question(tmp_path: Path) -> None:
    images = [item("train", ("Where is it?", "nowhere"), ("Is it invented?", "Yes ")), item("train", number=1)]
    release = PATH_VQA.read(write_repository(tmp_path, train=images))
    assert release.layout == "repository JSON"
    assert [
        (sample.id, sample.only_image, sample.answer, sample.answer_type, sample.question_type)
        for sample in release.splits()["train"]
    ] == [
        ("path_vqa-train_9999-0", "train/train_9999.jpg", "nowhere", "OPEN", "where"),
        ("path_vqa-train_9999-1", "train/train_9999.jpg", "Yes ", "CLOSED", "is"),
    ]


def test_the_parquet_copy(tmp_path: Path) -> None:
    rows = [{"question": "is it invented?", "answer": "no"}, {"question": "what is it?", "answer": "a made-up cell"}]
    for name in ("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001", "test-00000-of-00001"):
        write_parquet(tmp_path / f"data/{name}-abc.parquet", rows)
    release = PATH_VQA.read(tmp_path)
    assert (release.layout, release.image_root) == ("parquet", tmp_path)
    assert Counter(sample.split for sample in release.samples) == {"train": 4, "val": 2, "test": 2}
    last = release.splits()["train"][-1]
    assert (last.id, last.only_image) == ("path_vqa-train-3", "data/train-00001-of-00002-abc.parquet#1")
    assert (last.answer_type, last.question_type) == ("OPEN", "what")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How many cells?", "how many/how much"),
        ("how much is there?", "how many/how much"),
        ("Whose cell?", "who/whose"),
        ("Who drew it?", "who/whose"),
        ("Where is it?", "where"),
        ("WHAT is it?", "what"),
        ("How is it?", "how"),
        ("When?", "when"),
        ("Why?", "why"),
        ("Do you see what it is?", "yes/no"),
        ("Could it be?", "yes/no"),
        ("In whose lung, and where?", "who/whose"),
        ("Of how many cells, and where?", "how many/how much"),
        ("Dose it show where it lies?", "where"),
        ("The cell shows what?", "what"),
        ("Invented?", "other"),
        ("", "other"),
        ("Whatever it is", "what"),
    ],
)
def test_question_types_follow_the_first_rule_that_fits(question: str, expected: str) -> None:
    assert question_type_of(question) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        *((f"{word} it seen?", word.lower()) for word in ("Is", "Does", "Did", "are", "Had")),
        *((f"{word} is it?", word.lower()) for word in ("What", "where", "WHEN", "How", "why", "which")),
        ("How many cells?", "how many/much"),
        ("Of how much is it?", "how many/much"),
        ("Who drew it?", "who/whose"),
        ("In whose lung, and where?", "who/whose"),
        ("In which lung is it?", "which"),
        ("The cell shows what?", "what"),
        ("The cell does?", "other"),
        ("", "other"),
    ],
)
def test_question_types_of_figure_4(question: str, expected: str) -> None:
    assert figure_4_type_of(question) == expected


def test_a_pickle_with_a_class_is_refused_by_name(tmp_path: Path) -> None:
    write_vqa(tmp_path)
    write_pickle(tmp_path / "qas/val_vqa.pkl", [vqa_row("val", label={"a": Fraction(1, 2)})])
    (tmp_path / "qas/test_vqa.pkl").write_bytes(pickle.dumps([vqa_row("test")])[:-5])
    text = message(tmp_path)
    assert "val_vqa.pkl: names fractions.Fraction" in text and "test_vqa.pkl: not a pickle" in text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"img_id": "test_9999.jpg"}, "image 'test_9999.jpg' is not of the form train_0422"),
        ({"img_id": "../test_9999"}, "image '../test_9999' is not of the form"),
        ({"label": {"a": 1, "b": 1}}, "answer is a dict, expected text"),
        ({"label": {}}, "answer is a dict, expected text"),
        ({"sent": None}, "question is empty (null)"),
        ({"question_id": 209999000}, "id 'path_vqa-209999000' occurs twice"),
    ],
)
def test_a_wrong_record_is_named(tmp_path: Path, change: Row, told: str) -> None:
    write_pickle(write_vqa(tmp_path) / "qas/test_vqa.pkl", [vqa_row("test", **change)])
    text = message(tmp_path)
    assert told in text
    assert "occurs twice" in told or "test_vqa.pkl, record 0" in text


def test_a_pickle_of_something_else_is_refused(tmp_path: Path) -> None:
    write_pickle(write_vqa(tmp_path) / "qas/test_vqa.pkl", {"What is invented?": "a made-up cell"})
    assert "test_vqa.pkl: expected a list of records" in message(tmp_path)


def test_damage_of_the_json_is_told_together(tmp_path: Path) -> None:
    unequal = item("val", ("Is it?", "yes"))
    unequal["labelf"]["pvqa"].append({"no": 1})
    other = {"img_id": "train_0001", "sentf": {"vqa": []}, "labelf": {}}
    write_repository(tmp_path, train=[other, {"img_id": "train_0002"}], val=[unequal])
    (tmp_path / "pvqa_test.json").write_text('[{"img_id"', encoding="utf-8")
    text = message(tmp_path)
    for told in (
        "pvqa_train.json, record 0: sentf.pvqa and labelf.pvqa are not two lists of equal length",
        "pvqa_train.json, record 1: missing sentf, labelf",
        "pvqa_val.json, record 0: sentf.pvqa",
        "pvqa_test.json, line 1, column 11: not JSON",
    ):
        assert told in text


def test_no_layout_or_two_are_told(tmp_path: Path) -> None:
    assert "pvqa_train.json" in message(tmp_path) and "qas/**/*qa.pkl" in message(tmp_path)
    write_repository(write_qa(tmp_path))
    assert "2 layouts" in message(tmp_path)


def test_a_symbolic_link_out_of_the_images_is_refused(tmp_path: Path) -> None:
    root = write_repository(tmp_path / "release")
    (tmp_path / "outside.jpg").write_bytes(b"secret")
    (root / "images/test").mkdir(parents=True)
    (root / "images/test/test_9999.jpg").symlink_to(tmp_path / "outside.jpg")
    assert "image 'test/test_9999.jpg' leads out of" in message(root)
