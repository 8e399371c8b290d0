"""The damage that befalls any text file, on the main file of every release; what is special to one is tested there."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers import DATASETS

from . import (
    test_clef2022,
    test_iu_xray,
    test_medicat,
    test_mimic_cxr,
    test_path_vqa,
    test_roco,
    test_slake,
    test_vqa_rad,
)
from .files import write_lines

MIMIC_TABLE = "mimic-cxr-2.0.0-split.csv"


def write_mimic(root: Path) -> None:
    test_mimic_cxr.write_tables(root, packed=False)
    test_mimic_cxr.write_reports(root / "files")


RELEASES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "VQA-RAD": (
        "vqa_rad",
        lambda root: test_vqa_rad.write_re_release(
            root, [test_vqa_rad.re_release_row(1)], [test_vqa_rad.re_release_row(2)]
        ),
        "testset.json",
    ),
    "SLAKE": ("slake", test_slake.write_release, "test.json"),
    "PathVQA's repository": ("path_vqa", test_path_vqa.write_repository, "pvqa_test.json"),
    "IU-Xray by R2Gen": ("iu_xray", test_iu_xray.write_r2gen, "annotation.json"),
    "IU-Xray by OpenI": (
        "iu_xray",
        lambda root: test_iu_xray.write_openi(root, 9, "CXR9_IM-1-1"),
        "ecgen-radiology/9.xml",
    ),
    "IU-Xray by Kaggle": ("iu_xray", test_iu_xray.write_kaggle, "indiana_reports.csv"),
    "ROCO": ("roco", test_roco.write_official, "test/radiology/captions.txt"),
    "MedICaT": ("medicat", lambda root: test_medicat.write_release(root, test_medicat.row(1)), test_medicat.NAME),
    "ImageCLEF": ("clef2022", lambda root: test_clef2022.write_release(root, ""), "caption_prediction_valid.csv"),
    "MIMIC-CXR": ("mimic_cxr", write_mimic, MIMIC_TABLE),
    "one's own": (
        "medical_custom",
        lambda root: write_lines(root / "train.csv", "image,caption", "a.png,Invented."),
        "train.csv",
    ),
}
"""Name -> data set, writer, the file that is damaged."""


@pytest.mark.parametrize("name", RELEASES)
def test_a_byte_order_mark_changes_nothing(tmp_path: Path, name: str) -> None:
    dataset, write, file = RELEASES[name]
    write(tmp_path)
    before = DATASETS[dataset].read(tmp_path)
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(b"\xef\xbb\xbf" + content)
    assert DATASETS[dataset].read(tmp_path) == before


@pytest.mark.parametrize("name", RELEASES)
def test_bytes_that_are_not_utf8_are_named_with_their_file(tmp_path: Path, name: str) -> None:
    dataset, write, file = RELEASES[name]
    write(tmp_path)
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(content[:-12] + b"\xe9" + content[-12:])
    with pytest.raises(DataError) as caught:
        DATASETS[dataset].read(tmp_path)
    assert Path(file).name in str(caught.value) and "UTF-8" in str(caught.value)


@pytest.mark.parametrize("name", RELEASES)
def test_an_empty_file_is_an_error(tmp_path: Path, name: str) -> None:
    """All that is left after a full disk."""
    dataset, write, file = RELEASES[name]
    write(tmp_path)
    (tmp_path / file).write_bytes(b"")
    with pytest.raises(DataError) as caught:
        DATASETS[dataset].read(tmp_path)
    assert Path(file).name in str(caught.value)


@pytest.mark.parametrize("name", [release for release in RELEASES if release not in ("IU-Xray by OpenI", "MIMIC-CXR")])
def test_a_file_that_is_a_web_page_is_an_error(tmp_path: Path, name: str) -> None:
    """What a download without credentials leaves; the other two have tests of their own."""
    dataset, write, file = RELEASES[name]
    write(tmp_path)
    (tmp_path / file).write_text("<!DOCTYPE html>\n<html>\n<body>Sign in</body>\n</html>\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        DATASETS[dataset].read(tmp_path)
    assert Path(file).name in str(caught.value)


def test_a_symbolic_link_out_of_slakes_images_is_refused(tmp_path: Path) -> None:
    root = test_slake.write_release(tmp_path / "release")
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (root / "imgs/xmlab901/source.jpg").symlink_to(tmp_path / "secret.jpg")
    assert "train.json, record 0 (qid 1): image 'xmlab901/source.jpg' leads out of" in test_slake.message(root)
