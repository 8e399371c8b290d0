"""``;`` and Latin-1, XLSX, other headers, one unsplit file, names of images as other systems spell them."""

from __future__ import annotations

import datetime
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import _own_data
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.readers.prepared import read_prepared
from pefomed_plugin.services.own_data.columns import match_columns, read_map, task_of
from pefomed_plugin.services.own_data.dicom_reports import PER
from pefomed_plugin.services.own_data.dicom_tree import JOINS
from pefomed_plugin.services.own_data.doors import is_plain, read_own
from pefomed_plugin.services.own_data.image_lookup import (
    ELSEWHERE,
    ENCODED,
    MISSING,
    NOT_UTF8,
    OTHER_ENDING,
    SEVERAL,
    ImageFinder,
)
from pefomed_plugin.services.own_data.own_tables import read_tables
from pefomed_plugin.services.own_data.pseudonyms import Pseudonyms
from pefomed_plugin.services.own_data.splitting import SPLIT_BY, read_shares
from pefomed_plugin.services.own_data.tables import Manner, read_table
from pefomed_plugin.services.own_data.wishes import Wishes

from .files import run, write_book, write_images, write_table


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The salt is made in the current folder."""
    monkeypatch.chdir(tmp_path)


def lines(patients: int, each: int = 2) -> list[str]:
    """Reports of patients that have several images each."""
    return [
        f"bild_{patient}_{film}.png;{patient:04d};Herz groß, Nummer {patient}_{film}."
        for patient in range(patients)
        for film in range(each)
    ]


def write_hospital(tmp_path: Path, patients: int = 10) -> Path:
    write_images(tmp_path / "bilder", *(line.partition(";")[0] for line in lines(patients)))
    return write_table(tmp_path / "befunde.csv", "Dateiname;PatID;Befund", *lines(patients), encoding="latin-1")


def wishes(**fields: Any) -> Wishes:
    return Wishes(**{"image_root": Path("bilder"), "shares": read_shares("80/10/10"), **fields})


def problems(source: Path, **fields: Any) -> tuple[str, ...]:
    with pytest.raises((DataError, ConfigError)) as caught:
        read_tables(source, wishes(**fields))
    return caught.value.problems or (str(caught.value),)


def test_the_command_of_the_issue(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_hospital(tmp_path)
    command = (
        "prepare medical_custom --source befunde.csv --image-root bilder --map image=Dateiname report=Befund id=PatID "
        "--split 80/10/10 --split-by patient --seed 1 --out out"
    )
    assert run(command) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for said in (
        "guessed Latin-1 (the same as cp1252 here)",
        "columns separated by semicolon",
        "columns: image = Dateiname, report = Befund, id = PatID",
        "columns known by their names: patient = PatID (--map says otherwise)",
        "PatID is written as it is, as id",
        "train 16 records of 8 patients, val 2 records of 1 patient, test 2 records of 1 patient",
        "a new salt in .pefomed-salt: keep it private",
        "images: linked, not copied, in bilder",
        "images that can be used 20 20 ok",
    ):
        assert said in shown, said
    release = read_prepared(tmp_path / "out")
    assert {sample.id for sample in release.samples} >= {"medical_custom-0003-1", "medical_custom-0003-2"}
    assert "Herz groß, Nummer 3_1." in {sample.answer for sample in release.samples}
    held = {split: {sample.metadata["subject"] for sample in rows} for split, rows in release.splits().items()}
    assert not held["train"] & held["test"] and not held["train"] & held["val"] and not held["val"] & held["test"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "fingerprints.jsonl",
        "manifest.json",
        "skipped.jsonl",
        "test.jsonl",
        "train.jsonl",
        "val.jsonl",
    ], "no image is copied"
    assert json.loads((tmp_path / "out/manifest.json").read_text())["read_as"][0].startswith("befunde.csv: guessed")


def test_patients_stand_under_other_names_that_one_salt_makes_again(tmp_path: Path) -> None:
    source = write_hospital(tmp_path)
    first, again = (read_tables(source, wishes()).release for _ in range(2))
    subjects = [sample.metadata["subject"] for sample in first.samples]
    assert subjects == [sample.metadata["subject"] for sample in again.samples]
    assert len(set(subjects)) == 10 and "0003" not in json.dumps([sample.to_json() for sample in first.samples])
    assert (tmp_path / ".pefomed-salt").stat().st_mode & 0o077 == 0
    other = read_tables(source, wishes(salt=tmp_path / "private" / "salt")).release
    assert not set(subjects) & {sample.metadata["subject"] for sample in other.samples}
    (tmp_path / "none").write_text("short\n")
    assert "holds no salt" in problems(source, salt=tmp_path / "none")[0]


def test_splits_follow_seed_and_content_and_not_the_order_of_the_rows(tmp_path: Path) -> None:
    source = write_hospital(tmp_path, 30)

    def splits(**fields: Any) -> dict[str, str]:
        return {sample.answer: sample.split for sample in read_tables(source, wishes(**fields)).release.samples}

    first, other = splits(), splits(seed=2)
    assert splits() == first != other
    assert splits(salt=tmp_path / "another") == first, "a colleague's salt changes names, not splits"
    write_table(source, "Dateiname;PatID;Befund", *reversed(lines(30)), encoding="latin-1")
    assert splits() == first
    assert (
        set(splits(shares=read_shares("80/20"))["" or next(iter(first))])
        and "val" not in splits(shares=read_shares("80/20")).values()
    )
    assert set(splits(shares=read_shares("test")).values()) == {"test"}


def test_records_that_show_one_image_stay_together(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", *(f"{number}.png" for number in range(10)))
    rows = [f"{number}.png,Frage {question}?,ja" for number in range(10) for question in range(3)]
    source = write_table(tmp_path / "fragen.csv", "image,question,answer", *rows)
    assert "--split-by image" in problems(source)[0], "nothing says the patient, so the choice is the user's"
    release = read_tables(source, wishes(by="image")).release
    assert {split: len(rows) for split, rows in release.splits().items()} == {"train": 24, "val": 3, "test": 3}
    held = [{sample.only_image for sample in rows} for rows in release.splits().values()]
    assert not held[0] & held[1] and not held[0] & held[2]
    assert "no column says it; name it with --map study=COLUMN" in problems(source, by="study")[0]


def test_too_few_patients_leave_no_split_empty(tmp_path: Path) -> None:
    source = write_hospital(tmp_path, 4)
    assert "4 patients leave test empty; such shares need some 10" in problems(source)[0]
    assert "--split 80/10/10 (train, val, test) --split-by patient --seed 1" in problems(source, shares={})[0]
    write_table(source, "Dateiname;PatID;Befund", "bild_0_0.png; ;gut", "bild_1_0.png;2;gut")
    assert problems(source, shares=read_shares("50/50")) == ("befunde.csv, line 2: no patient",)
    for wrong in ("80/10", "100", "80/10/10/0", "all", "0/100"):
        with pytest.raises(ConfigError, match="shares that make 100"):
            read_shares(wrong)


def test_what_becomes_of_splits_is_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    source = write_hospital(tmp_path)
    command = "prepare medical_custom --source befunde.csv --image-root bilder --split 80/10/10 --out out --seed "
    assert run(command + "1") == run(command + "1") == 0
    shown = capsys.readouterr().out
    assert "another split" not in shown and "is left" not in shown
    tested = {sample.only_image for sample in read_prepared(tmp_path / "out").splits()["test"]}
    assert run(command + "2") == 0
    assert "record(s) are in another split than in what was prepared there before" in capsys.readouterr().out
    (tmp_path / ".pefomed-salt").unlink()
    assert run(command + "2") == 0
    shown = capsys.readouterr().out
    assert "20 record(s) have another name of their patient than in what" in shown and "another split" not in shown
    for image in tested:
        (tmp_path / "bilder" / image).unlink()
    assert run(command + "1") == 0
    assert "no record of test is left: all 2 were left out, as said below" in capsys.readouterr().out
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert "no record of test is left: all 2 were left out, as said below" in manifest["read_as"]
    write_table(source, "Dateiname;PatID;Befund", *(line.replace(".png", ".jpg") for line in lines(10)))
    assert run(command + "1") == 1
    assert "missing image(s) have a file with another ending" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("ids", "alike"),
    [
        ("007;7", 1),
        ("P7;p7 ", 1),
        ("12;12.0", 1),
        ("101;11", 0),
        ("P70;P7", 0),
        ("A-1;A-01;a-1", 2),
        ("Mu\u0308ller;M\u00fcller", 1),
        ("P7;P\u200b7", 1),
    ],
)
def test_ids_of_patients_that_may_be_one(tmp_path: Path, ids: str, alike: int) -> None:
    names = Pseudonyms(tmp_path / "salt")
    assert len({names.name("patient", value) for value in ids.split(";")}) == alike + (1 if alike else 2)
    names.name("study", "7 ")
    assert names.alike("patient") == alike
    assert (f"{alike} patient id(s) differ from another one" in names.said) == bool(alike)


def test_one_id_that_stands_for_all(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", "a.png", "b.png")
    source = write_table(tmp_path / "t.csv", "image;patient;report", "a.png;ANON;Clear.", "b.png;ANON;Large.")
    (told,) = problems(source)
    assert "1 patient leaves val and test empty" in told and "one stands for all patients, --split-by study" in told


def test_texts_that_may_not_be_meant_as_they_stand_are_counted(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", "a.png", "b.png", "c.png")
    source = write_table(
        tmp_path / "t.csv", "image;report", "a.png;<b>Herz</b> gro&szlig;", "b.png;n/a", "c.png;Herz <5 cm & gut"
    )
    notes = read_tables(source, wishes(shares=read_shares("test"))).release.notes
    assert [what.partition(",")[0] for what in notes] == [
        "text(s) with HTML in them",
        "text(s) that say nothing (such as n/a or -)",
    ]
    rows = ["a.png;q;Ja;", "a.png;q;non;", "b.png;q;true;CLOSED", "c.png;q;yes;", "c.png;q;nein, links;"]
    write_table(source, "image;question;answer;answer_type", *rows)
    notes = read_tables(source, wishes(shares=read_shares("test"))).release.notes
    assert {what.partition(",")[0]: count for what, count in notes.items()} == {"answer(s) such as ja": 2}


def test_cells_that_keep_a_spreadsheet_from_taking_them_for_numbers(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", "image;patient;report", '="a.png";="0012";="x" and "y"')
    table = read_table(path, Manner())
    assert list(table.rows[0][1].values()) == ["a.png", "0012", '="x" and "y"']
    assert '2 cell(s) such as ="0012" read as the text within' in table.said[0]


def test_what_a_spreadsheet_did_to_cells_before_they_became_text(tmp_path: Path) -> None:
    """A report that begins with a hyphen becomes #NAME?, a long accession number 1,23457E+11: of many the same."""
    path = write_table(
        tmp_path / "t.csv",
        "image;accession;report;note",
        "a.png;1,23457E+11;#NAME?;#NV",
        "b.png;A1;# 1: Clear, 1.5E+03 cells;x",
        "c.png;####;Large.;x",
    )
    table = read_table(path, Manner())
    assert [problem.partition(";")[0] for problem in table.problems_in(["image", "accession", "report"])] == [
        "t.csv, line 2: a number that a spreadsheet shortened",
        "t.csv, line 2: the error #NAME? of a spreadsheet in a cell",
        "t.csv, line 4: the error #### of a spreadsheet in a cell",
    ]
    assert table.problems_in(["image"]) == []
    import openpyxl

    book = write_book(tmp_path / "t.xlsx", ["image", "report"], ["a.png", "#N/A"], ["b.png", "#NAME?"])
    opened = openpyxl.load_workbook(book)
    opened.active["B3"].data_type = "s"
    opened.save(book)
    told = read_table(book, Manner()).problems_in(["report"])
    assert [problem.partition(" in a cell")[0] for problem in told] == [
        "t.xlsx, row 2: the error #N/A",
        "t.xlsx, row 3: the error #NAME? of a spreadsheet",
    ]


def test_people_in_names_of_images_and_words_in_the_place_of_people_are_counted(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", "PAT4711_1.png", "7.png", "A-900/x.png")
    source = write_table(
        tmp_path / "t.csv",
        "image;patient;accession;report",
        "PAT4711_1.png;PAT4711;;Clear.",
        "7.png;7;A1;Clear.",
        "A-900/x.png;NULL;A-900;Large.",
    )
    notes = read_tables(source, wishes(shares=read_shares("test"))).release.notes
    found = {what.partition(" ")[2][:12]: count for what, count in notes.items()}
    assert sum(count for what, count in notes.items() if "hold their patient's" in what) == 2, found
    assert sum(count for what, count in notes.items() if "a word such as nan" in what) == 1, found


def test_json_that_is_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('\n[{"image": "a.png"},\n{"image": "b.png"}]')
    with pytest.raises(DataError, match="a list of JSON; write one record a line"):
        read_table(path, Manner())
    with pytest.raises(ConfigError, match="write one record a line, as .jsonl"):
        read_table(tmp_path / "t.json", Manner())


def test_files_of_a_split_in_another_form_are_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    plain = write_images(tmp_path / "plain", "images/a.png")
    write_table(plain / "train.csv", "image,report", "a.png,Clear.")
    for name in ("test.json", "val.xls", "notes.md"):
        (plain / name).write_text("x")
    assert run(f"prepare medical_custom --source {plain} --out out") == 0
    shown = capsys.readouterr().out
    assert "file named after a split left out, as CSV are read: test.json" in shown and "read: val.xls" in shown
    assert "notes.md" not in shown
    write_table(plain / "train.csv", "image;report", "a.png;Clear.")
    assert run(f"prepare medical_custom --source {plain} --out out") == 0
    assert "files left out, as tables of this form are not read: test.json, val.xls" in capsys.readouterr().out


def test_one_file_a_split_and_a_column_of_splits(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", "a.png", "b.png")
    folder = tmp_path / "data"
    folder.mkdir()
    write_table(folder / "Training.tsv", "Bild\tFrage\tAntwort", "a.png\tLinks?\tja ")
    write_table(folder / "test.csv", "image;question;answer", "b.png;Left?;no", encoding="utf-16")
    release = read_own(folder, wishes(shares={}), tmp_path / "out").release
    assert [(sample.split, sample.answer) for sample in release.samples] == [("train", "ja"), ("test", "no")]
    assert "leave it out" in problems(folder)[0]
    source = write_table(
        tmp_path / "one.csv", "image,report,split", "a.png,Clear.,Training", "b.png,Large.,validation", "a.png,x,tset"
    )
    assert problems(source, shares={}) == (
        "one.csv, line 4: 'tset' is no split; write train, val or test, or split anew (--split)",
    )


def test_image_folders_of_hugging_face(tmp_path: Path) -> None:
    """``<split>/metadata.csv`` beside its images, which have the same names in each split."""
    folder = write_images(tmp_path / "folder", "train/1.png", "train/2.png", "test/1.png")
    write_table(folder / "train" / "metadata.csv", "file_name,caption", "1.png,One.", "2.png,Two.")
    (folder / "test" / "metadata.jsonl").write_text('{"file_name": "1.png", "caption": "Three."}\n')
    release = read_own(folder, Wishes(salt=tmp_path / "salt"), tmp_path / "out").release
    shown = {sample.answer: (sample.split, sample.only_image) for sample in release.samples}
    assert shown == {
        "One.": ("train", "train/1.png"),
        "Two.": ("train", "train/2.png"),
        "Three.": ("test", "test/1.png"),
    }


def test_names_of_images_as_other_systems_spell_them(tmp_path: Path) -> None:
    root = write_images(
        tmp_path / "bilder", "tag1/Thorax_1.JPG", "tag2/U\u0308ber.png", "a.png", "b/a.png", "c/x.png", "d/x.png"
    )
    (root / "link.png").symlink_to("/etc/hosts")
    finder = ImageFinder(root)
    found = {
        r"C:\PACS\Export\tag1\Thorax_1.JPG": "tag1/Thorax_1.JPG",
        r"\\server\bilder\thorax_1.jpg": "tag1/Thorax_1.JPG",
        r"tag1\thorax_1.jpg": "tag1/Thorax_1.JPG",
        "Thorax_1": "tag1/Thorax_1.JPG",
        "\u00fcber.png ": "tag2/U\u0308ber.png",
        "a.png": "a.png",
        "./b/a.png": "b/a.png",
        str(root / "b" / "a.png"): "b/a.png",
        '"c/x.png"': "c/x.png",
        "none.png": "none.png",
    }
    assert {given: finder.find(given) for given in found} == found
    assert sum(finder.notes.values()) == 6
    near = {"tag2/a%20b.png": "tag2/a b.png", "a.jpg": "a.jpg", "old/a.png": "old/a.png"}
    write_images(root, "tag2/a b.png")
    finder = ImageFinder(root)
    assert {given: finder.find(given) for given in near} == near
    assert dict(finder.notes) == {ENCODED: 1, MISSING: 2, OTHER_ENDING: 1, ELSEWHERE: 1}
    for given, said in {
        "x.png": "may be c/x.png or d/x.png; write the path with its folder",
        r"D:\a\x.png": "may be c/x.png or d/x.png",
        "../out.png": "leads out of",
        "/etc/hosts": "leads out of",
        "link.png": "leads out of",
        "https://example.org/a.png": "is an address, and nothing is fetched",
        " ": "the image is empty",
    }.items():
        with pytest.raises(ValueError, match=said):
            finder.find(given)


@pytest.mark.parametrize("given", ["a.png, b.png", "a.png|b.png", '["a.png", "b.png"]', "a.png b.PNG"])
def test_several_names_in_one_cell_are_told(tmp_path: Path, given: str) -> None:
    finder = ImageFinder(write_images(tmp_path / "bilder", "a.png", "b.png"))
    assert finder.find(given) == given
    assert dict(finder.notes) == {MISSING: 1, SEVERAL: 1}


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names there are always Unicode")
def test_names_on_the_disk_that_are_not_utf8_are_told(tmp_path: Path) -> None:
    root = write_images(tmp_path / "bilder", "a.png")
    with open(os.fsencode(root) + b"/M\xfcller.png", "wb") as file:
        file.write(b"x")
    finder = ImageFinder(root)
    assert (finder.find("M\u00fcller.png"), finder.find("none.png")) == ("M\u00fcller.png", "none.png")
    assert dict(finder.notes) == {MISSING: 2, NOT_UTF8: 1}


def test_every_mistake_of_a_table_in_one_message(tmp_path: Path) -> None:
    root = write_images(tmp_path / "bilder", "a/x.png", "b/x.png", "y.png")
    source = write_table(
        tmp_path / "befunde.csv",
        "image;report;patient",
        "x.png;gut;1",
        "../y.png;gut;2",
        'y.png;"mehrere\r\nZeilen";2',
        "y.png;zu;viele;3",
        ";leer;4",
    )
    assert root.is_dir()
    found = problems(source)
    assert [problem.partition(":")[0] for problem in found] == [
        "befunde.csv, line 6",
        "befunde.csv, line 2",
        "befunde.csv, line 3",
        "befunde.csv, line 7",
    ]
    assert "a/x.png or b/x.png" in found[1]
    write_table(source, "image;report", 'y.png;"offen', "y.png;gut")
    assert "line 2: no table separated by semicolon from here on" in problems(source)[0]


def test_missing_and_unreadable_images_are_counted_by_name(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = write_images(tmp_path / "bilder", "a.png", "b.png")
    (root / "broken.png").write_bytes((root / "a.png").read_bytes()[:60])
    write_table(tmp_path / "t.csv", "image,report", "a.png,Clear.", "b.png,Large.", "none.png,Gone.", "broken.png,Cut.")
    assert run("prepare medical_custom --source t.csv --image-root bilder --split test --out out") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "skipped 1: image: no such file" in shown and "bilder/none.png: no such file" in shown
    assert "bilder/broken.png" in shown
    assert len(read_prepared(tmp_path / "out").samples) == 2
    assert run("prepare medical_custom --source t.csv --image-root bilder --split test --out o2 --no-images") == 0
    assert "1 image name(s) of which there is no file" in " ".join(capsys.readouterr().out.split())


def test_columns_by_map_and_by_common_names() -> None:
    header = ["Patienten-ID", "BILDDATEI", "Befundtext", "Kommentar"]
    columns, said = match_columns(Path("t.csv"), header, {})
    assert columns == {"image": "BILDDATEI", "report": "Befundtext", "patient": "Patienten-ID"}
    assert said[-1] == "columns left out: Kommentar (keep one with --map metadata.NAME=COLUMN)"
    columns, said = match_columns(Path("t.csv"), header, read_map(["report=kommentar", "metadata.k=Kommentar"]))
    assert (columns["report"], columns["metadata.k"]) == ("Kommentar", "Kommentar")
    with pytest.raises(DataError) as one_for_two:
        match_columns(Path("t.csv"), header, read_map(["question=Befundtext", "answer=Befundtext"]))
    assert one_for_two.value.problems == ("t.csv: 'Befundtext' cannot be question and answer",)
    assert "report = Kommentar (asked for as 'kommentar')" in said[0]
    with pytest.raises(DataError) as caught:
        match_columns(Path("t.csv"), [*header, "Bild"], read_map(["report=Befundtexte", "id=x"]))
    assert caught.value.problems == (
        "--map report=Befundtexte: t.csv has no such column; did you mean 'Befundtext'?",
        "--map id=x: t.csv has no such column; known: BILDDATEI, Befundtext, Bild, Kommentar, Patienten-ID",
        "t.csv: BILDDATEI and Bild may both be the image; say which: --map image=BILDDATEI",
    )
    with pytest.raises(ConfigError) as wrong:
        read_map(["imge=a", "report", "id=a", "id=b", "metadata.study=c", "metadata.=d"])
    assert len(wrong.value.problems) == 5 and "did you mean 'image'" in wrong.value.problems[0]
    with pytest.raises(DataError, match="has vqa and report"):
        task_of(["image", "question", "answer", "report"], Path("t.csv"), header)
    with pytest.raises(DataError, match="no column for answer"):
        task_of(["image", "question"], Path("t.csv"), header)


def test_json_lines_and_what_data_frames_hold(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", "a.png", "b.png")
    rows = [
        {"img": "a.png", "befund": " Clear. ", "pid": 12.0, "age": 61, "films": [1], "ok": True},
        {"img": "b.png", "befund": "Large.", "pid": "12", "age": None, "films": {"x": 2}, "ok": False},
    ]
    source = tmp_path / "t.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    kept = [f"metadata.{name}={name}" for name in ("age", "films", "ok")]
    columns = read_map(["report=befund", *kept])
    first, second = read_tables(source, wishes(columns=columns, shares=read_shares("test"))).release.samples
    assert (first.answer, first.metadata["age"], first.metadata["films"], first.metadata["ok"]) == (
        "Clear.",
        "61",
        [1],
        "true",
    )
    assert (second.metadata["age"], second.metadata["films"]) == ("", {"x": 2})
    assert first.metadata["subject"] == second.metadata["subject"], "12.0 and 12 are one patient"
    source.write_text('{"img": "a.png"}\n[1]\n{"img"', encoding="utf-8")
    with pytest.raises(DataError):
        read_tables(source, wishes(shares=read_shares("test")))


def test_a_table_without_one_good_record_says_why(tmp_path: Path) -> None:
    source = tmp_path / "t.jsonl"
    source.write_text('{"image": "a.png", "report": "Clear.", "report": "Large."}\n')
    with pytest.raises(DataError, match="no record can be read") as caught:
        read_table(source, Manner())
    assert caught.value.problems == ("t.jsonl, line 1: report occurs twice; keep one of the two",)


def test_several_images_in_a_sheet(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", "a.png", "sub/b.png")
    rows = [["frontal=A.png; lateral=b.png", "Line_x000D_\nNext."], ["a.png; a.png", "Twice."]]
    source = write_book(tmp_path / "b.xlsx", ["images", "report"], rows[0])
    sample = read_tables(source, wishes(shares=read_shares("test"))).release.samples[0]
    assert (sample.images, sample.views) == (("a.png", "sub/b.png"), ("frontal", "lateral"))
    assert sample.answer == "Line\r\nNext."
    write_book(source, ["images", "report"], *rows)
    assert "row 3: images: the same image twice" in problems(source, shares=read_shares("test"))[0]


def test_a_sheet_as_a_person_sees_it(tmp_path: Path) -> None:
    path = write_book(
        tmp_path / "b.xlsx",
        ["Bild", "Befund", "PatID", "Datum", "Zahl", None],
        ["a.png", "=Lunge frei", 7, datetime.datetime(2024, 3, 5), 12.0, None],
        [None, None, None, None, None, None],
        ["b.png", "Zeile 1\nZeile 2", "007", datetime.datetime(2024, 3, 5, 8, 30), 1.5, None],
        formats={"C2": "00000"},
        others=["Notizen"],
    )
    with pytest.raises(ConfigError, match="2 sheets hold something; choose one with --sheet: Befunde, Notizen"):
        read_table(path, Manner())
    with pytest.raises(ConfigError, match="did you mean 'Befunde'"):
        read_table(path, Manner(sheet="Befund"))
    table = read_table(path, Manner(sheet="1"))
    assert table.header == ["Bild", "Befund", "PatID", "Datum", "Zahl"]
    assert [list(row.values())[2:] for _, row in table.rows] == [
        ["00007", "2024-03-05", "12"],
        ["007", "2024-03-05T08:30:00", "1.5"],
    ]
    assert table.rows[1][0] == "b.xlsx, row 4" and table.rows[1][1]["Befund"] == "Zeile 1\nZeile 2"
    assert "sheet 'Befunde' of 2" in table.said[0] and "2 date(s) written as year-month-day" in table.said[0]
    assert table.problems_in(["Bild", "PatID"]) == []
    assert table.problems_in(["Befund"]) == [
        "b.xlsx, row 2: a formula whose value the file does not keep; open and save it in a "
        "spreadsheet program, or put the value there"
    ]
    book = write_book(tmp_path / "c.xlsx", ["Bild", "Befund", "PatID"], ["a.png", "gut", 12345678901234567890])
    assert "more than 15 digits" in read_table(book, Manner()).faulty_cells[0][1]


def test_what_merged_cells_hide_is_named_where_it_matters(tmp_path: Path) -> None:
    import openpyxl

    rows = [["Export"], ["Bild", "Befund", "PatID", "Datum"], *([f"{row}.png", "gut", row, 1] for row in range(4))]
    path = write_book(tmp_path / "b.xlsx", *rows[1:])
    book = openpyxl.load_workbook(path)
    for cells in ("C2:C3", "A5:B5", "D2:D5"):
        book.active.merge_cells(cells)
    book.save(path)
    table = read_table(path, Manner())
    hidden = "are merged, and the value is the first cell's alone; unmerge them, and fill each"
    assert table.problems_in(["Bild", "Befund", "PatID"]) == [
        f"b.xlsx, row 2: C2:C3 {hidden}",
        f"b.xlsx, row 5: A5:B5 {hidden}",
    ]
    assert table.problems_in(["Bild"]) == []


def test_what_a_person_does_not_see_or_sees_otherwise_is_said(tmp_path: Path) -> None:
    import openpyxl

    rows = [[f"{row}.png", row, 0.5, "x" * 32767] for row in range(3)]
    path = write_book(
        tmp_path / "b.xlsx",
        ["Bild", "PatID", "Anteil", "Befund"],
        *rows,
        formats={"B2": '"PAT-"0000', "B3": "000-00", "B4": "0.00", "C2": "0%", "C3": "General"},
    )
    book = openpyxl.load_workbook(path)
    book.active.row_dimensions[3].hidden = book.active.column_dimensions["C"].hidden = True
    book.save(path)
    table = read_table(path, Manner())
    assert [row["PatID"] for _, row in table.rows] == ["PAT-0000", "000-01", "2"]
    for said in (
        "2 number(s) with the leading zeros and texts that their format shows",
        "1 number(s) read without what their format shows (as 50% for 0.5)",
        "3 text(s) of 32,767 characters, where spreadsheets cut them",
        "1 hidden row(s) are read like the others",
        "hidden column(s) are read like the others: Anteil",
    ):
        assert said in table.said[0], said
    book.active.sheet_state = "hidden"
    book.create_sheet("leer")
    book.save(path)
    assert "sheet 'Befunde' (hidden) of 2" in read_table(path, Manner()).said[0]
    book["Befunde"].cell(2, 250).value = "far away"
    book.save(path)
    with pytest.raises(DataError, match="column IP holds something, and no more than 200 columns are read"):
        read_table(path, Manner())


def test_what_is_no_workbook_whatever_its_ending(tmp_path: Path) -> None:
    path = tmp_path / "b.xlsx"
    for content, said in (
        (b"image;report\n", "if it is text, call it .csv"),
        (b"\xd0\xcf\x11\xe0rest", "with a password"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=said):
            read_table(path, Manner())


@pytest.mark.parametrize(
    "lines",
    [
        ("image;report", "a.png;Clear.;", "b.png;Large.;;"),
        ("image;report;;", "a.png;Clear.", "b.png;Large.;"),
        ("sep=;", "image;report;", "a.png;Clear.;", "b.png;Large."),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_delimiters_at_the_end_of_lines_are_no_cells(tmp_path: Path, lines: tuple[str, ...], end: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(end.join(lines).encode())
    table = read_table(path, Manner())
    assert not table.problems and table.header == ["image", "report"]
    assert [list(row.values()) for _, row in table.rows] == [["a.png", "Clear."], ["b.png", "Large."]]


def test_a_row_of_fewer_or_more_cells_says_what_may_be_wrong(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", "image;report;organ", "a.png;Clear.", "b.png;a;b;c", "c.png;d;")
    table = read_table(path, Manner())
    assert table.problems == [
        "t.csv, line 2: 2 cells, the header has 3; fill the others in, or quote a text that holds a line break",
        "t.csv, line 3: 4 cells, the header has 3; quote a text that holds a semicolon",
    ]
    assert len(table.rows) == 1


def test_lines_above_the_header_and_a_table_without_one(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for above in ("Export of Monday", "Export of Monday;;", "Export\n"):
        write_table(path, above, "Dateiname;PatID;Text", "a.png;1;siehe Bild, Befund, Frage")
        with pytest.raises(
            DataError, match=r"a later one does \(Dateiname, PatID(, Text)?\); delete what stands above"
        ):
            read_table(path, Manner(), ["Text"])
    book = write_book(tmp_path / "b.xlsx", ["Export of Monday"], ["Bild", "Befund"], ["a.png", "Clear."])
    with pytest.raises(DataError, match=r"the first row names no column .* \(Bild, Befund\)"):
        read_table(book, Manner())
    write_table(path, "Foto;Text", "a.png;siehe Bild, Befund, Frage")
    assert read_table(path, Manner(), ["Foto"]).header == ["Foto", "Text"], "words of a text are no header"
    write_table(path, "a.png;Clear.", "b.png;Large.")
    assert "Is that a record? Then put a line above it that names the columns" in problems(path, image_root=tmp_path)[0]


def test_what_is_left_out_of_a_table_or_kept_in_clear_is_said(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", "a.png", "b.png")
    folder = tmp_path / "data"
    folder.mkdir()
    write_table(folder / "train.csv", ",image,report,patient,,", "0,a.png,Clear.,7,old,", "1,b.png,Large.,,,")
    write_table(folder / "labels.csv", "image,report,patient", "a.png,Clear.,1")
    columns = read_map(["metadata.number=patient"])
    own = read_tables(folder, wishes(shares={}, columns=columns))
    assert "train.csv: columns without a name are left out, though they hold something: 1, 5" in own.said
    assert "tables left out, as nothing says their split: labels.csv" in own.said
    assert any(line.startswith("patient is written as it is, as metadata.number;") for line in own.said)
    assert own.release.notes["record(s) that do not say their patient"] == 1


@pytest.mark.parametrize(
    ("name", "manner", "said"),
    [
        ("b.xls", Manner(), "save it as .xlsx"),
        ("b.doc", Manner(), "is no table that is read here"),
        ("b.csv", Manner(sheet="1"), "--sheet 1: b.csv has none"),
        ("b.xlsx", Manner(encoding="cp1252"), "--encoding cp1252: b.xlsx has none"),
        ("b.jsonl", Manner(delimiter=";"), "--delimiter ;: b.jsonl has none"),
    ],
)
def test_what_is_no_table_and_what_does_not_fit_it(tmp_path: Path, name: str, manner: Manner, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_table(tmp_path / name, manner)


def test_the_layout_of_the_data_set_itself_is_read_as_ever(tmp_path: Path) -> None:
    plain = write_images(tmp_path / "plain", "images/a.png")
    write_table(plain / "train.csv", "image,report", "a.png,Clear.")
    assert is_plain(plain)
    write_table(plain / "train.csv", "image;report", "a.png;Clear.")
    assert not is_plain(plain)
    write_table(plain / "train.csv", "image,report", "a.png,groß", encoding="latin-1")
    assert not is_plain(plain) and not is_plain(plain / "train.csv")


def test_the_choices_of_the_command_are_those_of_the_service() -> None:
    """They stand twice, as help is shown without loading the service."""
    assert tuple(JOINS) == _own_data._JOINS and _own_data._SPLIT_BY == SPLIT_BY and _own_data._PER == PER


def test_arguments_that_do_not_go_together(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_hospital(tmp_path)
    base = "prepare medical_custom --source befunde.csv --out out "
    assert run(base + "--seed 3 --join study --image-root none --nifti-slice top --map x") == 2
    error = capsys.readouterr().err
    for said in ("--image-root none", "--seed: needs --split", "--join: needs --reports", "axial:middle", "--map 'x'"):
        assert said in error, said
    assert run("prepare vqa_rad --source . --out out --map image=x") == 2
    assert "--map: of own data alone" in capsys.readouterr().err
    assert run("prepare medical_custom --source befunde.csv --out .") == 2


def test_volumes_need_an_explicit_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bilder"
    folder.mkdir()
    (folder / "scan.nii.gz").write_bytes(b"readers never open this")
    source = write_table(tmp_path / "t.csv", "image,report", "scan.nii.gz,Clear.", "SCAN,Large.")
    said = problems(source, shares=read_shares("test"))[0]
    assert "2 record(s) name a NIfTI volume" in said and "--nifti-slice axial:middle" in said
    monkeypatch.setattr("pefomed_plugin.requirements.find_spec", lambda name: None)
    said = problems(source, shares=read_shares("test"), nifti_slice="coronal:40%")[0]
    assert said == "NIfTI volumes need nibabel; pip install nibabel", "it fails at its start"
    monkeypatch.setattr("pefomed_plugin.requirements.find_spec", lambda name: name)
    release = read_tables(source, wishes(shares=read_shares("test"), nifti_slice="coronal:40%")).release
    assert {sample.only_image for sample in release.samples} == {"scan.nii.gz#coronal:40%"}
    assert release.notes["record(s) show the slice coronal:40% of a volume"] == 2
    write_images(folder, "a.png")
    write_table(source, "image,report", "a.png,Clear.")
    said = problems(source, shares=read_shares("test"), nifti_slice="axial:middle")[0]
    assert said == "--nifti-slice axial:middle: no record names a NIfTI volume; leave it out"
    write_table(source, "accession,report", "A1,Clear.")
    with pytest.raises(DataError, match="give it as --reports and their folder as --source"):
        read_tables(source, wishes())
