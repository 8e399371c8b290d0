"""VQA-RAD: the official file and the re-release give the same samples; damage is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers.vqa_rad import OFFICIAL_FILE, VQA_RAD, normalise_types

from .files import Row, write_json, write_parquet


def official_row(number: int, **changes: Any) -> Row:
    row = {
        "qid": 9000 + number,
        "phrase_type": "freeform",
        "qid_linked_id": f"link-{number}",
        "image_case_url": f"https://example.org/case/{number}",
        "image_name": f"synpic9990{number}.jpg",
        "image_organ": "CHEST",
        "evaluation": "not evaluated",
        "question": "Is an invented finding seen?",
        "question_rephrase": "NULL",
        "question_relation": "NULL",
        "question_frame": "NULL",
        "question_type": "PRES",
        "answer": "Yes",
        "answer_type": "CLOSED",
    }
    return {**row, **changes}


def official_rows() -> list[Row]:
    return [
        official_row(1, question_frame="Is there evidence of an invented finding? -yes/no"),
        official_row(
            2,
            phrase_type="test_freeform",
            answer=3,
            answer_type="OPEN",
            question_type="COUNT",
            question=" How many invented nodules? ",
            question_frame="How many invented nodules are there?",
        ),
        official_row(3, phrase_type="test_para", answer="No", answer_type="CLOSED ", question_type="PRES, ATRIB"),
        official_row(
            4,
            phrase_type="para",
            qid_linked_id="link-3",
            answer="left\tlobe",
            answer_type="OPEN",
            question_type="Other",
            image_organ="ABD",
            question="Which invented lobe?",
        ),
    ]


def re_release_row(qid: int, **changes: Any) -> Row:
    row = {
        "qid": qid,
        "image_name": "synpic99901.jpg",
        "image_organ": "CHEST",
        "answer": "Yes",
        "answer_type": "CLOSED",
        "question_type": "PRES",
        "question": "Is an invented finding seen?",
        "phrase_type": "freeform",
    }
    return {**row, **changes}


def write_official(root: Path, rows: list[Row]) -> Path:
    write_json(root / OFFICIAL_FILE, rows)
    return root


def write_re_release(root: Path, train: list[Row], test: list[Row]) -> Path:
    write_json(root / "trainset.json", train)
    write_json(root / "testset.json", test)
    return root


def message(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        VQA_RAD.read(root)
    return str(caught.value)


def test_official_records_are_numbered_and_their_frames_always_train(tmp_path: Path) -> None:
    release = VQA_RAD.read(write_official(tmp_path, official_rows()))
    assert release.layout == "official"
    assert release.image_root == tmp_path / "VQA_RAD Image Folder"
    assert [(sample.id, sample.split, sample.phrase_type, sample.question) for sample in release.samples] == [
        ("vqa_rad-1", "train", "freeform", "Is an invented finding seen?"),
        ("vqa_rad-2", "train", "frame", "Is there evidence of an invented finding? -yes/no"),
        ("vqa_rad-3", "test", "freeform", " How many invented nodules? "),
        ("vqa_rad-4", "train", "frame", "How many invented nodules are there?"),
        ("vqa_rad-5", "test", "para", "Is an invented finding seen?"),
        ("vqa_rad-6", "train", "para", "Which invented lobe?"),
    ]


def test_values_are_mended_where_the_release_is_inconsistent_and_kept_otherwise(tmp_path: Path) -> None:
    first, _, count, framed, closed, last = VQA_RAD.read(write_official(tmp_path, official_rows())).samples
    assert (count.answer, framed.answer, count.answer_type) == ("3", "3", "OPEN")
    assert (closed.answer_type, closed.question_type) == ("CLOSED", "ATTRIB, PRES")
    assert (last.answer, last.question_type, last.organ, last.task) == ("left\tlobe", "OTHER", "ABD", "vqa")
    assert first.metadata == {
        "source_id": 1,
        "official_qid": 9001,
        "linked_id": "link-1",
        "answer_type_from": "official flag",
    }
    assert framed.metadata == {
        "source_id": 4,
        "official_qid": 9002,
        "linked_id": "link-2",
        "frame_of": "vqa_rad-3",
        "answer_type_from": "official flag",
    }


def test_the_re_release_links_a_frame_to_the_question_before_it(tmp_path: Path) -> None:
    train = [
        re_release_row(1),
        re_release_row(2, phrase_type="frame"),
        re_release_row(4, phrase_type="frame", answer=4),
        re_release_row(5, phrase_type="frame", answer="of another question"),
    ]
    release = VQA_RAD.read(write_re_release(tmp_path, train, [re_release_row(3, answer=4)]))
    assert (release.layout, release.image_root) == ("re-release", tmp_path / "images")
    assert [sample.metadata.get("frame_of") for sample in release.samples] == [
        None,
        "vqa_rad-1",
        "vqa_rad-3",
        None,
        None,
    ]
    assert [sample.split for sample in release.samples] == ["train"] * 4 + ["test"]


def test_duplicates_of_text_are_kept(tmp_path: Path) -> None:
    release = VQA_RAD.read(write_re_release(tmp_path, [re_release_row(1), re_release_row(2)], [re_release_row(3)]))
    assert len(release.samples) == 3 and not release.skips


def test_the_parquet_copy_decides_closed_by_the_answer(tmp_path: Path) -> None:
    rows = [
        {"question": "is an invented finding seen?", "answer": "yes"},
        {"question": "which invented lobe?", "answer": "no particular lobe"},
    ]
    write_parquet(tmp_path / "data/train-00000-of-00001-abc.parquet", rows)
    write_parquet(tmp_path / "data/test-00000-of-00001-def.parquet", rows[:1])
    release = VQA_RAD.read(tmp_path)
    assert (release.layout, release.image_root) == ("parquet", tmp_path)
    assert [(sample.id, sample.split, sample.only_image, sample.answer_type) for sample in release.samples] == [
        ("vqa_rad-train-0", "train", "data/train-00000-of-00001-abc.parquet#0", "CLOSED"),
        ("vqa_rad-train-1", "train", "data/train-00000-of-00001-abc.parquet#1", "OPEN"),
        ("vqa_rad-test-0", "test", "data/test-00000-of-00001-def.parquet#0", "CLOSED"),
    ]
    assert {sample.metadata["answer_type_from"] for sample in release.samples} == {"yes/no rule"}


def test_an_empty_answer_is_skipped_and_counted(tmp_path: Path) -> None:
    release = VQA_RAD.read(write_re_release(tmp_path, [re_release_row(1, answer=" ")], [re_release_row(2)]))
    assert [(skip.where, skip.reason) for skip in release.skips] == [
        ("trainset.json, record 0 (qid 1)", "empty answer")
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"answer_type": "MAYBE"}, "answer_type 'MAYBE' is neither OPEN nor CLOSED"),
        ({"answer": None}, "answer is empty (null), expected text"),
        ({"question": ["a"]}, "question is a list, expected text"),
        ({"answer": True}, "answer is a bool, expected text"),
        ({"qid": None}, "None is not an id"),
        ({"image_name": "../secret.jpg"}, "image '../secret.jpg' leads out of"),
        ({"image_name": "/etc/secret.jpg"}, "image '/etc/secret.jpg' leads out of"),
    ],
)
def test_a_wrong_value_names_file_record_and_value(tmp_path: Path, change: Row, told: str) -> None:
    text = message(write_re_release(tmp_path, [re_release_row(1)], [{**re_release_row(2), **change}]))
    assert "testset.json, record 0 (qid" in text and told in text


def test_all_problems_are_told_together(tmp_path: Path) -> None:
    bad = re_release_row(1)
    del bad["question"], bad["answer"]
    (tmp_path / "testset.json").write_text('[{"qid": 1, "image_na', encoding="utf-8")
    write_json(tmp_path / "trainset.json", [bad, re_release_row(2, answer_type="")])
    text = message(tmp_path)
    assert "record 0 (qid 1): missing question, answer" in text
    assert "record 1 (qid 2): answer_type ''" in text
    assert "testset.json, line 1, column" in text and "not JSON" in text


def test_an_id_in_train_and_test_is_refused(tmp_path: Path) -> None:
    assert "id 'vqa_rad-1' occurs twice" in message(
        write_re_release(tmp_path, [re_release_row(1)], [re_release_row(1)])
    )


def test_a_doubled_official_record_is_refused(tmp_path: Path) -> None:
    text = message(write_official(tmp_path, [official_row(1), official_row(2), official_row(1)]))
    assert "record 2 (qid 9001): this qid occurs twice" in text


def test_an_official_record_of_unknown_phrase_type_is_refused(tmp_path: Path) -> None:
    text = message(write_official(tmp_path, [official_row(1, phrase_type="frame")]))
    assert "record 0 (qid 9001): phrase_type 'frame' is none of freeform" in text


def test_a_byte_order_mark_is_no_mistake_but_latin1_is(tmp_path: Path) -> None:
    write_re_release(tmp_path, [re_release_row(1)], [])
    write_json(tmp_path / "testset.json", [re_release_row(2)], encoding="utf-8-sig")
    assert len(VQA_RAD.read(tmp_path).samples) == 2
    write_json(tmp_path / "testset.json", [re_release_row(2, answer="Köhler")], encoding="latin1")
    assert "testset.json: byte" in message(tmp_path) and "is not UTF-8" in message(tmp_path)


def test_a_symbolic_link_out_of_the_images_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"secret")
    root = write_re_release(tmp_path / "release", [re_release_row(1, image_name="link.jpg")], [])
    (root / "images").mkdir()
    (root / "images/link.jpg").symlink_to(outside)
    assert "image 'link.jpg' leads out of" in message(root)
    (root / "images/link.jpg").unlink()
    (root / "images/real.jpg").write_bytes(b"an image")
    (root / "images/link.jpg").symlink_to("real.jpg")
    assert [sample.only_image for sample in VQA_RAD.read(root).samples] == ["link.jpg"]


def test_no_layout_or_two_are_told_with_what_was_looked_for(tmp_path: Path) -> None:
    text = message(tmp_path)
    assert OFFICIAL_FILE in text and "trainset.json, testset.json" in text and "data/test-*.parquet" in text
    write_official(write_re_release(tmp_path, [], []), [])
    assert "2 layouts" in message(tmp_path)
    assert "no folder" in message(tmp_path / "absent")


@pytest.mark.parametrize(
    ("released", "mended"),
    [
        ("PRES", "PRES"),
        ("Other", "OTHER"),
        ("ATRIB", "ATTRIB"),
        ("PRSE", "PRES"),
        ("PRES, ATTRIB", "ATTRIB, PRES"),
        ("ATTRIB,PRES", "ATTRIB, PRES"),
        ("PRES, PRSE", "PRES"),
        ("", None),
        (None, None),
        (" , ", None),
    ],
)
def test_types_have_one_spelling_and_order(released: Any, mended: Any) -> None:
    assert normalise_types(released) == mended
