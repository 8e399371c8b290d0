"""Texts of several columns of a user's table, joined as ``--map report=Befund+Beurteilung`` says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.readers.prepared import read_prepared
from pefomed_plugin.services.own_data.columns import read_map
from pefomed_plugin.services.own_data.own_tables import read_tables
from pefomed_plugin.services.own_data.splitting import read_shares

from .files import problems, run, wishes, write_book, write_film, write_images, write_table

HEADER = "Dateiname;PatID;Befund;Beurteilung;Region"
ROWS = (
    "a.png;1;Herz groß. ; Stauung.;Thorax",
    "b.png;1;;Unauffällig.;Thorax",
    "c.png;2;Infiltrat links.; ;Thorax",
    "d.png;3;;;Thorax",
)
MAP = "report=Befund+Beurteilung"


def hospital(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    write_images(tmp_path / "bilder", "a.png", "b.png", "c.png", "d.png")
    return write_table(tmp_path / "befunde.csv", header, *(rows or ROWS))


def answers(source: Path, *given: str) -> tuple[dict[str, str], str]:
    own = read_tables(source, wishes(columns=read_map(given), shares=read_shares("test")))
    return {sample.images[0]: sample.answer for sample in own.release.samples}, "\n".join(own.said)


def test_joined_in_the_given_order_and_empty_parts_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hospital(tmp_path)
    command = f"prepare medical_custom --source befunde.csv --image-root bilder --map {MAP} --split test --out out"
    assert run(command) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for said in (
        "report = Befund+Beurteilung",
        "report is Befund and Beurteilung joined, a blank between, as of IU-Xray and MIMIC-CXR; empty of 4 records: "
        "Befund in 2, Beurteilung in 2, all in 1",
        "columns known by their names: image = Dateiname, organ = Region, patient = PatID",
    ):
        assert said in shown, said
    assert "left out: B" not in shown, "both are used"
    samples = read_prepared(tmp_path / "out").samples
    assert [sample.answer for sample in samples] == ["Herz groß. Stauung.", "Unauffällig.", "Infiltrat links."]
    assert {tuple(sample.metadata) for sample in samples} == {("subject",)}, "no part is kept beside it"
    assert "Befund in 2" in " ".join(json.loads((tmp_path / "out/manifest.json").read_text())["read_as"])
    other, _ = answers(tmp_path / "befunde.csv", "report= beurteilung + BEFUND")
    assert other["a.png"] == "Stauung. Herz groß."


def test_parts_that_say_nothing_or_the_same_are_joined_as_they_are_and_counted(tmp_path: Path) -> None:
    source = hospital(tmp_path, "a.png;1;gut;NaN;x", "b.png;2;-;gut;x", "c.png;3;Gut.;gut. ;x", "d.png;4;gut;ja;x")
    found, said = answers(source, MAP)
    assert found == {"a.png": "gut NaN", "b.png": "- gut", "c.png": "Gut. gut.", "d.png": "gut ja"}
    assert "2 hold a part that says nothing (such as n/a or -), joined as it is; 1 hold one text twice" in said


def test_a_column_whose_name_holds_the_mark_is_that_column(tmp_path: Path) -> None:
    source = hospital(tmp_path, "a.png;eins;zwei;drei", header="Bild;Befund+Beurteilung;Befund;Beurteilung")
    found, said = answers(source, MAP)
    assert found == {"a.png": "eins"}
    assert "report: the one column of this name, not Befund and Beurteilung joined" in said
    source = hospital(tmp_path, "a.png;eins;zwei;7", header="Bild;CT + MR;Rest;Nr+")
    found, said = answers(source, "report=Rest+CT + MR", "id=Nr+")
    assert found == {"a.png": "zwei eins"} and "id = Nr+" in said
    source = hospital(tmp_path, "a.png;eins;zwei;drei;vier", header="Bild;A+B;C;A;B+C")
    assert problems(source, columns=read_map(["report=A+B+C"])) == (
        "--map report=A+B+C: it may be 'A' and 'B+C', or 'A+B' and 'C'; rename a column",
    )
    source = hospital(tmp_path, "a.png;eins;zwei", header="Bild;befundtext;Beurteilung")
    assert answers(source, "report=Befund+Text")[0] == {"a.png": "eins"}, "as before: marks do not matter"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            "report=Befund+Beurteilug",
            "befunde.csv has no column 'Beurteilug'; did you mean 'Beurteilung'?",
        ),
        ("report=Befnd+", "befunde.csv has no such column; to join several, name each: --map report=ONE+OTHER"),
        ("report=Befund+Befund", "befunde.csv would have a column joined with itself; name each once"),
        (
            "report=Befnd+Beurteilug",
            "befunde.csv has no column 'Befnd'; did you mean 'Befund'?; no column 'Beurteilug'; did you mean "
            "'Beurteilung'?",
        ),
        (
            "id=Dateiname+PatID",
            "befunde.csv has no such column; did you mean 'Dateiname'? (joined are only question, answer, "
            "report, caption)",
        ),
    ],
)
def test_what_cannot_be_joined_is_refused_with_the_columns_that_are_there(
    tmp_path: Path, given: str, told: str
) -> None:
    (problem,) = problems(hospital(tmp_path), columns=read_map([given]))
    assert problem.startswith(f"--map {given}: {told}")
    twice = hospital(tmp_path, "a.png;x;y;z", header="Bild;Befund;Befund;Beurteilung")
    assert problems(twice, columns=read_map([MAP])) == (f"--map {MAP}: befunde.csv has 2 columns 'Befund'; rename one",)
    with pytest.raises(ConfigError) as caught:
        read_map(["report=Befund", "report=Beurteilung"])
    assert caught.value.problems[0].endswith("of both: report=Befund+Beurteilung")


def test_parts_are_looked_at_as_columns_that_stand_alone(tmp_path: Path) -> None:
    source = hospital(tmp_path, "a.png;1;gut;#WERT!;Thorax", "b.png;2;gut;gut;Thorax")
    assert "the error #WERT! of a spreadsheet" in problems(source, columns=read_map([MAP]))[0]
    source = hospital(tmp_path)
    assert problems(source, columns=read_map(["image=Dateiname", "report=Befund+Dateiname"])) == (
        "befunde.csv: 'Dateiname' cannot be image and report",
    )
    assert "Befund+PatID is written as it is, as report" in answers(source, "report=Befund+PatID")[1]
    rows = [{"image": "a.png", "f": "Groß.", "i": []}, {"image": "b.png", "f": "Gut."}]
    lines = tmp_path / "t.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert problems(lines, columns=read_map(["report=f+i"]), shares=read_shares("test")) == (
        "t.jsonl, line 1: report must be text",
    )


def test_the_name_of_a_part_tells_delimiter_and_header(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", "a.png")
    source = write_table(tmp_path / "t.csv", "Bild;Teil 1, links;Teil 2", "a.png;gut, ja;schlecht")
    found, _ = answers(source, "report=Teil 1, links+Teil 2")
    assert found == {"a.png": "gut, ja schlecht"}
    book = write_book(tmp_path / "b.xlsx", ["Export"], ["x", "f", "i"], ["a.png", "Groß.", "Stau."])
    with pytest.raises(DataError, match=r"a later one does \(f, i\)"):
        answers(book, "report=f+i")


def test_reports_of_a_dicom_folder_are_joined_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_film(tmp_path / "pacs/one.dcm", 1, study="1.2.3.4")
    write_table(tmp_path / "t.csv", "AccNr;PatID;Befund;Beurteilung", "A4;PAT^4711;Groß.;Stau.")
    command = "prepare medical_custom --source pacs --reports t.csv --join accession --split test --out out --map "
    assert run(command + MAP) == 0
    assert "report is Befund and Beurteilung joined" in " ".join(capsys.readouterr().out.split())
    assert [sample.answer for sample in read_prepared(tmp_path / "out").samples] == ["Groß. Stau."]
    assert run(command + "report=Befund+PatID") != 0
    assert "--map report=Befund+PatID: this column says who" in " ".join(capsys.readouterr().err.split())
