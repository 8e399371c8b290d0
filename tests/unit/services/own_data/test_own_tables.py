"""Tables as they are: headers, delimiters, encodings, JSON, and mistakes that are told together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pefomed_plugin.cli import _own_data
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.services.own_data.columns import match_columns, read_map, task_of
from pefomed_plugin.services.own_data.dicom_reports import PER
from pefomed_plugin.services.own_data.dicom_tree import JOINS
from pefomed_plugin.services.own_data.doors import is_plain
from pefomed_plugin.services.own_data.own_tables import read_tables
from pefomed_plugin.services.own_data.splitting import SPLIT_BY, read_shares
from pefomed_plugin.services.own_data.tables import Manner, read_table

from .files import problems, run, wishes, write_book, write_hospital, write_images, write_table


def test_json_that_is_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('\n[{"image": "a.png"},\n{"image": "b.png"}]')
    with pytest.raises(DataError, match="a list of JSON; write one record a line"):
        read_table(path, Manner())
    with pytest.raises(ConfigError, match="write one record a line, as .jsonl"):
        read_table(tmp_path / "t.json", Manner())


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
