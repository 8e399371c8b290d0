"""ImageCLEFmedical Caption 2022: TABs inside .csv, where images lie, and files damaged by a comma reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers.clef2022 import CLEF2022

from .files import write_lines

UUID = "00000000-1111-2222-3333-444444444444_ImageCLEFmedCaption_2022_"
TRAIN, VALID = "ImageCLEFmedCaption_2022_train_000001", "ImageCLEFmedCaption_2022_valid_084258"


def write_release(root: Path, prefix: str = UUID) -> Path:
    write_lines(
        root / (prefix + "caption_prediction_train.csv"),
        "ID\tcaption",
        TRAIN + '\tInvented "mass, left, commas are not quoted.',
        "ImageCLEFmedCaption_2022_train_000002\t ",
    )
    write_lines(root / (prefix + "caption_prediction_valid.csv"), "ID\tcaption", VALID + "\tInvented film.")
    write_lines(root / (prefix + "concept_detection_train.csv"), "ID\tcuis", TRAIN + "\tC0000001;C0000002")
    return root


def problems(root: Path) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        CLEF2022.read(root)
    return caught.value.problems or (str(caught.value),)


@pytest.mark.parametrize("prefix", [UUID, ""])
def test_the_release_with_and_without_uuids(tmp_path: Path, prefix: str) -> None:
    release = CLEF2022.read(write_release(tmp_path, prefix))
    assert [(sample.id, sample.split, sample.only_image) for sample in release.samples] == [
        ("clef2022-" + TRAIN, "train", f"train/{TRAIN}.jpg"),
        ("clef2022-" + VALID, "val", f"valid/{VALID}.jpg"),
    ]
    first = release.samples[0]
    assert (first.answer, first.task) == ('Invented "mass, left, commas are not quoted.', "caption")
    assert [skip.reason for skip in release.skips] == ["empty caption"]
    assert len(release.files) == 2


@pytest.mark.parametrize("folder", ["", "train/", UUID + "train_images/train/"])
def test_images_are_found_where_people_put_them(tmp_path: Path, folder: str) -> None:
    write_release(tmp_path)
    write_lines(tmp_path / f"{folder}{TRAIN}.jpg", "readers never open this")
    assert CLEF2022.read(tmp_path).samples[0].only_image == f"{folder}{TRAIN}.jpg"


def test_a_file_saved_by_a_comma_reader_is_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "caption_prediction_train.csv", "ID,caption", TRAIN + ",Invented mass")
    assert problems(tmp_path) == (
        "caption_prediction_train.csv, line 1: the header is not ID<TAB>caption; probably read as comma CSV and saved "
        "again, which cuts captions; fetch the original file again",
    )


def test_rows_with_one_column_and_ids_that_are_none_are_named(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "caption_prediction_valid.csv", "ID\tcaption", VALID, "../../x\tLeads out.", "a.jpg\tEnding."
    )
    found = problems(tmp_path)
    assert "line 2: only one column" in found[0]
    assert "line 3: ID '../../x'" in found[1] and "line 4: ID 'a.jpg'" in found[2]


def test_two_files_of_a_part_are_refused(tmp_path: Path) -> None:
    write_release(tmp_path)
    write_lines(tmp_path / "caption_prediction_train.csv", "ID\tcaption", TRAIN + "\tOther.")
    assert len(problems(tmp_path)) == 1 and "2 files for train; keep one of" in problems(tmp_path)[0]


def test_an_id_in_both_parts_or_twice_is_refused(tmp_path: Path) -> None:
    write_release(tmp_path, "")
    write_lines(tmp_path / "caption_prediction_valid.csv", "ID\tcaption", TRAIN + "\tAgain.")
    assert problems(tmp_path)[0].startswith(f"id 'clef2022-{TRAIN}' occurs twice")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    write_lines(
        tmp_path / "caption_prediction_train.csv", "ID\tcaption\r", TRAIN + "\tInvented.\r", encoding="utf-8-sig"
    )
    assert [sample.answer for sample in CLEF2022.read(tmp_path).samples] == ["Invented."]


def test_not_utf8_an_image_folder_that_links_out_and_an_empty_folder(tmp_path: Path) -> None:
    assert "caption_prediction" in problems(tmp_path)[0]
    root = tmp_path / "clef"
    write_release(root)
    (root / "train").symlink_to(tmp_path)
    assert "leads out of" in problems(root)[0]
    write_lines(root / (UUID + "caption_prediction_train.csv"), "ID\tcaption", TRAIN + "\t30° view", encoding="latin1")
    assert "line 2: not UTF-8" in problems(root)[0]
