"""A tree of DICOM files with a table of reports: study and view by the headers, no patient's id anywhere."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers.prepared import read_prepared
from pefomed_plugin.services.images.decoding import open_image
from pefomed_plugin.services.own_data.dicom_copies import copy_film
from pefomed_plugin.services.own_data.dicom_views import UNTOLD, view_of

from .files import run, write_book, write_film, write_table

pytest.importorskip("pydicom")
pytest.importorskip("openpyxl")
SPLIT = "--split 50/25/25"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four patients with a study each, under their own names, of a frontal film and a lateral one."""
    monkeypatch.chdir(tmp_path)
    for number in range(1, 5):
        folder, study = tmp_path / "pacs" / f"PAT-471{number}" / "Thorax", f"1.2.3.{number}"
        write_film(folder / "IM0001", 2 * number, study=study, patient=f"PAT-471{number}", ViewPosition="PA")
        write_film(
            folder / "seitlich" / "x.dcm",
            2 * number + 1,
            study=study,
            patient=f"PAT-471{number}",
            SeriesDescription="Thorax seitlich",
            SeriesInstanceUID=study + ".2",
        )
    rows = [[f"A{number}", f"Herz groß {number}."] for number in range(1, 5)]
    write_book(tmp_path / "befunde.xlsx", ["AccNr", "Befund"], *rows)
    return tmp_path / "pacs"


def prepare(capsys: pytest.CaptureFixture, *more: str) -> tuple[int, str, str]:
    command = "prepare medical_custom --source pacs --reports befunde.xlsx --out out"
    code = run(" ".join([command, *more]))
    shown = capsys.readouterr()
    return code, " ".join(shown.out.split()), shown.err


def written(folder: Path) -> str:
    """Every name and every text below a folder, but for the films themselves."""
    names = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    return "\n".join(
        [*names, *(path.read_text() for path in folder.rglob("*.*") if path.suffix in (".jsonl", ".json", ".md"))]
    )


def test_a_tree_with_reports(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    code, shown, errors = prepare(capsys, "--join accession", SPLIT)
    assert code == 0, errors
    for said in (
        "sheet 'Befunde'",
        "columns known by their names: report = Befund, accession = AccNr",
        "DICOM: 8 film(s) in 8 series of 4 studies of 4 patient(s)",
        "views: 4 by ViewPosition, 4 by SeriesDescription; 0 film(s) of which no header says the view",
        "train 4 records of 2 patients, val 2 records of 1 patient, test 2 records of 1 patient",
        "images: 8 copies in out/images: the pixels as they were, in the header nothing of the patient",
        "a new salt in .pefomed-salt",
        "images that can be used 8 8 ok",
    ):
        assert said in shown, said
    release = read_prepared(tmp_path / "out")
    assert Counter(sample.metadata["view"] for sample in release.samples) == {"frontal": 4, "lateral": 4}
    first = release.samples[0]
    assert open_image(release.image_root, first.only_image).size == (24, 24)
    assert first.only_image.startswith(f"{first.metadata['subject']}/{first.metadata['study']}/i-")
    texts = written(tmp_path / "out")
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    for clear in (b"PAT-471", b"Muster", b"1.2.3."):
        assert clear not in everything, clear
    for clear in ("PAT-471", "PAT", "Muster", "1.2.3.", "A1", "A4"):
        assert clear not in texts, clear


def test_a_copy_shows_what_the_film_shows_and_says_nothing_else(tmp_path: Path) -> None:
    import pydicom
    from pydicom.dataset import Dataset

    table = Dataset()
    table.LUTDescriptor, table.LUTExplanation = [256, 0, 16], "Muster, Erika"
    table.LUTData = b"".join(bytes((0, value)) for value in range(255, -1, -1))
    for number, tags in enumerate(
        (
            {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 90, "WindowWidth": 60},
            {"VOILUTSequence": [table]},
            {"RescaleSlope": 2, "RescaleIntercept": -10, "PixelPaddingValue": 0, "OperatorsName": "Muster^Erika"},
        )
    ):
        film = write_film(tmp_path / f"{number}.dcm", number, study="1.2.3.4", **tags)
        assert copy_film(film, tmp_path / "c" / film.name, f"i-{number}")
        shown, copied = (open_image(folder, film.name) for folder in (tmp_path, tmp_path / "c"))
        assert shown.tobytes() == copied.tobytes()
        content = (tmp_path / "c" / film.name).read_bytes()
        assert b"Muster" not in content and b"PAT" not in content and b"1.2.3.4" not in content
        assert pydicom.dcmread(tmp_path / "c" / film.name).PatientIdentityRemoved == "YES"
        assert not copy_film(film, tmp_path / "c" / film.name, f"i-{number}"), "it is there already"
    (tmp_path / "cut.dcm").write_bytes(film.read_bytes()[:150])
    with pytest.raises(DataError):
        copy_film(tmp_path / "cut.dcm", tmp_path / "c" / "cut.dcm", "i-9")
    film.write_bytes(film.read_bytes())
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        copy_film(film, tmp_path / "file" / "x.dcm", "i-9")


def test_again_and_per_study(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert prepare(capsys, "--join accession", SPLIT)[0] == 0
    names = written(tmp_path / "out").count(".dcm")
    (tree / "PAT-4711" / "Thorax" / "IM0001").unlink()
    code, shown, _ = prepare(capsys, "--join accession --per study", SPLIT)
    assert code == 0 and "frontal + lateral" in shown
    assert "1 other copies of an earlier run are removed" in shown
    release = read_prepared(tmp_path / "out")
    assert Counter(sample.image_names for sample in release.samples) == {("frontal", "lateral"): 3, ("image 1",): 1}
    assert sum(1 for _ in (tmp_path / "out").rglob("*.dcm")) == 7 and names > 0, "the copy of an earlier run is gone"


def test_what_is_no_film_is_counted_and_named_on_the_screen_alone(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    from pydicom.uid import BasicTextSRStorage, CTImageStorage, UltrasoundMultiFrameImageStorage

    study = "1.2.3.1"
    write_film(tree / "PAT-4711/sr.dcm", 1, study=study, SOPClassUID=BasicTextSRStorage, Rows=None, Columns=None)
    write_film(tree / "PAT-4711/us.dcm", 1, study=study, SOPClassUID=UltrasoundMultiFrameImageStorage, NumberOfFrames=3)
    for number in range(3):
        write_film(
            tree / f"PAT-4711/ct/{number}.dcm",
            number,
            study=study,
            SOPClassUID=CTImageStorage,
            Modality="CT",
            SeriesInstanceUID="1.2.3.1.9",
        )
    first = tree / "PAT-4711/Thorax/IM0001"
    (tree / "PAT-4711/copy.dcm").write_bytes(first.read_bytes())
    (tree / "PAT-4711/cut.dcm").write_bytes(first.read_bytes()[:200])
    odd = bytearray(first.read_bytes())
    place = odd.index(b"\x08\x00\x50\x00SH")  # the accession number's type, which pydicom reads only when it is asked
    odd[place + 5] = 0xB2
    (tree / "PAT-4711/odd.dcm").write_bytes(odd)
    (tree / "readme.txt").write_text("hello")
    (tree / "PAT-4711/link.dcm").symlink_to(first)
    write_film(tree / "PAT-4711/unknown.dcm", 50, study=study, patient="PAT-4711", AccessionNumber="A7")
    code, shown, errors = prepare(capsys, "--join accession", SPLIT)
    assert code == 0, errors
    for said in (
        "1 file(s) left out: without an image (Basic Text SR)",
        "1 file(s) left out: of several frames (Ultrasound Multi-frame Image)",
        "3 file(s) left out: slices of CT series",
        "1 file(s) left out: copy of another file",
        "1 file(s) left out: no DICOM (.txt)",
        "1 file(s) left out: a link or special file",
        "1 film(s) of which no header says the view",
        "1 studies whose headers hold several AccessionNumber; the first is taken",
        "2 file(s) left out: a damaged DICOM file; fetch it again",
        "left out: without an image (Basic Text SR): pacs/PAT-4711/sr.dcm",
    ):
        assert said in shown, said
    assert "PAT" not in written(tmp_path / "out")


def test_the_join_is_a_choice_and_what_it_leaves_is_counted(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    code, _, error = prepare(capsys, SPLIT)
    assert code == 2 and "accession, study, patient; the table has accession (AccNr)" in error
    assert "--join patient: no column of befunde.xlsx says it" in prepare(capsys, "--join patient", SPLIT)[2]
    error = prepare(capsys, "--join patient --map patient=AccNr", SPLIT)[2]
    assert "its column AccNr holds the AccessionNumber of 4 of them: --map accession=AccNr" in error
    assert "PAT" not in error
    error = prepare(capsys, "--join accession --map id=AccNr", SPLIT)[2]
    assert "would be written as it is" in error
    rows = [["A1", "Eins."], ["A2", "Zwei."], ["A9", "Neun."], ["A3", "Drei."]]
    write_book(tmp_path / "befunde.xlsx", ["AccNr", "Befund"], *rows)
    code, shown, _ = prepare(capsys, "--join accession --split 80/20 --seed 3")
    assert code == 0
    assert "skipped 1: no study of the folder has its key" in shown
    assert "1 studies of the folder without a row in the table" in shown
    write_book(tmp_path / "befunde.xlsx", ["AccNr", "Befund"], ["A1", "Eins."], ["A1", "Zwei."], [None, "Drei."])
    error = prepare(capsys, "--join accession", SPLIT)[2]
    assert "row 3: a second report for the study of befunde.xlsx, row 2" in error and "row 4: no accession" in error


def test_a_patient_with_two_studies_is_not_joined_by_guessing(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_film(tree / "more" / "a.dcm", 60, study="1.2.3.8", patient="PAT-4711")
    write_table(tmp_path / "befunde.csv", "PatID;Befund", "PAT-4711;Eins.", "PAT-4712;Zwei.")
    command = "prepare medical_custom --source pacs --reports befunde.csv --join patient --split test --out out"
    assert run(command) == 1
    error = capsys.readouterr().err
    assert "befunde.csv, line 2: 2 studies have this patient" in error and "join by accession or study" in error
    (tree / "more" / "a.dcm").unlink()
    assert run(command) == 0
    write_table(tmp_path / "befunde.csv", "PatID;Befund", "XPAT-4711;Eins.")
    assert run(command) == 1
    assert "see that the column and --join say the same" in capsys.readouterr().err
    write_table(tmp_path / "befunde.csv", "PatID;Befund", "0PAT-4711;Eins.")
    assert run(command) == 1
    assert "1 differ in leading zeros or case alone" in capsys.readouterr().err


def test_the_table_may_say_split_and_patient(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = ["A1;Eins.;training;P1", "A2;Zwei.;Test;P2", "A3;Drei.;train;P3", "A4;Vier.;val;P4"]
    write_table(tmp_path / "r.csv", "AccNr;Befund;Split;PatID", *rows)
    command = "prepare medical_custom --source pacs --reports r.csv --join accession --per study --out out"
    assert run(command) == 0
    release = read_prepared(tmp_path / "out")
    assert {sample.answer: sample.split for sample in release.samples} == {
        "Eins.": "train",
        "Zwei.": "test",
        "Drei.": "train",
        "Vier.": "val",
    }
    assert "4 row(s) whose patient is another one than the header's, which is taken" in capsys.readouterr().out
    assert run(command + " --map split=Split --split 50/50") == 2
    capsys.readouterr()
    assert run(command + " --split 50/50") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "its column of splits is not used, as --split does" in shown
    assert "record(s) are in another split than in what was prepared there before" in shown
    write_table(tmp_path / "r.csv", "AccNr;Befund;Split;PatID", *rows[:3], "A4;Vier.;tset;P4")
    assert run(command) == 1
    assert "r.csv, line 5: 'tset' is no split" in capsys.readouterr().err
    for number, film in enumerate(path for path in sorted(tree.rglob("*")) if path.is_file()):
        write_film(film, number, study=f"1.2.3.{number // 2 + 1}", patient="")
    write_table(tmp_path / "r.csv", "AccNr;Befund;PatID", "A1;Eins.;P1", "A2;Zwei.;P1", "A3;Drei.;P2", "A4;Vier.;P3")
    assert run(command + " --split 50/50 --split-by patient") == 0
    assert "4 row(s) whose patient the table says, as no header does" in capsys.readouterr().out
    found = {sample.answer: sample for sample in read_prepared(tmp_path / "out").samples}
    assert found["Eins."].metadata["subject"] == found["Zwei."].metadata["subject"]
    assert found["Eins."].split == found["Zwei."].split


def test_columns_of_images_beside_a_folder_of_films(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_table(tmp_path / "r.csv", "AccNr;Befund;Bild", "A1;Eins.;x.png")
    command = "prepare medical_custom --source pacs --reports r.csv --join accession --split test --out out"
    assert run(command + " --map image=Bild") == 2
    assert "--map image=Bild: the images are the films of the folder" in capsys.readouterr().err
    assert run(command) == 0
    assert "its column of images is not used" in capsys.readouterr().out


def test_keys_that_lost_their_zeros_are_counted_where_others_fit(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_film(tree / "PAT-4719" / "x", 30, study="1.2.3.9", patient="PAT-4719", AccessionNumber="0042")
    write_film(tree / "PAT-4718" / "x", 31, study="1.2.3.7", patient="PAT-4718", AccessionNumber=None)
    write_table(tmp_path / "r.csv", "AccNr;Befund", "A1;Eins.", "42;Zwei.", "77;Drei.", "a2;Vier.")
    assert run("prepare medical_custom --source pacs --reports r.csv --join accession --split test --out out") == 0
    shown = capsys.readouterr().out
    assert "skipped 3: no study" in shown and "1 of them whose headers say no AccessionNumber" in shown
    assert "2 row(s) without a study differ from one in leading zeros" in shown


def test_films_without_texts_and_folders_without_films(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run("prepare medical_custom --source pacs --out out") == 2
    assert "--reports TABLE --join accession" in capsys.readouterr().err
    (tree / "liesmich.txt").write_text("Export of Monday\n")
    assert run("prepare medical_custom --source pacs --out out") == 2
    assert "--reports TABLE --join accession" in capsys.readouterr().err, "a read-me is no table"
    (tmp_path / "pacs2").mkdir()
    (tmp_path / "pacs2" / "a.txt").write_text("x")
    command = "prepare medical_custom --source pacs2 --reports befunde.xlsx --join accession --split test --out out"
    assert run(command) == 1
    assert "no DICOM film that can be shown" in capsys.readouterr().err


def test_questions_of_studies(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = [f"A{study},{text}" for study in range(1, 5) for text in ("Is it large?,yes", "Is it small?,no")]
    write_table(tmp_path / "q.csv", "accession,question,answer", *rows)
    command = (
        "prepare medical_custom --source pacs --reports q.csv --join accession --per study --split 50/50 --out out"
    )
    assert run(command) == 0
    release = read_prepared(tmp_path / "out")
    assert {split: len(rows) for split, rows in release.splits().items()} == {"train": 4, "test": 4}
    assert len({sample.id for sample in release.samples}) == 8
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["layout"] == "DICOM folder with a table" and len(manifest["sources"]) == 1


class Header(SimpleNamespace):
    def get(self, name: str, default: Any = None) -> Any:
        return getattr(self, name, default)


@pytest.mark.parametrize(
    ("tags", "view", "said_by"),
    [
        ({"ViewPosition": "AP"}, "frontal", "ViewPosition"),
        ({"ViewPosition": "LL", "SeriesDescription": "PA"}, "lateral", "ViewPosition"),
        ({"ViewPosition": "RLO"}, "rlo", "ViewPosition"),
        ({"ViewPosition": "MLO", "ImageLaterality": "L"}, "left mlo", "ViewPosition"),
        ({"ViewPosition": "", "SeriesDescription": "Thorax p.a. stehend"}, "frontal", "SeriesDescription"),
        ({"SeriesDescription": "CHEST_LAT"}, "lateral", "SeriesDescription"),
        ({"SeriesDescription": "Thorax ap und seitlich"}, "", UNTOLD),
        ({"SeriesDescription": "Lateralität", "ProtocolName": "W033 Thorax pa"}, "frontal", "ProtocolName"),
        ({"ViewCodeSequence": [Header(CodeMeaning="postero-anterior")]}, "frontal", "ViewCodeSequence"),
        ({"SeriesDescription": "Paris, Atlas"}, "", UNTOLD),
        ({}, "", UNTOLD),
    ],
)
def test_views(tags: dict[str, Any], view: str, said_by: str) -> None:
    assert view_of(Header(**tags)) == (view, said_by)
