"""Asking a folder's listing is asking the system for each file."""

from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers import image_tree
from pefomed_plugin.readers.image_tree import ImageTree, inside
from pefomed_plugin.readers.layouts import Release

LISTED = 2 * image_tree._ASKED


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name in ("a.png", "B.png", "two/c.png", "two/bild#1.png", "deep/er/d.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/s.png").touch()
    (root / "two/folder.png").mkdir()
    os.mkfifo(root / "two/pipe.png")
    for name, target in (
        ("to_file.png", "a.png"),
        ("two/to_file.png", root / "a.png"),
        ("two/out.png", tmp_path / "secret/s.png"),
        ("two/gone.png", "nothing"),
        ("two/loop.png", "loop.png"),
        ("to_folder", "two"),
        ("out", tmp_path / "secret"),
        ("up", ".."),
        ("deep/again", root),
    ):
        (root / name).symlink_to(target)
    return root


NAMES = (
    *("a.png", "A.png", "B.png", "b.png", "to_file.png", "./a.png", "none/x.png", "a.png/x.png", "/etc/hostname"),
    *("two", "two/", "two/..", ".", "..", "", " ", "nul\0.png", "x" * 300, "y" * 300 + "/a.png"),
    *("two/c.png", "two/C.png", "Two/c.png", "two/bild#1.png", "two/folder.png", "two/pipe.png", "two/../a.png"),
    *("two/to_file.png", "two/out.png", "two/gone.png", "two/loop.png", "two/./c.png", "two//c.png", "two/new.png"),
    *("to_folder/c.png", "to_folder/out.png", "out/s.png", "up/secret/s.png", "up/images/a.png", "../secret/s.png"),
    *("deep/again/a.png", "deep/again/two/c.png", "deep/again/out/s.png", "deep/er/d.png", "deep/er/../er/d.png"),
    *("../images/a.png", "a/" * 1500 + "b.png"),
)


@pytest.mark.parametrize("asked", [1, LISTED])
def test_it_answers_as_the_system_does(root: Path, asked: int) -> None:
    tree = ImageTree(root)
    for name in NAMES:
        for _ in range(asked):
            there, out = tree.is_file(name), tree.leads_out(name)
        assert out == (inside(root, name) is None), name
        if len(name) < 300:  # Path.is_file raises there
            assert there == (root / name).is_file(), name
        else:
            assert not there, name


def test_a_link_in_the_path_to_the_root_does_not_matter(root: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(root)
    for asked in (1, LISTED):
        tree = ImageTree(tmp_path / "linked")
        found = [[tree.is_file("two/c.png"), tree.leads_out("two/c.png")] for _ in range(asked)]
        assert found[-1] == [True, False]


def test_a_folder_is_listed_once_and_no_file_of_it_is_asked_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()
    for name in ("stat", "lstat", "scandir"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *given, name=name, real=real, **more: calls.update([name]) or real(*given, **more)
        )
    tree = ImageTree(root)
    for _ in range(10_000):
        assert tree.is_file("two/c.png") and not tree.leads_out("two/c.png") and not tree.is_file("none/x.png")
    assert calls["scandir"] == 2 and calls["stat"] + calls["lstat"] < 3 * LISTED


def test_a_system_that_does_not_heed_case_is_believed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **more: real(str(path).replace("C.PNG", "c.png"), **more))
    tree = ImageTree(root)
    assert all(tree.is_file("two/C.PNG") for _ in range(LISTED))


def test_folders_that_may_not_be_listed_or_entered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    tree = ImageTree(root)
    assert all(tree.is_file("two/c.png") for _ in range(LISTED))
    monkeypatch.setattr(os, "stat", refuse)
    with pytest.raises(DataError, match="two may not be entered by you"):
        tree.is_file("two/c.png")


def test_a_release_looks_anew_after_it_was_read_and_below_another_root(root: Path, tmp_path: Path) -> None:
    release = Release("invented", "any", root)
    assert not any(release.tree.is_file("two/new.png") for _ in range(LISTED))
    release.finish()
    (root / "two/new.png").touch()
    assert release.tree.is_file("two/new.png")
    release.image_root = tmp_path / "secret"
    assert release.tree.is_file("s.png") and not release.tree.is_file("two/new.png")
