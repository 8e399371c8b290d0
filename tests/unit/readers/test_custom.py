"""The user's own data: JSON lines and CSV, the three tasks, where images lie, and the usual mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers.custom import MEDICAL_CUSTOM

from .files import write_lines


def write_jsonl(path: Path, *rows: Any) -> None:
    write_lines(path, *(json.dumps(row, ensure_ascii=False) for row in rows))


def problems(root: Path) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        MEDICAL_CUSTOM.read(root)
    return caught.value.problems or (str(caught.value),)


def test_questions_as_json_lines(tmp_path: Path) -> None:
    write_jsonl(
        tmp_path / "train.jsonl",
        {"image": "a.png", "question": "Is it invented?", "answer": "Yes", "study": "s1", "scanner": "drawn"},
        {
            "image": "a.png",
            "question": "How many?",
            "answer": 2,
            "id": "q-2",
            "question_type": "SIZE",
            "organ": "Lung",
            "answer_type": "closed",
        },
    )
    write_jsonl(tmp_path / "test.jsonl", {"image": "b.png", "question": "What?", "answer": "no tumor", "id": 7})
    release = MEDICAL_CUSTOM.read(tmp_path)
    first, second, third = release.samples
    assert (release.layout, release.dataset) == ("JSON lines", "medical_custom")
    assert (first.id, first.split, first.task) == ("medical_custom-train-1", "train", "vqa")
    assert (first.question, first.answer, first.answer_type) == ("Is it invented?", "Yes", "CLOSED")
    assert first.metadata == {"study": "s1", "scanner": "drawn", "answer_type_from": "yes/no rule"}
    assert (second.id, second.answer, second.answer_type) == ("medical_custom-q-2", "2", "CLOSED")
    assert (second.question_type, second.organ, second.metadata["source_id"]) == ("SIZE", "Lung", "q-2")
    assert (third.id, third.split, third.answer_type) == ("medical_custom-7", "test", "OPEN")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_reports_as_csv(tmp_path: Path, encoding: str) -> None:
    write_lines(
        tmp_path / "train.csv",
        "image,report,study",
        'a.png,"Heart normal, lungs clear.',
        'No ""mass"".",s1',
        "b.png, ,s2",
        encoding=encoding,
    )
    release = MEDICAL_CUSTOM.read(tmp_path)
    assert [(sample.id, sample.task, sample.question, sample.answer) for sample in release.samples] == [
        ("medical_custom-train-3", "report", None, 'Heart normal, lungs clear.\nNo "mass".')
    ]
    assert release.samples[0].metadata == {"study": "s1"}
    assert [(skip.where, skip.reason) for skip in release.skips] == [("train.csv, line 4", "empty report")]


def test_captions_and_questions_in_different_splits(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.csv", "caption,image", "An invented film.,a.png")
    write_lines(tmp_path / "val.csv", "image,question,answer", "a.png,Why?,", "a.png,,So.", "a.png,Why?,So.")
    release = MEDICAL_CUSTOM.read(tmp_path)
    assert [(sample.task, sample.split, sample.answer) for sample in release.samples] == [
        ("caption", "train", "An invented film."),
        ("vqa", "val", "So."),
    ]
    assert [skip.reason for skip in release.skips] == ["empty answer", "empty question"]


def test_images_are_found_in_the_folder_or_in_images(tmp_path: Path) -> None:
    write_lines(tmp_path / "here.png", "readers never open this")
    write_lines(tmp_path / "images/day/there.png", "readers never open this")
    names = ("here.png", "day/there.png", "images/day/there.png", "none.png")
    write_jsonl(tmp_path / "train.jsonl", *({"image": name, "caption": "Invented."} for name in names))
    assert [sample.only_image for sample in MEDICAL_CUSTOM.read(tmp_path).samples] == [
        "here.png",
        "images/day/there.png",
        "images/day/there.png",
        "images/none.png",
    ]


@pytest.mark.parametrize("image", ["../x.png", "/etc/hosts", "link/x.png", ""])
def test_images_outside_the_folder_are_refused(tmp_path: Path, image: str) -> None:
    root = tmp_path / "own"
    (root / "images").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path)
    write_lines(tmp_path / "x.png", "not ours")
    write_jsonl(root / "train.jsonl", {"image": image, "caption": "Invented."})
    assert len(problems(root)) == 1 and "train.jsonl, line 1: image" in problems(root)[0]


def test_mistakes_are_reported_together(tmp_path: Path) -> None:
    fine = {"image": "a.png", "question": "Why?", "answer": "So.", "id": "x"}
    write_jsonl(
        tmp_path / "train.jsonl",
        fine,
        {"image": "a.png", "question": "Why?"},
        ["a.png", "Why?", "So."],
        {**fine, "id": "y", "answer": True},
        {**fine, "id": "z", "answer_type": "maybe"},
        fine,
    )
    write_jsonl(tmp_path / "val.jsonl", {"image": "a.png", "text": "Invented."})
    write_lines(tmp_path / "test.jsonl")
    found = problems(tmp_path)
    assert [sample.split(";")[0] for sample in found] == [
        "train.jsonl, line 2: missing answer",
        "train.jsonl, line 3: expected an object, found a list",
        "train.jsonl, line 4: answer must be text",
        "train.jsonl, line 5: answer_type 'maybe' is neither OPEN nor CLOSED",
        "val.jsonl, line 1: needs one of question and answer, report, or caption",
        "test.jsonl: no records",
        "id 'medical_custom-x' occurs twice, in train.jsonl, line 1 and train.jsonl, line 6: delete or rename one of "
        "them",
    ]


def test_two_kinds_of_target_in_one_file_are_ambiguous(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.csv", "image,report,caption", "a.png,One.,Two.", "b.png,One.,Two.")
    assert problems(tmp_path) == (
        "train.csv, line 2: needs one of question and answer, report, or caption; found image, report, caption",
    )


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("image;question;answer", "separated by semicolons"),
        ("film,report", "missing column(s) image; found film, report"),
    ],
)
def test_a_wrong_header(tmp_path: Path, header: str, said: str) -> None:
    write_lines(tmp_path / "train.csv", header, "a.png,One.")
    assert said in problems(tmp_path)[0]


def test_an_unquoted_comma_is_named(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.csv", "image,report", "a.png,Heart normal, lungs clear.", "b.png,Fine.")
    assert problems(tmp_path) == ("train.csv, line 2: 3 cells, the header has 2; quote a text that holds commas",)


@pytest.mark.parametrize("name", ["train.csv", "train.jsonl"])
def test_not_utf8(tmp_path: Path, name: str) -> None:
    write_lines(tmp_path / name, "image,report", "a.png,30° view", encoding="latin1")
    if name.endswith("l"):
        write_lines(tmp_path / name, '{"image": "a.png", "report": "30° view"}', encoding="latin1")
    assert "not UTF-8" in problems(tmp_path)[0]


def test_none_or_both_formats(tmp_path: Path) -> None:
    assert problems(tmp_path) == ("JSON lines: {train,val,test}.jsonl", "CSV: {train,val,test}.csv")
    write_lines(tmp_path / "train.csv", "image,report", "a.png,One.")
    write_jsonl(tmp_path / "test.jsonl", {"image": "a.png", "report": "One."})
    assert len(problems(tmp_path)) == 2


def test_numbers_that_are_not_finite_name_line_and_field(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"image": f"{number}.png", "question": f"Is it {number}?", "answer": "no"} for number in range(4)
    ]
    rows[1]["study"], rows[2]["ages"], rows[3]["answer"] = float("nan"), [1.0, float("inf")], float("nan")
    write_jsonl(tmp_path / "test.jsonl", *rows)
    assert problems(tmp_path) == tuple(
        f"test.jsonl, line {line}: {field} is not a finite number; leave it out or write null"
        for line, field in ((2, "study"), (3, "ages.1"), (4, "answer"))
    )


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_an_absolute_path_inside_the_folder_is_taken(tmp_path: Path, suffix: str) -> None:
    root, link = tmp_path / "own", tmp_path / "link"
    (root / "images").mkdir(parents=True)
    link.symlink_to(root)
    rows = [
        {"image": str(folder / "images" / "a.png"), "question": f"Is it {number}?", "answer": "no"}
        for number, folder in enumerate((root, link))
    ]
    if suffix == "jsonl":
        write_jsonl(root / "test.jsonl", *rows)
    else:
        write_lines(root / "test.csv", "image,question,answer", *(",".join(row.values()) for row in rows))
    for folder in (root, link):
        samples = MEDICAL_CUSTOM.read(folder).samples
        assert [sample.images for sample in samples] == [("images/a.png",)] * 2
    write_lines(root / f"test.{suffix}", (root / f"test.{suffix}").read_text().replace(str(root), "/elsewhere"))
    assert any("leads out of" in problem for problem in problems(root))


def test_half_a_character_is_marked(tmp_path: Path) -> None:
    row = '{"image": "a.png", "question": "Is it \\ud83d\\ude00?", "answer": "no \\ud83d"}'
    write_lines(tmp_path / "test.jsonl", row)
    (sample,) = MEDICAL_CUSTOM.read(tmp_path).samples
    assert (sample.question, sample.answer) == ("Is it \U0001f600?", "no \ufffd")


def test_several_images_with_their_names_in_their_order(tmp_path: Path) -> None:
    write_jsonl(
        tmp_path / "train.jsonl",
        {"images": {"lateral": "b.png", "frontal": "a.png"}, "question": "What?", "answer": "mass", "view": "kept"},
        {"images": ["a.png", "b.png"], "question": "What?", "answer": "mass"},
        {"image": "a.png", "question": "What?", "answer": "mass"},
    )
    samples = MEDICAL_CUSTOM.read(tmp_path).samples
    assert [(sample.images, sample.views) for sample in samples] == [
        (("b.png", "a.png"), ("lateral", "frontal")),
        (("a.png", "b.png"), ()),
        (("a.png",), ()),
    ]
    assert samples[1].image_names == ("image 1", "image 2") and samples[0].metadata["view"] == "kept"


def test_several_images_as_csv(tmp_path: Path) -> None:
    rows = ("Clear.,frontal=a.png; lateral=c/b.png", "Clear.,a.png;b.png", "No.,c.png")
    write_lines(tmp_path / "test.csv", "report,images", *rows)
    assert [(sample.images, sample.views) for sample in MEDICAL_CUSTOM.read(tmp_path).samples] == [
        (("a.png", "c/b.png"), ("frontal", "lateral")),
        (("a.png", "b.png"), ()),
        (("c.png",), ()),
    ]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"images": {}}, "images must be {"),
        ({"images": [5]}, "images must be {"),
        ({"images": {"frontal": 5}}, "images must be {"),
        ({"images": ["a.png", "a.png"]}, "the same image twice"),
        ({"images": ["a.png"], "image": "b.png"}, "image and images"),
        ({"images": ["a.png", "../b.png"]}, "'../b.png' leads out"),
        ({"images": "a.png;frontal=b.png"}, "name all of them or none"),
        ({"images": "x=a.png;x=b.png"}, "a name occurs twice"),
    ],
)
def test_several_images_that_cannot_be_used(tmp_path: Path, row: dict[str, Any], told: str) -> None:
    write_jsonl(tmp_path / "train.jsonl", {**row, "caption": "Invented."})
    (found,) = problems(tmp_path)
    assert found.startswith("train.jsonl, line 1: ") and told in found
