"""MIMIC-CXR-JPG with its reports: where they lie, sections, splits, converted copies, and damage. All invented."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.readers.mimic_cxr import MIMIC_CXR

from .files import write_json, write_lines

HOME = "mimic-cxr-jpg/2.0.0"
HEADER = "dicom_id,study_id,subject_id,split"
WITH_BOTH, FINDINGS_ONLY, BARE, ADDENDUM, BY_HAND = "50000001", "50000002", "50000003", "50000004", "59363654"
REPORTS = {
    WITH_BOTH: "FINAL REPORT\n FINDINGS: \n \n The invented lungs\n are clear. ___ heart.\n \n IMPRESSION: No mass.\n",
    FINDINGS_ONLY: "FINAL REPORT\n FINDINGS: Invented line.\n",
    BARE: "FINAL REPORT\n HISTORY: cough\n \n Invented chest.\n",
    ADDENDUM: "\n WET READ: Later.\n " + "_" * 30 + "\n FINAL REPORT\n FINDINGS: First.\n",
    BY_HAND: "FINAL REPORT\n EXAMINATION: Written here.\n FINDINGS: not here\n",
}


def dicom(number: int) -> str:
    return "-".join([f"{number:08x}"] * 5)


def subject(study: str) -> str:
    return "1" + study[1:]


def report_name(study: str) -> str:
    return "p{0:.2}/p{0}/s{1}.txt".format(subject(study), study)


def write_tables(home: Path, packed: bool = True) -> None:
    rows = [
        (1, WITH_BOTH, "train"),
        (2, WITH_BOTH, "train"),
        (3, FINDINGS_ONLY, "validate"),
        (4, BARE, "test"),
        (5, ADDENDUM, "test"),
        (6, BY_HAND, "train"),
        (7, "50000009", "train"),
    ]
    split = [HEADER, *(f"{dicom(each)},{study},{subject(study)},{part}" for each, study, part in rows)]
    metadata = ["dicom_id,subject_id,study_id,ViewPosition", f"{dicom(1)},1,5,PA", f"{dicom(2)},1,5,"]
    for name, lines in (("split", split), ("metadata", metadata)):
        path = write_lines(home / f"mimic-cxr-2.0.0-{name}.csv", *lines)
        if packed:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()


def write_reports(files: Path) -> None:
    for study, text in REPORTS.items():
        (files / report_name(study)).parent.mkdir(parents=True, exist_ok=True)
        (files / report_name(study)).write_text(text, encoding="utf-8")


def write_zip(path: Path, folder: str = "files/") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for study, text in REPORTS.items():
            archive.writestr(folder + report_name(study), text)


def answers(root: Path, section: str) -> dict[str, str]:
    release = MIMIC_CXR.read(root, section=section)
    assert len(release.samples) + len(release.skips) == 7
    return {sample.metadata["study"]: sample.answer for sample in release.samples}


def problems(root: Path, **options: Any) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        MIMIC_CXR.read(root, **options)
    return (caught.value.summary, *caught.value.problems)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with both releases side by side, the reports still packed."""
    write_tables(tmp_path / HOME)
    write_zip(tmp_path / "mimic-cxr/2.0.0/mimic-cxr-reports.zip")
    return tmp_path


def test_samples_of_the_release(root: Path) -> None:
    release = MIMIC_CXR.read(root)
    assert release.layout == "MIMIC-CXR-JPG, reports in mimic-cxr/2.0.0/mimic-cxr-reports.zip"
    assert release.image_root == root / HOME / "files"
    assert [(sample.id, sample.split, sample.metadata["study"]) for sample in release.samples] == [
        ("mimic_cxr-" + dicom(1), "train", WITH_BOTH),
        ("mimic_cxr-" + dicom(2), "train", WITH_BOTH),
        ("mimic_cxr-" + dicom(3), "val", FINDINGS_ONLY),
        ("mimic_cxr-" + dicom(5), "test", ADDENDUM),
    ]
    first, second = release.samples[:2]
    assert first.only_image == f"p10/p10000001/s50000001/{dicom(1)}.jpg"
    assert (first.task, first.question) == ("caption", None)
    assert first.metadata == {"study": WITH_BOTH, "subject": "10000001", "view_position": "PA"}
    assert second.metadata == {"study": WITH_BOTH, "subject": "10000001"}
    assert [path.name for path in release.files] == ["mimic-cxr-2.0.0-split.csv.gz", "mimic-cxr-2.0.0-metadata.csv.gz"]


def test_every_row_without_text_is_counted(root: Path) -> None:
    assert [(skip.where, skip.reason) for skip in MIMIC_CXR.read(root).skips] == [
        ("mimic-cxr-2.0.0-split.csv.gz, line 5", "no findings section"),
        ("mimic-cxr-2.0.0-split.csv.gz, line 7", "left out of the official table of sections"),
        ("mimic-cxr-2.0.0-split.csv.gz, line 8", "no report file"),
    ]


def test_sections(root: Path) -> None:
    findings = "The invented lungs are clear. ___ heart."
    assert answers(root, "findings") == {WITH_BOTH: findings, FINDINGS_ONLY: "Invented line.", ADDENDUM: "First."}
    assert answers(root, "impression") == {WITH_BOTH: "No mass."}
    assert answers(root, "both") == {
        WITH_BOTH: findings + " No mass.",
        FINDINGS_ONLY: "Invented line.",
        ADDENDUM: "First.",
    }
    assert answers(root, "official") == {
        WITH_BOTH: "No mass.",
        FINDINGS_ONLY: "Invented line.",
        BARE: "Invented chest.",
        ADDENDUM: "First.",
        BY_HAND: "Written here.",
    }


def test_an_unknown_section_is_a_mistake_of_the_configuration(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"mimic_cxr\.section: unknown value 'finding'; did you mean 'findings'"):
        MIMIC_CXR.read(root, section="finding")


@pytest.mark.parametrize("home", ["", HOME, "physionet.org/files/" + HOME, "mimic-cxr-jpg/2.1.0"])
@pytest.mark.parametrize("packed", [True, False])
def test_places_of_the_tables(tmp_path: Path, home: str, packed: bool) -> None:
    write_tables(tmp_path / home, packed)
    write_zip(tmp_path / home / "mimic-cxr-reports.zip", "mimic-cxr-reports/files/")
    release = MIMIC_CXR.read(tmp_path)
    assert (release.image_root, len(release.samples)) == (tmp_path / home / "files", 4)


@pytest.mark.parametrize(
    "place",
    [
        "files",
        "mimic-cxr-reports/files",
        HOME + "/files",
        HOME + "/mimic-cxr-reports/files",
        "mimic-cxr/2.0.0/files",
        "mimic-cxr/2.0.0/mimic-cxr-reports/files",
        "physionet.org/files/mimic-cxr/2.0.0/files",
    ],
)
def test_places_of_unpacked_reports(tmp_path: Path, place: str) -> None:
    write_tables(tmp_path / HOME)
    (tmp_path / HOME / "files/p10/p10000001/s50000001").mkdir(parents=True)
    write_reports(tmp_path / place)
    release = MIMIC_CXR.read(tmp_path)
    assert release.layout == "MIMIC-CXR-JPG, reports in " + place
    assert len(release.samples) == 4


def test_no_reports_says_where_they_are_looked_for(tmp_path: Path) -> None:
    write_tables(tmp_path / HOME)
    found = problems(tmp_path)
    assert "the JPG release has none" in found[0]
    assert any("mimic-cxr-reports.zip" in each for each in found[1:])


def test_windows_line_ends_in_a_report(root: Path) -> None:
    path = root / "files" / report_name(FINDINGS_ONLY)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"FINAL REPORT\r\n FINDINGS: Invented line.\r\n")
    assert answers(root, "findings") == {FINDINGS_ONLY: "Invented line."}


def test_each_report_is_read_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    read = zipfile.ZipFile.read
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda self, name: names.append(name) or read(self, name))
    samples = MIMIC_CXR.read(root).samples
    assert len(names) == len(set(names)) == len(REPORTS)
    assert samples[0].answer is samples[1].answer


def test_a_cut_table_and_a_cut_zip_are_named(root: Path) -> None:
    archive = root / "mimic-cxr/2.0.0/mimic-cxr-reports.zip"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-30])
    assert "mimic-cxr-reports.zip: damaged zip" in problems(root)[0]
    archive.write_bytes(whole)
    table = root / HOME / "mimic-cxr-2.0.0-split.csv.gz"
    table.write_bytes(table.read_bytes()[:-12])
    assert "mimic-cxr-2.0.0-split.csv.gz: damaged after line" in problems(root)[0]


def test_a_damaged_report_in_the_zip_is_named_and_not_shown(root: Path) -> None:
    archive = root / "mimic-cxr/2.0.0/mimic-cxr-reports.zip"
    with zipfile.ZipFile(archive) as opened:
        start = opened.getinfo("files/" + report_name(WITH_BOTH)).header_offset
    data = bytearray(archive.read_bytes())
    data[start + 80] ^= 0xFF
    archive.write_bytes(bytes(data))
    said = " ".join(problems(root))
    assert f"s{WITH_BOTH}.txt: damaged zip" in said and "lungs" not in said


def test_rows_that_are_not_of_the_release_are_reported_together(root: Path) -> None:
    table = root / HOME / "mimic-cxr-2.0.0-split.csv"
    good = "{},50000001,10000001,{}"
    write_lines(
        table,
        HEADER,
        good.format(dicom(1), "train"),
        good.format(dicom(2), "valid"),
        f"{dicom(3)},../../etc,10000001,train",
        good.format("x/../../y", "train"),
        good.format(dicom(1), "train"),
        f"{dicom(4)},50000001",
    )
    found = problems(root)
    assert [sample.split(":")[0][-6:] for sample in found[1:5]] == ["line 3", "line 4", "line 5", "line 7"]
    assert found[5].startswith(f"id 'mimic_cxr-{dicom(1)}' occurs twice")


def test_a_wrong_column_and_a_wrong_delimiter(root: Path) -> None:
    table = root / HOME / "mimic-cxr-2.0.0-split.csv"
    write_lines(table, HEADER.replace("split", "part"))
    assert "missing column(s) split" in problems(root)[0]
    write_lines(table, HEADER.replace(",", ";"))
    assert "separated by semicolons" in problems(root)[0]


def test_a_report_that_is_not_utf8(root: Path) -> None:
    path = root / "files" / report_name(WITH_BOTH)
    path.parent.mkdir(parents=True)
    path.write_bytes("\n FINDINGS: 30°".encode("latin1"))
    assert f"s{WITH_BOTH}.txt: byte 14 is not UTF-8" in problems(root)[0]


@pytest.mark.parametrize("linked", ["p10", "p10/p10000001", "p10/p10000001/s50000001.txt"])
def test_reports_that_link_out_of_their_folder_are_refused(root: Path, linked: str) -> None:
    write_reports(root / "outside")
    write_reports(root / "files")
    target = root / "files" / linked
    os.rename(target, root / "gone")
    target.symlink_to(root / "outside" / linked)
    assert "copy the reports into the folder" in problems(root)[0]


def test_none_or_two_releases(tmp_path: Path, root: Path) -> None:
    assert "holds none of the known layouts" in problems(root / "mimic-cxr")[0]
    write_tables(root / "mimic-cxr-jpg/2.1.0")
    assert "holds 2 releases; keep one" in problems(root)[0]
    write_json(root / "annotation.json", {})
    assert "holds 2 layouts; keep one" in problems(root)[0]


def record(number: int, **changes: Any) -> dict[str, Any]:
    image = f"p10/p10000001/s50000001/{dicom(number)}.jpg"
    return {
        "id": dicom(number),
        "study_id": 50000001,
        "subject_id": 10000001,
        "report": "Invented.",
        "image_path": [image],
        "split": "train",
        **changes,
    }


def test_the_annotation_of_r2gen(tmp_path: Path) -> None:
    write_json(
        tmp_path / "annotation.json", {"train": [record(1)], "val": [record(2, report=" ")], "test": [record(3)]}
    )
    (tmp_path / "images").mkdir()
    release = MIMIC_CXR.read(tmp_path)
    assert (release.layout, release.image_root) == ("R2Gen annotation", tmp_path / "images")
    assert [(sample.id, sample.split, sample.only_image) for sample in release.samples] == [
        ("mimic_cxr-" + dicom(number), split, record(number)["image_path"][0])
        for number, split in ((1, "train"), (3, "test"))
    ]
    assert release.samples[0].metadata == {"study": "50000001", "subject": "10000001"}
    assert [skip.where for skip in release.skips] == ["annotation.json, val record 0"]


def test_the_json_of_pefomed(tmp_path: Path) -> None:
    image = record(1)["image_path"][0]
    write_json(tmp_path / "train.json", {image: ["First.", "Second."]})
    write_json(tmp_path / "val.json", {"odd name.jpg": ["Third."]})
    release = MIMIC_CXR.read(tmp_path)
    assert (release.layout, release.image_root) == ("PeFoMed JSON", tmp_path)
    assert [(sample.id, sample.split, sample.only_image, sample.answer) for sample in release.samples] == [
        ("mimic_cxr-" + dicom(1), "train", image, "First."),
        ("mimic_cxr-odd name.jpg", "val", "odd name.jpg", "Third."),
    ]


def test_converted_copies_have_no_choice_of_section(tmp_path: Path) -> None:
    write_json(tmp_path / "train.json", {"x.jpg": ["First."]})
    assert "leave out section=impression" in problems(tmp_path, section="impression")[1]


def test_damaged_converted_copies(tmp_path: Path) -> None:
    write_json(tmp_path / "annotation.json", {"train": [record(1, image_path=[]), {"id": 1}, 5], "val": []})
    found = problems(tmp_path)
    assert [sample.split(";")[0] for sample in found[1:]] == [
        "annotation.json, train record 0: image_path holds no path",
        "annotation.json, train record 1: missing report, image_path",
        "annotation.json, train record 2: expected an object, found int",
        "annotation.json: no list of records under 'test'",
    ]
    (tmp_path / "annotation.json").rename(tmp_path / "train.json")
    write_json(tmp_path / "train.json", {"../x.jpg": ["Out."], "y.jpg": [], "z.jpg": 3})
    write_json(tmp_path / "val.json", [])
    found = problems(tmp_path)
    assert "leads out of" in found[1] and "expected text" in found[2] and "expected text" in found[3]
    assert found[4] == "val.json: expected image paths with their reports, found list"
    (tmp_path / "train.json").write_text(json.dumps({"a.jpg": ["x"]})[:-2], encoding="utf-8")
    assert "not JSON" in problems(tmp_path)[0]
