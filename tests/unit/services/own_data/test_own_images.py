"""Images of own tables: names as other systems spell them, several in a cell, missing and unreadable ones."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from pefomed_plugin.readers.prepared import read_prepared
from pefomed_plugin.services.own_data.doors import read_own
from pefomed_plugin.services.own_data.image_lookup import (
    ELSEWHERE,
    ENCODED,
    MISSING,
    NOT_UTF8,
    OTHER_ENDING,
    SEVERAL,
    ImageFinder,
)
from pefomed_plugin.services.own_data.own_tables import read_tables
from pefomed_plugin.services.own_data.splitting import read_shares
from pefomed_plugin.services.own_data.wishes import Wishes

from .files import problems, run, wishes, write_book, write_images, write_table


def test_image_folders_of_hugging_face(tmp_path: Path) -> None:
    """``<split>/metadata.csv`` beside its images, which have the same names in each split."""
    folder = write_images(tmp_path / "folder", "train/1.png", "train/2.png", "test/1.png")
    write_table(folder / "train" / "metadata.csv", "file_name,caption", "1.png,One.", "2.png,Two.")
    (folder / "test" / "metadata.jsonl").write_text('{"file_name": "1.png", "caption": "Three."}\n')
    release = read_own(folder, Wishes(salt=tmp_path / "salt"), tmp_path / "out").release
    shown = {sample.answer: (sample.split, sample.only_image) for sample in release.samples}
    assert shown == {
        "One.": ("train", "train/1.png"),
        "Two.": ("train", "train/2.png"),
        "Three.": ("test", "test/1.png"),
    }


def test_names_of_images_as_other_systems_spell_them(tmp_path: Path) -> None:
    root = write_images(
        tmp_path / "bilder", "tag1/Thorax_1.JPG", "tag2/U\u0308ber.png", "a.png", "b/a.png", "c/x.png", "d/x.png"
    )
    (root / "link.png").symlink_to("/etc/hosts")
    finder = ImageFinder(root)
    found = {
        r"C:\PACS\Export\tag1\Thorax_1.JPG": "tag1/Thorax_1.JPG",
        r"\\server\bilder\thorax_1.jpg": "tag1/Thorax_1.JPG",
        r"tag1\thorax_1.jpg": "tag1/Thorax_1.JPG",
        "Thorax_1": "tag1/Thorax_1.JPG",
        "\u00fcber.png ": "tag2/U\u0308ber.png",
        "a.png": "a.png",
        "./b/a.png": "b/a.png",
        str(root / "b" / "a.png"): "b/a.png",
        '"c/x.png"': "c/x.png",
        "none.png": "none.png",
    }
    assert {given: finder.find(given) for given in found} == found
    assert sum(finder.notes.values()) == 6
    near = {"tag2/a%20b.png": "tag2/a b.png", "a.jpg": "a.jpg", "old/a.png": "old/a.png"}
    write_images(root, "tag2/a b.png")
    finder = ImageFinder(root)
    assert {given: finder.find(given) for given in near} == near
    assert dict(finder.notes) == {ENCODED: 1, MISSING: 2, OTHER_ENDING: 1, ELSEWHERE: 1}
    for given, said in {
        "x.png": "may be c/x.png or d/x.png; write the path with its folder",
        r"D:\a\x.png": "may be c/x.png or d/x.png",
        "../out.png": "leads out of",
        "/etc/hosts": "leads out of",
        "link.png": "leads out of",
        "https://example.org/a.png": "is an address, and nothing is fetched",
        " ": "the image is empty",
    }.items():
        with pytest.raises(ValueError, match=said):
            finder.find(given)


@pytest.mark.parametrize("given", ["a.png, b.png", "a.png|b.png", '["a.png", "b.png"]', "a.png b.PNG"])
def test_several_names_in_one_cell_are_told(tmp_path: Path, given: str) -> None:
    finder = ImageFinder(write_images(tmp_path / "bilder", "a.png", "b.png"))
    assert finder.find(given) == given
    assert dict(finder.notes) == {MISSING: 1, SEVERAL: 1}


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names there are always Unicode")
def test_names_on_the_disk_that_are_not_utf8_are_told(tmp_path: Path) -> None:
    root = write_images(tmp_path / "bilder", "a.png")
    with open(os.fsencode(root) + b"/M\xfcller.png", "wb") as file:
        file.write(b"x")
    finder = ImageFinder(root)
    assert (finder.find("M\u00fcller.png"), finder.find("none.png")) == ("M\u00fcller.png", "none.png")
    assert dict(finder.notes) == {MISSING: 2, NOT_UTF8: 1}


def test_missing_and_unreadable_images_are_counted_by_name(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    root = write_images(tmp_path / "bilder", "a.png", "b.png")
    (root / "broken.png").write_bytes((root / "a.png").read_bytes()[:60])
    write_table(tmp_path / "t.csv", "image,report", "a.png,Clear.", "b.png,Large.", "none.png,Gone.", "broken.png,Cut.")
    assert run("prepare medical_custom --source t.csv --image-root bilder --split test --out out") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "skipped 1: image: no such file" in shown and "bilder/none.png: no such file" in shown
    assert "bilder/broken.png" in shown
    assert len(read_prepared(tmp_path / "out").samples) == 2
    assert run("prepare medical_custom --source t.csv --image-root bilder --split test --out o2 --no-images") == 0
    assert "1 image name(s) of which there is no file" in " ".join(capsys.readouterr().out.split())


def test_several_images_in_a_sheet(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", "a.png", "sub/b.png")
    rows = [["frontal=A.png; lateral=b.png", "Line_x000D_\nNext."], ["a.png; a.png", "Twice."]]
    source = write_book(tmp_path / "b.xlsx", ["images", "report"], rows[0])
    sample = read_tables(source, wishes(shares=read_shares("test"))).release.samples[0]
    assert (sample.images, sample.views) == (("a.png", "sub/b.png"), ("frontal", "lateral"))
    assert sample.answer == "Line\r\nNext."
    write_book(source, ["images", "report"], *rows)
    assert "row 3: images: the same image twice" in problems(source, shares=read_shares("test"))[0]


def test_a_name_that_the_system_takes_for_too_long_is_missing_as_any_other(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", "a.png")
    source = write_table(tmp_path / "t.csv", "image;report", "a.png;gut", f"{'x' * 300}.png;gut")
    own = read_tables(source, wishes(shares=read_shares("test")))
    assert len(own.release.samples) == 2 and own.missing == 1
