"""Recognising a layout, finding files, and paths that must not leave their root."""

from __future__ import annotations

from pathlib import Path

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers.image_tree import ImageTree, inside
from pefomed_plugin.readers.layouts import Layout, Release, find, recognise

from .files import write_lines


def _read(root: Path) -> Release:
    return Release("invented", "any", root)


LAYOUTS = (Layout("one", ("{train,val}.txt",), _read), Layout("two", ("data/*.csv",), _read, unless=("old.csv",)))


def test_alternatives_in_braces_multiply_and_may_be_empty(tmp_path: Path) -> None:
    for name in ("a/x.csv", "b/x.csv.gz", "x.csv", "c/x.csv"):
        write_lines(tmp_path / name)
    found = find(tmp_path, "{,a/,b/}x.csv{,.gz}")
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a/x.csv", "b/x.csv.gz", "x.csv"]


def test_one_of_the_alternatives_is_enough(tmp_path: Path) -> None:
    write_lines(tmp_path / "val.txt")
    assert recognise("invented", LAYOUTS, tmp_path).name == "one"


def test_no_layout_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        recognise("invented", LAYOUTS, tmp_path)
    assert caught.value.problems == ("one: {train,val}.txt", "two: data/*.csv")


def test_a_release_one_folder_below_is_named(tmp_path: Path) -> None:
    """As archives unpack: the folder that was named holds the release's folder."""
    (tmp_path / "Slake1.0").mkdir()
    (tmp_path / "Slake1.0" / "train.json").touch()
    with pytest.raises(DataError, match=f"{tmp_path}/Slake1.0 does: name that folder"):
        recognise("made-up", [Layout("a", ("train.json",), _read)], tmp_path)


def test_two_layouts_are_an_error_unless_one_rules_the_other_out(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.txt")
    write_lines(tmp_path / "data/x.csv")
    with pytest.raises(DataError, match="holds 2 layouts; keep one"):
        recognise("invented", LAYOUTS, tmp_path)
    write_lines(tmp_path / "old.csv")
    assert recognise("invented", LAYOUTS, tmp_path).name == "one"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder .*nowhere"):
        recognise("invented", LAYOUTS, tmp_path / "nowhere")


_OUT = [
    "",
    "..",
    "../x",
    "a/../../x",
    "/etc/hosts",
    "/hosts",
    "a\0b",
    "link/x",
    "link",
    "a/..",
    "in/link",
    "in/../../x",
]


@pytest.mark.parametrize("relative", _OUT)
def test_what_leaves_the_root_is_refused(tmp_path: Path, relative: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "in").mkdir()
    (root / "link").symlink_to(tmp_path)
    (root / "in/link").symlink_to(tmp_path)
    (root / "in/good").symlink_to(root)
    assert inside(root, relative) is None
    assert inside(root, "a/b.jpg") == root / "a/b.jpg"
    tree = ImageTree(root)
    told = [tree.leads_out(image) for image in (relative, "a/b.jpg", "b.jpg", "in/good/b.jpg", "in/good", relative)]
    assert told == [True, False, False, False, inside(root, "in/good") is None, True]
