"""A folder that is written whole or not at all: two at once, a volume, and what its error names."""

from __future__ import annotations

import errno
import os

import pytest

from pefomed_plugin import atomic
from pefomed_plugin.atomic import as_one, replacing
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.services.whole_folder import fresh_folder


def test_of_two_at_once_neither_removes_what_the_other_writes(tmp_path):
    out = tmp_path / "out"
    with fresh_folder(out) as first:
        (first / "a").write_text("first")
        with pytest.raises(ZeroDivisionError), fresh_folder(out) as second:
            (second / "a").write_text(str(1 / 0))
        assert (first / "a").is_file()
    assert (out / "a").read_text() == "first" and os.listdir(tmp_path) == ["out"]


def test_what_a_killed_one_left_is_removed(tmp_path):
    (tmp_path / "out.0123abcd.part").mkdir()
    (tmp_path / "out.0123abcd.part" / "half").touch()
    with fresh_folder(tmp_path / "out") as folder:
        (folder / "a").touch()
    assert os.listdir(tmp_path) == ["out"]


def test_an_empty_volume_is_filled(tmp_path, monkeypatch):
    """As of a container: no other folder takes the place of a mounted one."""
    out = tmp_path / "out"
    (out / "out.0123abcd.part").mkdir(parents=True)  # of one that was killed
    monkeypatch.setattr(os.path, "ismount", lambda path: str(path) == str(out))
    number = out.stat().st_ino
    with fresh_folder(out) as folder:
        assert folder.parent == out
        (folder / "sub").mkdir()
        (folder / "sub" / "a").touch()
    assert os.listdir(out) == ["sub"] and (out / "sub" / "a").is_file() and out.stat().st_ino == number


def test_its_error_names_what_could_not_be_read_or_written(tmp_path):
    with (
        pytest.raises(ConfigError, match=r"no-such\.png: .*nothing is written to"),
        fresh_folder(tmp_path / "out", ConfigError),
    ):
        (tmp_path / "no-such.png").read_bytes()
    with (
        pytest.raises(ConfigError, match=r"cannot write .*out: .*make room"),
        fresh_folder(tmp_path / "out", ConfigError) as folder,
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "a"))
    assert not os.listdir(tmp_path)


def test_a_full_disk_names_the_file_and_leaves_nothing_in_a_folder_that_changes_as_one(tmp_path, monkeypatch):
    """Of a file that is open the system says no name."""

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left") as caught, replacing(tmp_path / "a") as file:
            file.write(b"a")
    assert caught.value.filename == str(tmp_path / "a")
    monkeypatch.setattr(atomic, "write_holder", full)
    with (
        pytest.raises(DataError, match=rf"cannot write {tmp_path}: .*make room.*; nothing was written"),
        as_one(tmp_path),
    ):
        pass
    assert not os.listdir(tmp_path)
