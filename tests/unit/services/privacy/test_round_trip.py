"""A cleaned copy of a ward's folder is prepared as the folder was: same studies, same reports, same patients apart."""

from __future__ import annotations

import json

import pytest

from tests.unit.services.own_data.files import run, write_book, write_film, write_images, write_table

pytest.importorskip("pydicom")
pytest.importorskip("openpyxl")


def ward(folder, join):
    """Six films of three patients, and the table of their reports."""
    rows = []
    for number in range(6):
        study, accession, patient = f"1.2.840.9999.{number}", f"47110{number}", f"PAT-{number // 2}471"
        place = folder / "pacs" / patient / f"{number}.dcm"
        write_film(place, number, study=study, patient=patient, AccessionNumber=accession, ViewPosition="PA")
        rows.append(
            [{"accession": accession, "study": study, "patient": patient}[join], f"Herz {number}, MRN 471112{number}."]
        )
    header = {"accession": "AccNr", "study": "StudyInstanceUID", "patient": "PatID"}[join]
    write_book(folder / "befunde.xlsx", [header, "Befund"], *rows)
    return f"--source {{}}/pacs --reports {{}}/befunde.xlsx --join {join} --map {join}={header} report=Befund"


def pictures(folder, _):
    """Ten pictures, their reports in a table, whose names are patients."""
    names = [f"Mueller_Hans_{number}.png" for number in range(6)]
    write_images(folder / "bilder", *names)
    rows = (f"{name};PAT-{number // 2}471;Herz {number}." for number, name in enumerate(names))
    write_table(folder / "befunde.csv", "Dateiname;PatID;Befund", *rows)
    return (
        "--source {}/befunde.csv --image-root {}/bilder --map image=Dateiname report=Befund patient=PatID "
        "--split-by patient"
    )


def prepared(command, source, out):
    assert run(f"prepare medical_custom {command.format(source, source)} --split 50/25/25 --seed 1 --out {out}") == 0
    paths = [out / f"{split}.jsonl" for split in ("train", "val", "test")]
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("write", "join"), [(ward, "accession"), (ward, "study"), (pictures, "")], ids=["accession", "study", "pictures"]
)
def test_a_cleaned_copy_is_read_as_the_original(tmp_path, capsys, monkeypatch, write, join):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    command = write(tmp_path / "a", join)
    before = prepared(command, tmp_path / "a", tmp_path / "before")
    capsys.readouterr()
    run(f"privacy scan {tmp_path / 'a'} --redact --names own --ocr none --out {tmp_path / 'b'}")
    said = " ".join(capsys.readouterr().out.split())
    assert "nothing is found in the copy" in said and "not cleaned" not in said
    assert not (tmp_path / "b" / ".pefomed-salt").exists()
    assert "1 no ending: the salt of patients' other names" in said and said.count("- 1 ") == 1
    after = prepared(command, tmp_path / "b", tmp_path / "after")
    assert len(after) == len(before) == 6
    reports = sorted(row["answer"].partition(",")[0].rstrip(".") for row in after)
    assert reports == [f"Herz {number}" for number in range(6)]
    people = [[row["metadata"].get("subject") for row in rows] for rows in (before, after)]
    assert [len(set(one)) for one in people] == [3, 3]
    written = "".join(path.read_text() for path in (tmp_path / "after").glob("*.jsonl"))
    assert "4711" not in written and "Mueller" not in written
