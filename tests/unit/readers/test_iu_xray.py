"""IU-Xray: R2Gen's packaging, OpenI's XML, Kaggle's tables, and where each takes its split from."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.readers.iu_studies import split_by_hash
from pefomed_plugin.readers.iu_xray import IU_XRAY
from pefomed_plugin.readers.views import NOT_SHOWN, Film, all_films, count_views

from .files import Row, write_json

REPORT = "The invented heart is normal. No XXXX seen."
XML = """<?xml version="1.0" encoding="utf-8"?>
<eCitation><meta type="rr"/><uId id="{id}"/>
 <MedlineCitation><Article><Abstract>
   <AbstractText Label="COMPARISON">None.</AbstractText>
   <AbstractText Label="FINDINGS">{findings}</AbstractText>
   <AbstractText Label="IMPRESSION">{impression}</AbstractText>
 </Abstract></Article></MedlineCitation>
 {images}
</eCitation>"""
KAGGLE_REPORTS = ("uid", "MeSH", "Problems", "image", "indication", "comparison", "findings", "impression")


def record(key: str, split: str, **changes: Any) -> Row:
    images = [f"{key}/{number}.png" for number in range(2)]
    return {"id": key, "report": REPORT, "image_path": images, "split": split, **changes}


def annotation() -> dict[str, list[Row]]:
    return {
        "train": [record("CXR1_1_IM-0001", "train"), record("CXR9997_IM-0002-1001", "train")],
        "val": [record("CXR9998_IM-0003", "val")],
        "    ": [record("CXR9999_IM-0004", "test", report="invented " * 60)],
    }


def write_r2gen(root: Path, content: Any = None) -> Path:
    write_json(root / "annotation.json", annotation() if content is None else content)
    return root


def write_openi(root: Path, number: int, *images: str, findings: str = REPORT, impression: str = "") -> Path:
    parents = [f'<parentImage id="{image}"><url>/invented/{image}.jpg</url></parentImage>' for image in images]
    path = root / f"ecgen-radiology/{number}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        XML.format(id=f"CXR{number}", findings=findings, impression=impression, images="\n ".join(parents)),
        encoding="utf-8",
    )
    return path


def write_kaggle(root: Path) -> Path:
    reports = [
        {"uid": "9997", "findings": REPORT, "impression": "Invented."},
        {"uid": "9998", "impression": 'Invented, and "quoted".'},
        {"uid": "9999", "findings": "Two\nlines."},
    ]
    projections = [
        ("9999", "9999_IM-0004-1001.dcm.png", "Lateral"),
        ("9997", "9997_IM-0002-1001.dcm.png", "Frontal"),
        ("9999", "9999_IM-0005-2001.dcm.png", "Frontal"),
    ]
    root.mkdir(exist_ok=True)
    with open(root / "indiana_reports.csv", "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, KAGGLE_REPORTS, restval="")
        table.writeheader()
        table.writerows(reports)
    with open(root / "indiana_projections.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("uid", "filename", "projection"), *projections])
    return root


def message(root: Path, **options: str) -> str:
    with pytest.raises(DataError) as caught:
        IU_XRAY.read(root, **options)
    return str(caught.value)


def test_r2gen_gives_a_sample_for_each_image(tmp_path: Path) -> None:
    release = IU_XRAY.read(write_r2gen(tmp_path))
    assert (release.layout, release.image_root) == ("R2Gen", tmp_path / "images")
    assert Counter(sample.split for sample in release.samples) == {"train": 4, "val": 2, "test": 2}
    first, second = release.samples[:2]
    assert (first.id, second.id) == ("iu_xray-CXR1_1_IM-0001/0", "iu_xray-CXR1_1_IM-0001/1")
    assert (second.only_image, second.answer, second.question, second.task) == (
        "CXR1_1_IM-0001/1.png",
        REPORT,
        None,
        "report",
    )
    assert second.metadata == {
        "split_from": "annotation.json",
        "study": "CXR1_1_IM-0001",
        "source_id": "CXR1_1_IM-0001/1.png",
    }


def test_r2gen_gives_a_sample_for_each_study(tmp_path: Path) -> None:
    release = IU_XRAY.read(write_r2gen(tmp_path), per="study")
    assert [(sample.id, sample.split) for sample in release.samples] == [
        ("iu_xray-CXR1_1_IM-0001", "train"),
        ("iu_xray-CXR9997_IM-0002-1001", "train"),
        ("iu_xray-CXR9998_IM-0003", "val"),
        ("iu_xray-CXR9999_IM-0004", "test"),
    ]
    assert release.samples[3].only_image == "CXR9999_IM-0004/0.png"
    assert release.samples[3].metadata["images"] == ["CXR9999_IM-0004/0.png", "CXR9999_IM-0004/1.png"]
    assert len(release.samples[3].answer.split()) == 60


def test_a_record_without_split_takes_its_key(tmp_path: Path) -> None:
    plain = record("CXR9_IM-0001", "val")
    del plain["split"]
    assert IU_XRAY.read(write_r2gen(tmp_path, {"val": [plain]})).samples[0].split == "val"
    assert "split 'dev' under the key 'dev'" in message(write_r2gen(tmp_path, {"dev": [plain]}))


def test_options_are_checked(tmp_path: Path) -> None:
    write_r2gen(tmp_path)
    with pytest.raises(ConfigError, match=r"iu_xray\.per: unknown value 'studies'; did you mean 'study'"):
        IU_XRAY.read(tmp_path, per="studies")
    with pytest.raises(ConfigError, match=r"iu_xray\.section: unknown value 'all'"):
        IU_XRAY.read(tmp_path, section="all")
    with pytest.raises(ConfigError, match="holds findings only, not 'impression'"):
        IU_XRAY.read(tmp_path, section="impression")


def test_damage_of_an_annotation_is_told_together(tmp_path: Path) -> None:
    cut = record("CXR2_IM-0001", "train")
    del cut["report"]
    content = {
        "train": [cut, "a text", record("CXR3_IM-0001", "test"), record("CXR4_IM-0001", "train", image_path="0")],
        "test": [record("CXR5_IM-0001", "test", image_path=["../../0.png"])],
    }
    text = message(write_r2gen(tmp_path, content))
    for told in (
        "'train' record 0: missing report",
        "'train' record 1: expected an object, found str",
        "'train' record 2 (CXR3_IM-0001): split 'test' under the key 'train'",
        "'train' record 3: id and report are not texts or image_path is not a list",
        "(CXR5_IM-0001): image '../../0.png' leads out of",
    ):
        assert told in text


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([], "expected an object with a list for each split"),
        ({"train": {}}, "expected an object with a list"),
        ({"train": [record("CXR2_IM-0001", "train")] * 2}, "id 'iu_xray-CXR2_IM-0001/0' occurs twice"),
    ],
)
def test_an_annotation_of_another_shape_is_refused(tmp_path: Path, content: Any, told: str) -> None:
    assert told in message(write_r2gen(tmp_path, content))


def test_an_annotation_may_have_a_byte_order_mark_but_not_be_cut(tmp_path: Path) -> None:
    write_json(tmp_path / "annotation.json", annotation(), encoding="utf-8-sig")
    assert len(IU_XRAY.read(tmp_path).samples) == 8
    (tmp_path / "annotation.json").write_text('{"train": [', encoding="utf-8")
    assert "annotation.json, line 1, column 12: not JSON" in message(tmp_path)


def test_studies_without_image_or_report_are_skipped_and_counted(tmp_path: Path) -> None:
    content = {"train": [record("CXR2_IM-0001", "train", report=" "), record("CXR3_IM-0001", "train", image_path=[])]}
    release = IU_XRAY.read(write_r2gen(tmp_path, content))
    assert [skip.reason for skip in release.skips] == ["no findings text", "no image"]
    assert release.skips[0].where == "annotation.json, 'train' record 0 (CXR2_IM-0001)"


def test_a_symbolic_link_out_of_the_images_is_refused(tmp_path: Path) -> None:
    root = write_r2gen(tmp_path / "release")
    (tmp_path / "outside").mkdir()
    (root / "images").mkdir()
    (root / "images/CXR9998_IM-0003").symlink_to(tmp_path / "outside")
    assert "image 'CXR9998_IM-0003/1.png' leads out of" in message(root)


def test_openi_reads_sections_and_names_the_png(tmp_path: Path) -> None:
    write_openi(tmp_path, 10, "CXR10_IM-0002-1001", impression=" Invented &amp; short.\n")
    write_openi(tmp_path, 9, "CXR9_IM-0001-1001", "CXR9_IM-0001-2001")
    write_openi(tmp_path, 11, "CXR11_IM-0003-1001", findings="")
    write_openi(tmp_path, 12)
    release = IU_XRAY.read(tmp_path)
    assert release.layout == "OpenI XML (split: seeded hash of the study id, 7:1:2)"
    assert [(sample.id, sample.only_image, sample.answer) for sample in release.samples] == [
        ("iu_xray-CXR9_IM-0001-1001", "CXR9_IM-0001-1001.png", REPORT),
        ("iu_xray-CXR9_IM-0001-2001", "CXR9_IM-0001-2001.png", REPORT),
        ("iu_xray-CXR10_IM-0002-1001", "CXR10_IM-0002-1001.png", REPORT),
    ]
    assert Counter(skip.reason for skip in release.skips) == {"no findings text": 1, "no image": 1}
    assert IU_XRAY.read(tmp_path, section="both").samples[2].answer == REPORT + " Invented & short."
    assert [sample.answer for sample in IU_XRAY.read(tmp_path, section="impression").samples] == ["Invented & short."]


@pytest.mark.parametrize("folder", ["NLMCXR_png", "images", "."])
def test_openi_images_lie_where_they_were_unpacked(tmp_path: Path, folder: str) -> None:
    write_openi(tmp_path, 9, "CXR9_IM-0001-1001")
    assert IU_XRAY.read(tmp_path).image_root == tmp_path / "NLMCXR_png"
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "CXR9_IM-0001-1001.png").write_bytes(b"an image")
    assert IU_XRAY.read(tmp_path).image_root == tmp_path / folder


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "<eCitation>",
            '<!DOCTYPE eCitation [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<eCitation>',
            "holds <!DOCTYPE",
        ),
        ("<eCitation>", '<!DOCTYPE eCitation SYSTEM "http://example.org/x.dtd">\n<eCitation>', "holds <!DOCTYPE"),
        ("The invented", "&x;The invented", "not XML (undefined entity"),
        ("</eCitation>", "", "not XML (no element found: line"),
        ('<uId id="CXR9"/>', "", "uId '' is not of the form CXR9999"),
    ],
)
def test_a_damaged_or_hostile_report_is_named_and_the_others_are_read(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    path = write_openi(tmp_path, 9, "CXR9_IM-0001-1001")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    write_openi(tmp_path, 10, "../CXR10_IM-0001-1001")
    text = message(tmp_path)
    assert "9.xml: " + told in text and "10.xml: image '../CXR10_IM-0001-1001.png' leads out of" in text


def test_a_declaration_cannot_hide_in_another_encoding(tmp_path: Path) -> None:
    path = write_openi(tmp_path, 9, "CXR9_IM-0001-1001")
    hostile = '<!DOCTYPE e [<!ENTITY x "y">]>' + path.read_text(encoding="utf-8").partition("?>")[2]
    path.write_bytes(hostile.encode("utf-16"))
    assert "9.xml: it is UTF-16, not UTF-8" in message(tmp_path)


def test_kaggle_joins_reports_and_images(tmp_path: Path) -> None:
    release = IU_XRAY.read(write_kaggle(tmp_path))
    assert release.layout == "Kaggle (split: seeded hash of the study id, 7:1:2)"
    assert release.image_root == tmp_path / "images/images_normalized"
    assert [
        (sample.id, sample.metadata["study"], sample.metadata["view"], sample.answer) for sample in release.samples
    ] == [
        ("iu_xray-9997_IM-0002-1001.dcm", "CXR9997", "Frontal", REPORT),
        ("iu_xray-9999_IM-0004-1001.dcm", "CXR9999", "Lateral", "Two\nlines."),
        ("iu_xray-9999_IM-0005-2001.dcm", "CXR9999", "Frontal", "Two\nlines."),
    ]
    assert [(skip.where, skip.reason) for skip in release.skips] == [
        ("indiana_reports.csv, line 3 (uid 9998)", "no image")
    ]
    study = IU_XRAY.read(tmp_path, per="study").samples[1]
    assert (study.id, study.metadata["images"]) == (
        "iu_xray-CXR9999",
        ["9999_IM-0004-1001.dcm.png", "9999_IM-0005-2001.dcm.png"],
    )


def test_kaggle_takes_the_split_of_an_annotation_beside_it(tmp_path: Path) -> None:
    beside = {
        "val": [record("CXR9997_IM-0002", "val"), record("CXR9995_IM-0001", "val")],
        "test": [record("CXR9999_IM-0004", "test")],
    }
    root = write_r2gen(write_kaggle(tmp_path), beside)
    assert IU_XRAY.read(root).layout == "R2Gen"
    (root / "images/images_normalized").mkdir(parents=True)
    release = IU_XRAY.read(root)
    assert release.layout == "Kaggle (split: annotation.json)"
    assert [sample.split for sample in release.samples] == ["val", "test", "test"]
    assert [(sample.metadata["r2gen_id"], sample.metadata["same_series"]) for sample in release.samples[:2]] == [
        ("CXR9997_IM-0002", True),
        ("CXR9999_IM-0004", False),
    ]
    assert [(skip.where, skip.reason) for skip in release.skips] == [
        ("indiana_reports.csv, line 3 (uid 9998)", "not in annotation.json"),
        ("annotation.json (CXR9995_IM-0001)", "no report in the release"),
    ]


def test_openi_takes_the_split_of_an_annotation_beside_it(tmp_path: Path) -> None:
    write_openi(write_r2gen(tmp_path), 1, "CXR1_1_IM-0001-3001")
    release = IU_XRAY.read(tmp_path)
    assert release.layout == "OpenI XML (split: annotation.json)"
    assert [(sample.split, sample.metadata["same_series"]) for sample in release.samples] == [("train", True)]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("indiana_reports.csv", "uid;findings;impression\n1;a;b\n", "the columns are separated by semicolons"),
        ("indiana_reports.csv", "uid,findings,impression\n1.0,a,b\n", "line 2 (uid 1.0): the uid is not a number"),
        ("indiana_reports.csv", "uid,findings,impression\n9999,a,b\n9999,a,b\n9997,a,b\n", "the uid occurs twice"),
        ("indiana_reports.csv", "uid,findings,impression\n9999,a,b\n", "uid 9997 has no report in indiana_reports.csv"),
        ("indiana_reports.csv", 'uid,findings,impression\n9999,"a,b\n', "not a comma CSV"),
        ("indiana_projections.csv", "uid,filename\n9999,a.png\n", "missing column(s) projection"),
        (
            "indiana_projections.csv",
            "uid,filename,projection\n9999,../a.png,Frontal\n",
            "image '../a.png' leads out of",
        ),
    ],
)
def test_damage_of_the_tables_is_named(tmp_path: Path, name: str, content: str, told: str) -> None:
    (write_kaggle(tmp_path) / name).write_text(content, encoding="utf-8")
    assert told in message(tmp_path)


def test_tables_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    (write_kaggle(tmp_path) / "indiana_reports.csv").write_bytes(b"uid,findings,impression\n9999,caf\xe9,b\n")
    assert "indiana_reports.csv, line 2: not UTF-8" in message(tmp_path)


def test_the_hashed_split_is_fixed_and_near_7_1_2() -> None:
    splits = [split_by_hash(f"CXR{number}") for number in range(1, 4000)]
    test_studies = [number for number, split in enumerate(splits[:20], 1) if split == "test"]
    assert test_studies == [3, 11, 19], "changing the rule changes everybody's test set"
    shares = Counter(splits)
    assert [round(shares[name] / len(splits), 1) for name in ("train", "val", "test")] == [0.7, 0.1, 0.2]


def test_no_layout_or_two_are_told(tmp_path: Path) -> None:
    text = message(tmp_path)
    assert "annotation.json" in text and "ecgen-radiology/*.xml" in text and "indiana_projections.csv" in text
    write_openi(write_kaggle(tmp_path), 9, "CXR9_IM-0001-1001")
    assert "2 layouts" in message(tmp_path)


def test_all_images_of_a_study_in_one_sample_are_not_named_where_nobody_names_them(tmp_path: Path) -> None:
    content = annotation()
    content["train"].append(record("CXR5_IM-0005", "train", image_path=["CXR5_IM-0005/0.png"]))
    root = write_r2gen(tmp_path, content)
    release = IU_XRAY.read(root, per="study", views="all")
    assert [(sample.id, sample.images, sample.image_names) for sample in release.samples[:2]] == [
        (f"iu_xray-{key}", (f"{key}/0.png", f"{key}/1.png"), ("image 1", "image 2"))
        for key in ("CXR1_1_IM-0001", "CXR9997_IM-0002-1001")
    ]
    assert all(sample.views == () for sample in release.samples)
    assert count_views(release.samples) == {"image 1 + image 2": 4, "one image": 1}
    left = IU_XRAY.read(root, per="study", views="all", missing_views="skip")
    assert len(left.samples) == 4 and [skip.reason for skip in left.skips] == ["no second image"]
    with pytest.raises(ConfigError, match="R2Gen's packaging does not say which image is frontal"):
        IU_XRAY.read(root, per="study", views=["frontal", "lateral"])


def test_views_of_kaggles_studies_are_named_and_ordered(tmp_path: Path) -> None:
    root = write_kaggle(tmp_path)
    lateral, frontal = "9999_IM-0004-1001.dcm.png", "9999_IM-0005-2001.dcm.png"
    for views in ("all", ["frontal", "lateral"]):
        one, two = IU_XRAY.read(root, per="study", views=views).samples
        assert (one.images, one.views) == (("9997_IM-0002-1001.dcm.png",), ())
        assert (two.images, two.views) == ((frontal, lateral), ("frontal", "lateral"))
        assert two.metadata["images"] == [lateral, frontal] and two.id == "iu_xray-CXR9999"
    release = IU_XRAY.read(root, per="study", views=["lateral", "frontal"], missing_views="skip")
    assert [sample.images for sample in release.samples] == [(lateral, frontal)]
    assert "no lateral image" in [skip.reason for skip in release.skips]
    release = IU_XRAY.read(root, per="study", views=["frontal"])
    assert [sample.images for sample in release.samples] == [("9997_IM-0002-1001.dcm.png",), (frontal,)]
    assert release.notes == {NOT_SHOWN: 1}


def test_films_of_one_view_get_names_of_their_own() -> None:
    films = [Film("d"), Film("a", "lateral"), Film("b", "frontal"), Film("c", "frontal"), Film("e", "oblique")]
    named = all_films(films)
    assert [film.image for film in named] == ["b", "c", "a", "e", "d"]
    assert [film.view for film in named] == ["frontal", "frontal 2", "lateral", "oblique", "image 5"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"views": "all"}, "views needs per: study"),
        ({"per": "study", "missing_views": "skip"}, "missing_views: skip needs views"),
        ({"per": "study", "views": ["frontal", "side"]}, "must be a list of different ones of frontal, lateral"),
        ({"per": "study", "views": []}, "must be a list"),
        ({"per": "study", "views": "both"}, "unknown value 'both'"),
    ],
)
def test_views_that_cannot_be_are_refused_before_anything_is_read(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match="options of iu_xray") as caught:
        IU_XRAY.complete_options(options)
    assert told in caught.value.problems[0]
