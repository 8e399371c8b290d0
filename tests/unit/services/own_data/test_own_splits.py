"""Patients, their other names, and the splits of own data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.readers.prepared import read_prepared
from pefomed_plugin.services.own_data.doors import read_own
from pefomed_plugin.services.own_data.own_tables import read_tables
from pefomed_plugin.services.own_data.pseudonyms import Pseudonyms
from pefomed_plugin.services.own_data.splitting import read_shares

from .files import lines, problems, run, wishes, write_hospital, write_images, write_table


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
