"""Whole folders: looked at, cleaned, looked at again; drawings of ours and invented persons."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from PIL import Image, ImageDraw

from pefomed_plugin.cli import main
from pefomed_plugin.embedded.drawing import draw
from pefomed_plugin.embedded.scenes import CHEST, draw_scene
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.services.privacy import scanning
from pefomed_plugin.services.privacy.burned_in import Reader, ReadText, find_reader, may_hold_text
from pefomed_plugin.services.privacy.cleaning import CHANGES, Cleaner
from pefomed_plugin.services.privacy.recognisers import OWN, find_recogniser
from pefomed_plugin.services.privacy.scanning import Looker, frames_to_look_at, scan
from pefomed_plugin.services.privacy.sources import find_sources, spans_of_name

pydicom = pytest.importorskip("pydicom")
Dataset, FileMetaDataset = pydicom.dataset.Dataset, pydicom.dataset.FileMetaDataset
NAME = "MUELLER^HANS 12.04.1956"
CANARIES = ("Mueller", "MUELLER", "Hans", "4711234", "12.04.1956", "1956", "Weber", "Keller", "2019-03-04")
"""What must be nowhere: not on the screen, not in the JSON, not in a copy."""


@pytest.fixture(scope="module")
def chest():
    return draw(draw_scene(CHEST, Random("privacy"))).convert("L").resize((448, 448))


def written_on(image, text=NAME):
    image = image.copy()
    ImageDraw.Draw(image).text((8, 8), text, fill=255, font_size=18)
    return image


def write_dicom(path, image, number=0, **values):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = (
        f"1.2.276.0.7230010.3.1.4.{number + 1}.1234567"
    )
    dataset.StudyInstanceUID = "1.2.276.0.7230010.3.1.2.99999999"
    dataset.PatientName, dataset.PatientID, dataset.StudyDate = "MUELLER^HANS", "4711234", "20190304"
    dataset.Modality = "CR"
    dataset.Columns, dataset.Rows = image.size
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation, dataset.PixelData = 7, 0, image.tobytes()
    for name, value in values.items():
        setattr(dataset, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        dataset.save_as(path, enforce_file_format=True)
    except TypeError:
        dataset.save_as(path, write_like_original=False)


@pytest.fixture
def ward(tmp_path, chest):
    """A folder as a ward has it."""
    folder = tmp_path / "ward"
    write_dicom(folder / "Mueller_Hans" / "a.dcm", chest)
    write_dicom(folder / "Mueller_Hans" / "b.dcm", written_on(chest), 1)
    (folder / "report.txt").write_text(
        "Patient: Mueller, Hans, geb. 12.04.1956\nKein Erguss.\nBefundet von Dr. Weber\n"
    )
    (folder / "rows.csv").write_text("image,name,finding\nMueller_Hans/a.dcm,Anna Keller,no effusion\n")
    (folder / "answers.jsonl").write_text(
        json.dumps({"schema": 1, "text": "Mr. Weber, MRN 4711234, 2019-03-04"}) + "\n"
    )
    written_on(chest).save(folder / "burned.png")
    exif = Image.Exif()
    exif[0x013B] = "Hans Mueller"
    chest.save(folder / "photo.jpg", exif=exif, comment=b"of Hans Mueller")
    (folder / "weights.pth").write_bytes(b"\0\1\2")
    (folder / "clean.txt").write_text("No pneumothorax.\n")
    return folder


def texts_at(image):
    """An OCR that reads what the tests write: bright pixels in the first rows."""
    box = image.convert("L").crop((0, 0, 300, 30)).point(lambda value: 255 * (value > 250)).getbbox()
    return [ReadText(NAME, box)] if box else []


def looker(ocr=False, full_names=False):
    reader = Reader("OCR of this test", texts_at) if ocr else find_reader("none")
    return Looker(find_recogniser(OWN), reader, full_names)


def scanned(folder, **options):
    sources, links = find_sources([folder])
    return scan(sources, links, looker(**options))


def test_everything_planted_is_found_and_nothing_else_is(ward):
    found = scanned(ward, full_names=True)
    by_file = {
        file: Counter(one.kind for one in found.findings if one.file == file)
        for file in {one.file for one in found.findings}
    }
    assert by_file["Mueller_Hans"] == {"name": 1}
    assert {"name", "id", "date", "uid"} <= set(by_file["Mueller_Hans/a.dcm"]) and "burned in" not in by_file[
        "Mueller_Hans/a.dcm"
    ]
    assert by_file["Mueller_Hans/b.dcm"]["burned in"] == 1 and by_file["burned.png"] == {"burned in": 1}
    assert by_file["report.txt"] == {"name": 2, "date": 1}
    assert by_file["answers.jsonl"] == {"name": 1, "id": 1, "date": 1}
    assert by_file["photo.jpg"]["name"] == 2
    assert "clean.txt" not in by_file
    assert found.not_looked_at == {".pth": ["weights.pth"]} and found.unread == []


def test_a_place_is_a_line_and_a_column_or_a_tag(ward):
    places = {(one.file, one.place) for one in scanned(ward, full_names=True).findings}
    assert ("report.txt", "line 3, column 18") in places
    assert ("answers.jsonl", "line 1, text, column 5") in places
    assert ("rows.csv", "line 2, name, column 1") in places
    assert ("Mueller_Hans/a.dcm", "(0010,0010) PatientName") in places
    assert ("Mueller_Hans", "folder name") in places


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--most", "500"]])
def test_nothing_that_identifies_is_shown(ward, capsys, arguments):
    assert main(["privacy", "scan", str(ward), "--names", "own", "--ocr", "none", *arguments]) == 1
    said = capsys.readouterr()
    for canary in CANARIES:
        assert canary not in said.out and canary not in said.err
    assert ".pth" in said.out and ("weights" in said.out) is (arguments == ["--json"])


def test_what_is_clean_says_so(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("No pneumothorax. Dr. ___ agrees.\n")
    assert main(["privacy", "scan", str(tmp_path), "--names", "own", "--ocr", "none"]) == 0
    assert "nothing found" in capsys.readouterr().out


@pytest.mark.parametrize("ocr", [True, False])
def test_a_cleaned_copy_holds_nothing_and_the_original_is_as_it_was(ward, tmp_path, ocr):
    before = {path: path.read_bytes() for path in ward.rglob("*") if path.is_file()}
    sources, _ = find_sources([ward])
    done = Cleaner(looker(ocr), sources, tmp_path / "copy").copy(sources)
    assert {path: path.read_bytes() for path in before} == before
    copied = [path for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in copied) + "".join(map(str, copied)).encode()
    assert not [canary for canary in CANARIES if canary.encode() in content]
    assert done.not_copied == {".pth: no text": ["weights.pth"]}
    left = scanned(tmp_path / "copy", ocr=ocr).findings
    if ocr:
        assert left == [] and done.left == []
    else:
        assert {one.kind for one in left} == {"burned in"} and len(done.left) == 2
        assert all("no OCR could find" in one for one in done.left)
    assert (tmp_path / "copy" / "clean.txt").read_bytes() == (ward / "clean.txt").read_bytes()
    assert (tmp_path / "copy" / CHANGES).is_file()


def test_images_of_a_cleaned_copy_are_those_of_the_original(ward, tmp_path, chest):
    sources, _ = find_sources([ward])
    Cleaner(looker(True), sources, tmp_path / "copy").copy(sources)
    bare, blanked = sorted((tmp_path / "copy").rglob("*.dcm"))
    one, other = pydicom.dcmread(bare), pydicom.dcmread(blanked)
    assert one.PixelData == chest.tobytes() and one.StudyInstanceUID == other.StudyInstanceUID
    assert one.PatientID == other.PatientID != "4711234" and one.SOPInstanceUID != other.SOPInstanceUID
    black = Image.frombytes("L", (448, 448), other.PixelData)
    assert black.crop((8, 12, 200, 24)).getextrema() == (0, 0)
    below = (0, 60, 448, 448)
    assert black.crop(below).tobytes() == chest.crop(below).tobytes()
    photo = next((tmp_path / "copy").glob("photo.jpg"))
    assert Image.open(photo).tobytes() == Image.open(ward / "photo.jpg").tobytes()
    assert not Image.open(photo).getexif() and "comment" not in Image.open(photo).info


def test_names_of_files_are_replaced_where_texts_name_them(ward, tmp_path):
    sources, _ = find_sources([ward])
    Cleaner(looker(True), sources, tmp_path / "copy").copy(sources)
    (folder,) = [path for path in (tmp_path / "copy").iterdir() if path.is_dir()]
    named = (tmp_path / "copy" / "rows.csv").read_text().splitlines()[1]
    assert named.startswith(f"{folder.name}/a.dcm,[NAME],")


def test_no_file_of_a_copy_takes_the_place_of_another(tmp_path, capsys):
    """Files and folders of one name, a folder within another that is given, the table of an earlier cleaning."""
    for folder in ("a/ward", "b/ward"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "x.txt").write_text(f"of {folder}\n")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "x.txt").write_text("of c\n")
    given = [tmp_path / "a/ward", tmp_path / "b/ward", tmp_path / "a/ward/x.txt", tmp_path / "c/x.txt"]
    sources, _ = find_sources(given)
    assert [source.name for source in sources] == ["ward/x.txt", "ward-2/x.txt", "x-2.txt"]
    (tmp_path / "a" / "ward" / CHANGES).write_text("file,place,kind,done\n")
    arguments = ["--names", "own", "--ocr", "none", "--redact", "--out"]
    assert main(["privacy", "scan", str(tmp_path / "a" / "ward"), *arguments, str(tmp_path / "copy")]) == 0
    assert (tmp_path / "copy" / CHANGES).read_text() == "file,place,kind,done\n"
    assert "privacy-changes-2.csv" in capsys.readouterr().out and (tmp_path / "copy/privacy-changes-2.csv").is_file()


def test_rows_of_a_patient_and_images_stay_together(ward, tmp_path):
    """Numbers in a column of their own, and UIDs in any text, are the new ones of the headers."""
    uid = "1.2.276.0.7230010.3.1.2.99999999"
    (ward / "rows.csv").write_text(
        f"PatientID,study,finding\n4711234,{uid},a\n4711234,{uid},b\n4711235,,of MRN 4711234\n"
    )
    sources, _ = find_sources([ward])
    Cleaner(looker(True), sources, tmp_path / "copy").copy(sources)
    header = pydicom.dcmread(sorted((tmp_path / "copy").rglob("*.dcm"))[0])
    rows = [line.split(",") for line in (tmp_path / "copy" / "rows.csv").read_text().splitlines()[1:]]
    assert [row[0] for row in rows[:2]] == [header.PatientID] * 2 and rows[2][0] not in ("4711235", header.PatientID)
    assert [row[1] for row in rows[:2]] == [header.StudyInstanceUID] * 2 and rows[2][2] == "of MRN [ID]"
    assert not [one for one in scanned(tmp_path / "copy", ocr=True).findings if one.file == "rows.csv"]


def test_the_command_says_what_it_did(ward, tmp_path, capsys):
    words = [
        "privacy",
        "scan",
        str(ward),
        "--redact",
        "--out",
        str(tmp_path / "copy"),
        "--names",
        "own",
        "--ocr",
        "none",
    ]
    assert main(words) == 1  # text within two images is left
    said = capsys.readouterr().out
    assert (
        "what was changed" in said
        and "not cleaned:" in said
        and "1 .pth: no text:\n    - weights.pth" in said
        and "looked at again" in said
    )
    assert not [canary for canary in CANARIES if canary in said]
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("Patient: Hans Mueller\n")
    words = [
        "privacy",
        "scan",
        str(tmp_path / "texts"),
        "--redact",
        "--out",
        str(tmp_path / "again"),
        "--names",
        "own",
        "--ocr",
        "none",
    ]
    assert main(words) == 0
    assert "nothing is found in the copy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{ward}", "--redact"], "go together"),
        (["{ward}", "--out", "{ward}/x"], "go together"),
        (["{ward}", "--redact", "--out", "{ward}/x"], "within each other"),
        (["{ward}", "--redact", "--out", "{full}"], "not empty"),
        (["{ward}/nowhere"], "no such file or folder"),
        (["{ward}", "--ocr", "tesseract"], "not installed"),
        (["{ward}", "--names", "presidio"], "presidio_analyzer"),
    ],
)
def test_mistakes_are_said_before_anything_is_written(ward, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("pefomed_plugin.services.privacy.recognisers.find_spec", lambda name: None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("")
    assert main(["privacy", "scan", *(word.format(ward=ward, full=tmp_path / "full") for word in words)]) == 2
    assert said in capsys.readouterr().err


def test_ctrl_c_shows_what_was_found_so_far(ward, capsys, monkeypatch):
    looked = scanning.look_at_file

    def interrupted(source, *rest):
        if source.name == "report.txt":
            raise KeyboardInterrupt
        looked(source, *rest)

    monkeypatch.setattr(scanning, "look_at_file", interrupted)
    assert main(["privacy", "scan", str(ward), "--names", "own", "--ocr", "none"]) == 130
    said = capsys.readouterr().out
    assert "interrupted after 6 of 9 files" in said and "what was found" in said


def test_a_copy_is_its_owners_alone(ward, tmp_path, capsys):
    os.umask(0o022)  # the conftest puts it back
    words = ["privacy", "scan", str(ward), "--names", "own", "--ocr", "none", "--redact", "--out", str(tmp_path / "b")]
    main(words)
    assert not [path for path in (tmp_path / "b").rglob("*") if path.stat().st_mode & 0o077]
    assert "for you alone" in capsys.readouterr().out


def test_links_and_damaged_files_are_counted(tmp_path, capsys):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 20)
    (tmp_path / "a" / "y.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    os.symlink(tmp_path, tmp_path / "a" / "link")
    main(["privacy", "scan", str(tmp_path / "a"), "--names", "own", "--ocr", "none"])
    said = capsys.readouterr().out
    assert "1 links, which are not followed" in said and "y.png: no image that can be read" in said


@pytest.mark.parametrize("redact", [False, True])
def test_a_file_that_cannot_be_read_stops_nothing_and_shows_no_value(tmp_path, chest, capsys, recwarn, redact):
    folder = tmp_path / "a"
    write_dicom(folder / "Mueller_Hans.dcm", chest, 1, NumberOfFrames="1")
    write_dicom(folder / "pixels_Weber_Hans.dcm", chest, 2, PixelData=b"\0\0")
    for path in folder.iterdir():  # a number that is none: pydicom warns of it, and raises at its use
        path.write_bytes(path.read_bytes().replace(b"IS\x02\x001 ", b"IS\x02\x00XX"))
    (folder / "b.txt").write_text("Dr. Weber\n")
    os.mkfifo(folder / "pipe.txt")
    more = ["--redact", "--out", str(tmp_path / "copy")] if redact else []
    assert main(["privacy", "scan", str(folder), "--names", "own", "--ocr", "none", *more]) == 1
    said = capsys.readouterr()
    for reason in ("a damaged DICOM file (ValueError)", "cannot decode the DICOM pixels; ", "it is a named pipe"):
        assert reason in said.out
    assert not recwarn.list and not [canary for canary in CANARIES if canary in said.out + said.err]
    assert ("1 cleaned" in said.out) if redact else ("could not be read: 3" in said.out)


def test_no_path_is_an_error():
    with pytest.raises(ConfigError):
        find_sources([Path("/nowhere/at/all")])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Mueller_Hans_CT.dcm", True),
        ("hans-mueller.png", True),
        ("CT_20190304.dcm", True),
        ("pat 12345678.txt", True),
        ("synpic100228.jpg", False),
        ("CXR1_1_IM-0001-3001.dcm.png", False),
        ("s50414267.txt", False),
        ("eva_vit_g.pth", False),
        ("ImageCLEFmedCaption_2022_train_9012345.jpg", False),
        ("chest_frontal_001.png", False),
        ("checkpoint_last.pth", False),
    ],
)
def test_names_of_files(name, found):
    assert bool(spans_of_name(name)) is found


@pytest.mark.parametrize("name", ["Mueller_Hans_19570312.dcm", "19570312_Mueller_Hans", "MUELLER_HANS_T1.nii.gz"])
def test_a_number_in_the_name_of_a_file_does_not_hide_the_person(name):
    shown = Looker(find_recogniser(OWN), find_reader("none")).shown(name)
    assert "ueller" not in shown.lower() and "hans" not in shown.lower()


def test_the_guess_sees_a_line_of_text_and_no_anatomy(chest):
    assert may_hold_text(written_on(chest)) and not may_hold_text(chest)
    side = written_on(chest, "L")  # a side mark
    assert not may_hold_text(side)
    assert may_hold_text(written_on(Image.eval(chest, lambda value: value // 2)))


@pytest.mark.parametrize("colour", ["yellow", "blue", "red"])
def test_the_guess_sees_coloured_text_and_text_on_end(chest, colour):
    image = chest.convert("RGB")
    assert not may_hold_text(image)
    ImageDraw.Draw(image).text((8, 8), NAME, fill=colour, font_size=18)
    assert may_hold_text(image) and may_hold_text(image.rotate(90)) and may_hold_text(image.rotate(270))


def test_the_guess_is_told_also_where_the_header_says_that_there_is_no_text(tmp_path, chest):
    write_dicom(tmp_path / "a" / "x.dcm", written_on(chest), BurnedInAnnotation="NO")
    assert [one.excerpt for one in scanned(tmp_path / "a").findings if one.kind == "burned in"] == [
        "a guess; the header says NO"
    ]
    sources, _ = find_sources([tmp_path / "a"])
    assert "no OCR could find" in Cleaner(looker(), sources, tmp_path / "b").copy(sources).left[0]


def test_what_ocr_reads_is_judged_by_its_words():
    box = (0, 0, 1, 1)
    assert [ReadText(text, box).kind for text in (NAME, "LEFT", "R", "120 kV", "PORTABLE", "Station B2", "WL: 40")] == [
        *("name", "", "", "", "", "description", "")
    ]


def test_frames_are_spread_over_the_file():
    assert frames_to_look_at(3) == [0, 1, 2] and frames_to_look_at(101) == [0, 25, 50, 75, 100]


def test_a_folder_that_cannot_be_entered_is_no_success(tmp_path, capsys, monkeypatch):
    (tmp_path / "a" / "closed").mkdir(parents=True)
    (tmp_path / "a" / "x.txt").write_text("clear\n")
    walk = os.scandir

    def refused(path="."):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return walk(path)

    monkeypatch.setattr(os, "scandir", refused)
    for more in ([], ["--redact", "--out", str(tmp_path / "b")]):
        assert main(["privacy", "scan", str(tmp_path / "a"), "--names", "own", "--ocr", "none", *more]) == 1
        assert "this folder cannot be entered" in capsys.readouterr().out


def test_a_table_without_a_header_shows_no_value_as_a_column(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("weber;1956;MRN 4711234\nkeller;1957;MRN 4711235\n")
    main(["privacy", "scan", str(tmp_path), "--names", "own", "--ocr", "none"])
    said = capsys.readouterr().out
    assert "line 2, column 3" in said and "weber" not in said and "1956" not in said


def test_names_that_macos_writes(tmp_path):
    decomposed = "Ju\u0308rgen_Mu\u0308ller.txt"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / decomposed).write_text("Patient: Mu\u0308ller, Ju\u0308rgen\nFrau\u00a0Eva\u00a0O\u0308zdemir\n")
    found = scanned(tmp_path / "a")
    assert [one.kind for one in found.findings] == ["name"] * 3 and "ller" not in found.findings[0].file
    sources, _ = find_sources([tmp_path / "a"])
    Cleaner(looker(), sources, tmp_path / "b").copy(sources)
    (copy,) = (tmp_path / "b").glob("redacted-*")
    assert copy.read_text() == "Patient: [NAME]\nFrau\u00a0[NAME]\n"


def test_a_name_that_is_no_text_is_shown(tmp_path, capsys):
    path = os.fsencode(tmp_path) + b"/\xff\n\x1b[31m.txt"
    with open(path, "w") as file:
        file.write("Patient: Hans Mueller\n")
    assert main(["privacy", "scan", str(tmp_path), "--names", "own", "--ocr", "none"]) == 1
    assert "\x1b[31m" not in capsys.readouterr().out
    assert main(["privacy", "scan", str(tmp_path), "--names", "own", "--ocr", "none", "--json"]) == 1
    json.loads(capsys.readouterr().out)


def test_places_far_along_a_line_are_no_finding_in_the_table_of_changes(tmp_path, capsys):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text("no effusion " * 90_000 + "Dr. Weber\n")
    words = ["privacy", "scan", str(tmp_path / "a"), "--names", "own", "--ocr", "none"]
    assert main([*words, "--redact", "--out", str(tmp_path / "b")]) == 0
    assert "nothing is found in the copy" in capsys.readouterr().out
    assert "column 1,080,005" in (tmp_path / "b" / CHANGES).read_text()
