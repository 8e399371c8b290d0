"""Shards of a parquet copy: complete, in order, and damage named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.readers.layouts import Release
from pefomed_plugin.readers.tables import read_parquet, read_shards

from .files import write_parquet

pytest.importorskip("pyarrow")

ROWS = [{"question": "is it invented?", "answer": "yes"}, {"question": "what is invented?", "answer": "a made-up cell"}]


def shard(root: Path, number: int, of: int, **changes: list[str]) -> Path:
    path = root / f"data/test-{number:05d}-of-{of:05d}-0abc.parquet"
    write_parquet(path, ROWS, **changes)
    return path


def read(root: Path) -> Release:
    """Reads every row; the images become the samples' stand-ins in ``skips`` so that one call shows all."""
    release = Release("path_vqa", "parquet", root)
    for image, row in read_shards(release, "test", ("question", "answer")):
        release.skip(image, row["answer"])
    return release


def test_rows_are_numbered_within_their_file(tmp_path: Path) -> None:
    for number in range(2):
        shard(tmp_path, number, 2)
    release = read(tmp_path)
    assert [skip.where for skip in release.skips] == [
        "data/test-00000-of-00002-0abc.parquet#0",
        "data/test-00000-of-00002-0abc.parquet#1",
        "data/test-00001-of-00002-0abc.parquet#0",
        "data/test-00001-of-00002-0abc.parquet#1",
    ]
    assert [skip.reason for skip in release.skips[:2]] == ["yes", "a made-up cell"]
    assert [path.name for path in release.files] == [path.name for path in sorted((tmp_path / "data").iterdir())]
    assert not release.problems


def test_a_missing_shard_is_told(tmp_path: Path) -> None:
    shard(tmp_path, 0, 3)
    shard(tmp_path, 2, 3)
    assert read(tmp_path).problems == [
        "data/test-*.parquet: expected 3 files numbered from 0, found 0, 2; fetch the missing ones and keep a single "
        "revision"
    ]


def test_two_revisions_in_one_folder_are_told(tmp_path: Path) -> None:
    shard(tmp_path, 0, 1).rename(tmp_path / "data/test-00000-of-00001-1def.parquet")
    shard(tmp_path, 0, 1)
    assert "expected 1 files numbered from 0, found 0, 0" in read(tmp_path).problems[0]


def test_damage_is_named_and_the_other_shards_are_read(tmp_path: Path) -> None:
    cut = shard(tmp_path, 0, 3)
    cut.write_bytes(cut.read_bytes()[:-20])
    shard(tmp_path, 1, 3).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    shard(tmp_path, 2, 3)
    release = read(tmp_path)
    assert len(release.skips) == 2
    assert "test-00000-of-00003-0abc.parquet: cannot read parquet" in release.problems[0]
    assert release.problems[1].endswith("is a Git LFS pointer, not the data; run git lfs pull")


def test_a_missing_column_is_told(tmp_path: Path) -> None:
    shard(tmp_path, 0, 1, columns=["question"])
    assert "missing column(s) answer; found image, question" in read(tmp_path).problems[0]


def test_a_shard_linked_from_outside_is_refused(tmp_path: Path) -> None:
    real = shard(tmp_path / "cache", 0, 1)
    (tmp_path / "release/data").mkdir(parents=True)
    (tmp_path / "release/data" / real.name).symlink_to(real)
    release = read(tmp_path / "release")
    assert not release.skips and "is a symbolic link out of" in release.problems[0]


def test_a_text_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    raw = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"a\xff"))
    parquet.write_table(pa.table({"question": raw, "answer": ["yes"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="a.parquet: a text is not UTF-8"):
        list(read_parquet(tmp_path / "a.parquet", ("question", "answer")))
