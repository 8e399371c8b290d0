"""ROCO in its official, Kaggle and parquet layouts, and ROCOv2: names of images, notes, and damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.readers.layouts import Release
from pefomed_plugin.readers.roco import ROCO

from .files import write_lines, write_parquet

OLD_NAME = "PMC0000003_made-up, 1-g001.jpg"


def write_official(data: Path, validation: str = "validation") -> Path:
    """Three splits of radiology, one of non-radiology; returns train's radiology folder."""
    train = data / "train/radiology"
    write_lines(
        train / "captions.txt",
        "ROCO_00001\t Axial CT of an invented lesion.",
        'ROCO_00003\t An "open quote',
        "ROCO_00004\t Figure whose article is gone.",
        "ROCO_00007\t ",
    )
    write_lines(train / "cuis.txt", "ROCO_00001\t\tC0000001\tC0000002", "ROCO_00003\t")
    write_lines(
        train / "licences.txt",
        "ROCO_ID,PMC_ID,CC",
        "ROCO_00001,PMC0000001_made-up-1.jpg,CC BY",
        f"ROCO_00003,{OLD_NAME},NO-CC CODE",
        "ROCO_00004,PMC0000004_x.jpg,CC0",
    )
    write_lines(data / validation / "radiology/captions.txt", "ROCO_00002\t Invented chest film.")
    write_lines(data / "test/radiology/captions.txt", "ROCO_00005\t Invented chest film.")
    write_lines(data / "train/non-radiology/captions.txt", "ROCO_81826\t Invented flow chart.")
    return train


def write_image(folder: Path, name: str) -> None:
    write_lines(folder / "images" / name, "readers never open this")


def shape(release: Release) -> list[tuple[str, str]]:
    return [(sample.id, sample.split) for sample in release.samples]


def problems(root: Path, **options: Any) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        ROCO.read(root, **options)
    return caught.value.problems or (str(caught.value),)


@pytest.mark.parametrize(("home", "validation"), [("data", "validation"), ("", "validation"), ("", "val")])
def test_the_official_layout_from_the_repository_or_its_data_folder(tmp_path: Path, home: str, validation: str) -> None:
    write_official(tmp_path / home, validation)
    release = ROCO.read(tmp_path)
    assert (release.layout, release.image_root) == ("official", tmp_path / home)
    assert shape(release) == [
        ("roco-ROCO_00001", "train"),
        ("roco-ROCO_00003", "train"),
        ("roco-ROCO_00004", "train"),
        ("roco-ROCO_00002", "val"),
        ("roco-ROCO_00005", "test"),
    ]
    assert [(skip.where, skip.reason) for skip in release.skips] == [
        (str(Path(home, "train/radiology/captions.txt, line 4")), "empty caption")
    ]


def test_fields_of_a_sample(tmp_path: Path) -> None:
    write_official(tmp_path)
    first, quoted = ROCO.read(tmp_path).samples[:2]
    assert (first.task, first.question, first.answer) == ("caption", None, "Axial CT of an invented lesion.")
    assert first.metadata == {
        "source_id": "ROCO_00001",
        "kind": "radiology",
        "cuis": ["C0000001", "C0000002"],
        "licence": "CC BY",
        "study": "PMC0000001",
    }
    assert quoted.answer == 'An "open quote'
    assert (quoted.metadata["cuis"], quoted.metadata["licence"]) == ([], "NO-CC CODE")


@pytest.mark.parametrize(
    ("kind", "ids"),
    [("non-radiology", ["ROCO_81826"]), ("both", ["ROCO_00001", "ROCO_00003", "ROCO_00004", "ROCO_81826"])],
)
def test_kinds(tmp_path: Path, kind: str, ids: list[str]) -> None:
    write_official(tmp_path)
    train = ROCO.read(tmp_path, kind=kind).splits()["train"]
    assert [sample.metadata["source_id"] for sample in train] == ids
    assert train[-1].only_image == "train/non-radiology/images/ROCO_81826.jpg"
    assert train[-1].metadata == {"source_id": "ROCO_81826", "kind": "non-radiology"}


def test_an_unknown_kind_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"roco\.kind: unknown value 'xray'; known: both, non-radiology, radiology"):
        ROCO.read(tmp_path, kind="xray")


def test_a_kind_that_is_not_there(tmp_path: Path) -> None:
    write_lines(tmp_path / "test/radiology/captions.txt", "ROCO_00005\t Invented.")
    assert problems(tmp_path, kind="both") == (
        f"{tmp_path}: no non-radiology captions; fetch them or choose another kind",
    )


@pytest.mark.parametrize("notes", ["licences.txt", "dlinks.txt"])
def test_the_spelling_of_an_image_that_exists_is_chosen(tmp_path: Path, notes: str) -> None:
    train = write_official(tmp_path)
    if notes == "dlinks.txt":
        (train / "licences.txt").unlink()
        write_lines(
            train / notes,
            "ROCO_00003\twget -r ftp://example.org/aa/PMC0000003.tar.gz -P /path/to/Dir\t" + OLD_NAME.partition("_")[2],
        )
    write_image(train, "ROCO_00001.jpg")
    write_image(train, OLD_NAME)
    assert [sample.only_image for sample in ROCO.read(tmp_path).splits()["train"]] == [
        "train/radiology/images/" + name for name in ("ROCO_00001.jpg", OLD_NAME, "ROCO_00004.jpg")
    ]


def test_damaged_captions_are_reported_together(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "train/radiology/captions.txt",
        "ROCO_00001\t Fine.",
        "ROCO_00002 no tab",
        "ROCO_3\t Short id.",
        "../../x\t Leads out.",
        "ROCO_00001\t Again.",
    )
    found = problems(tmp_path)
    assert [sample.split(":")[0] for sample in found[:3]] == [
        f"train/radiology/captions.txt, line {number}" for number in (2, 3, 4)
    ]
    assert "no TAB" in found[0] and "'../../x' is not of the form" in found[2]
    assert found[3].startswith("id 'roco-ROCO_00001' occurs twice")


def test_val_beside_validation_is_refused(tmp_path: Path) -> None:
    write_official(tmp_path, "validation")
    write_official(tmp_path, "val")
    assert any("are the same split; keep one" in problem for problem in problems(tmp_path))


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "roco"
    train = write_official(root)
    write_lines(tmp_path / "private.jpg", "not ours")
    (train / "images").mkdir()
    (train / "images/ROCO_00001.jpg").symlink_to(tmp_path / "private.jpg")
    assert ["ROCO_00001.jpg" in problem and "leads out of" in problem for problem in problems(root)] == [True]


def test_captions_that_are_not_utf8(tmp_path: Path) -> None:
    write_lines(tmp_path / "train/radiology/captions.txt", "ROCO_00001\t 30° view", encoding="latin1")
    assert "line 1: not UTF-8" in problems(tmp_path)[0]


@pytest.mark.parametrize("home", ["all_data", ""])
def test_the_kaggle_copy_is_read_from_its_tables(tmp_path: Path, home: str) -> None:
    train = write_official(tmp_path / home)
    write_lines(
        train / "traindata.csv",
        "id,name,caption",
        'ROCO_00001, PMC0000001_made-up-1.jpg ," Axial, invented"',
        "ROCO_00003,PMC0000003_y.jpg, plain",
    )
    write_lines(tmp_path / home / "validation/radiology/valdata.csv", "id,name,caption", "ROCO_00002,PMC2_z.jpg, film")
    write_image(train, "ROCO_00003.jpg")
    release = ROCO.read(tmp_path)
    assert (release.layout, shape(release)) == (
        "Kaggle",
        [("roco-ROCO_00001", "train"), ("roco-ROCO_00003", "train"), ("roco-ROCO_00002", "val")],
    )
    assert [sample.only_image for sample in release.samples] == [
        "train/radiology/images/PMC0000001_made-up-1.jpg",
        "train/radiology/images/ROCO_00003.jpg",
        "validation/radiology/images/PMC2_z.jpg",
    ]
    assert (release.samples[0].answer, release.samples[0].metadata["licence"]) == ("Axial, invented", "CC BY")


def write_zenodo(root: Path) -> None:
    write_lines(
        root / "train_captions.csv",
        "ID,Caption",
        'ROCOv2_2023_train_000001,"Invented, with comma (arrow)."',
        "ROCOv2_2023_train_000002,No concepts.",
        encoding="utf-8-sig",
    )
    write_lines(root / "train_concepts.csv", "ID,CUIs", "ROCOv2_2023_train_000001,C0000001;C0000002")
    write_lines(root / "valid_captions.csv", " ID , Caption ", "ROCOv2_2023_valid_000001,Second.")
    write_lines(
        root / "license_information.csv",
        "ID,PMCID,Attribution,Link",
        'ROCOv2_2023_train_000001,PMC0000001,"CC BY [Doe et al. (2020)]",https://example.org/PMC0000001',
    )


def test_rocov2_as_on_zenodo(tmp_path: Path) -> None:
    write_zenodo(tmp_path)
    release = ROCO.read(tmp_path)
    assert release.layout == "ROCOv2 Zenodo"
    assert [(sample.split, sample.only_image) for sample in release.samples] == [
        ("train", "train/ROCOv2_2023_train_000001.jpg"),
        ("train", "train/ROCOv2_2023_train_000002.jpg"),
        ("val", "valid/ROCOv2_2023_valid_000001.jpg"),
    ]
    assert release.samples[0].answer == "Invented, with comma (arrow)."
    assert release.samples[0].metadata == {
        "source_id": "ROCOv2_2023_train_000001",
        "kind": "radiology",
        "licence": "CC BY [Doe et al. (2020)]",
        "study": "PMC0000001",
        "cuis": ["C0000001", "C0000002"],
    }
    assert "cuis" not in release.samples[1].metadata


def test_rocov2_with_another_delimiter_or_an_id_that_leads_out(tmp_path: Path) -> None:
    write_lines(tmp_path / "train_captions.csv", "ID;Caption", "ROCOv2_2023_train_000001;Invented.")
    assert "separated by semicolons" in problems(tmp_path)[0]
    write_lines(tmp_path / "train_captions.csv", "ID,Caption", "../../x,Invented.")
    assert "leads out of" in problems(tmp_path)[0]


def test_rocov2_has_radiology_only(tmp_path: Path) -> None:
    write_zenodo(tmp_path)
    assert problems(tmp_path, kind="non-radiology") == (
        "ROCOv2 Zenodo has no non-radiology figures; choose kind radiology",
    )


@pytest.mark.parametrize(
    ("columns", "layout"),
    [(("image_id", "caption"), "ROCO parquet"), (("image_id", "caption", "cui"), "ROCOv2 parquet")],
)
def test_the_parquet_copies(tmp_path: Path, columns: tuple[str, ...], layout: str) -> None:
    rows: list[dict[str, Any]] = [
        {"image_id": "ROCO_00001", "caption": " Invented one.", "cui": ["C0000001"]},
        {"image_id": "ROCO_00002", "caption": "", "cui": []},
    ]
    write_parquet(tmp_path / "data/train-00000-of-00001.parquet", rows, columns)
    write_parquet(
        tmp_path / "data/validation-00000-of-00001.parquet",
        [{"image_id": "ROCO_00003", "caption": "Two.", "cui": None}],
        columns,
    )
    release = ROCO.read(tmp_path)
    assert (release.layout, release.image_root, len(release.skips)) == (layout, tmp_path, 1)
    assert [(sample.id, sample.split, sample.only_image, sample.answer) for sample in release.samples] == [
        ("roco-ROCO_00001", "train", "data/train-00000-of-00001.parquet#0", "Invented one."),
        ("roco-ROCO_00003", "val", "data/validation-00000-of-00001.parquet#0", "Two."),
    ]
    assert release.samples[0].metadata.get("cuis") == (["C0000001"] if "cui" in columns else None)


def test_a_parquet_row_without_caption_is_a_problem(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "data/test-00000-of-00001.parquet",
        [{"image_id": "ROCO_00001", "caption": None}],
        ("image_id", "caption"),
    )
    assert problems(tmp_path)[0] == "data/test-00000-of-00001.parquet#0: caption is of type NoneType, expected text"


def test_none_or_two_layouts(tmp_path: Path) -> None:
    assert any("official: data/" in problem for problem in problems(tmp_path))
    write_zenodo(tmp_path)
    write_official(tmp_path)
    assert len(problems(tmp_path)) == 2
