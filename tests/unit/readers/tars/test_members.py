"""Members of a tar by its headers: the same as tarfile finds, and what tarfile passes over in silence."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from webdataset.tariterators import base_plus_ext
from webdataset.writer import TarWriter

from pefomed_plugin.readers.tars import members as tar_members
from pefomed_plugin.readers.tars.members import (
    CUT,
    DAMAGED,
    LEADS_OUT,
    LINK,
    NO_ENDING,
    TWICE,
    group_members,
    leads_out,
    member_table,
    read_content,
    read_members,
    split_name,
)
from tests.unit.services.tars import tar_of

MEMBERS = {"000000.jpg": b"x" * 700, "000000.txt": b"one", "a/b.seg.png": b"", "a/b.json": b"{}" * 300}
LONG = "f" * 90 + "/" + "n" * 120 + ".jpg"


def write(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "x.tar").write_bytes(content)
    return tmp_path / "x.tar"


def by_tarfile(path: Path) -> list[tuple[str, int, int]]:
    with tarfile.open(path) as tar:
        return [(member.name, member.offset_data, member.size) for member in tar if member.isreg()]


def found(path: Path) -> list[tuple[str, int, int]]:
    members = read_members(path)
    assert members.faults == []
    return list(zip(members.names, members.offsets.tolist(), members.sizes.tolist()))


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("extra", [{}, {LONG: b"long"}, {"ü/ö.jpg": b"umlauts"}])
def test_members_are_those_of_tarfile(tmp_path: Path, kind: int, extra: dict[str, bytes]) -> None:
    if kind == tarfile.USTAR_FORMAT and LONG in extra:
        extra = {"f" * 90 + "/" + "n" * 90 + ".jpg": b"prefix and name"}
    path = write(tmp_path, tar_of({**MEMBERS, **extra}, format=kind))
    assert found(path) == by_tarfile(path)


def test_what_webdataset_writes_is_read_without_tarfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time in fractions puts an extended header before each member."""
    with open(tmp_path / "x.tar", "wb") as file, TarWriter(file) as tar:
        for number in range(5):
            tar.write({"__key__": f"{number:06d}", "jpg": b"x" * 600 * number, "txt": "text"})
    expected = by_tarfile(tmp_path / "x.tar")
    monkeypatch.setattr(tar_members, "_read_extended", None)
    assert found(tmp_path / "x.tar") == expected


@pytest.mark.parametrize(
    "name", ["a/b/7.seg.png", "x.jpg", "noext", ".hidden", "a.b/c.jpg", "d/e.JPG", "a.b/c", "x.", "x.tar.gz"]
)
def test_names_are_split_as_webdataset_does(name: str) -> None:
    key, ending = base_plus_ext(name)
    assert split_name(name) == (None if not key else (key, ending.lower()))


@pytest.mark.parametrize("cut", [0, 100, 600, 1024, 5000, 20480])
def test_a_cut_file_gives_what_is_whole_and_says_where_it_ends(tmp_path: Path, cut: int) -> None:
    whole = write(tmp_path, tar_of({f"{number}.jpg": b"x" * 900 for number in range(20)}))
    members = by_tarfile(whole)
    content = whole.read_bytes()
    read = read_members(write(tmp_path, content[:cut]))
    assert read.names == [name for name, offset, size in members if offset + size <= cut]
    ((kind, what),) = read.faults
    assert kind == CUT and f"{cut:,}" in what


def test_a_cut_between_two_members_is_noticed(tmp_path: Path) -> None:
    """tarfile takes it for the end."""
    path = write(tmp_path, tar_of(MEMBERS))
    offset = by_tarfile(path)[1][1]
    cut = write(tmp_path, path.read_bytes()[: offset - 512])
    assert len(by_tarfile(cut)) == 1
    assert read_members(cut).faults[0][0] == CUT


def test_a_damaged_header_is_noticed(tmp_path: Path) -> None:
    """tarfile takes it for the end too."""
    path = write(tmp_path, tar_of(MEMBERS))
    content = bytearray(path.read_bytes())
    content[by_tarfile(path)[1][1] - 512 + 2] ^= 1
    damaged = write(tmp_path, bytes(content))
    assert len(by_tarfile(damaged)) == 1
    read = read_members(damaged)
    assert read.names == ["000000.jpg"] and read.faults[0][0] == DAMAGED and "all after it is lost" in read.faults[0][1]
    assert len(read_members(damaged, check_sums=False).names) == 4


@pytest.mark.parametrize("content", [b"<html>" * 400, b"\x1f\x8b" + b"gzip" * 300])
def test_what_is_no_tar(tmp_path: Path, content: bytes) -> None:
    assert read_members(write(tmp_path, content)).faults == [(DAMAGED, "not a tar file, or a compressed one")]


def test_every_member_that_is_left_out_is_named(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name in ("../up.jpg", "/etc/x.jpg", "a/../../b.txt", "noending", "1.jpg", "1.JPG", "1.txt", "2.jpg"):
            entry = tarfile.TarInfo(name)
            tar.addfile(entry)
        entry = tarfile.TarInfo("3.jpg")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    samples, faults = group_members(read_members(write(tmp_path, stream.getvalue())))
    assert [(key, sorted(members)) for key, members in samples] == [("1", ["jpg", "txt"]), ("2", ["jpg"])]
    assert faults == [
        (LINK, "3.jpg is no file"),
        (LEADS_OUT, "../up.jpg"),
        (LEADS_OUT, "/etc/x.jpg"),
        (LEADS_OUT, "a/../../b.txt"),
        (NO_ENDING, "noending"),
        (TWICE, "1.JPG"),
    ]


def test_a_name_may_hold_two_dots() -> None:
    assert not leads_out("a..b/c...jpg") and leads_out("a\\..\\b.jpg")


def test_the_table_finds_members_by_name_and_forgets_a_file_that_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, tar_of(MEMBERS))
    members = read_members(path)
    assert read_content(path, members, 1) == b"one"
    for name, offset, size in by_tarfile(path):
        assert member_table(path).find(name) == (offset, size)
    assert member_table(path).find("000000.tx") is None and member_table(path).find("zzz") is None
    write(tmp_path, tar_of({"other.jpg": b"x" * 20480}))
    assert member_table(path).find("000000.jpg") is None and member_table(path).find("other.jpg") == (512, 20480)
    made: list[Any] = []
    monkeypatch.setattr(tar_members, "read_members", made.append)
    member_table(path)
    assert not made


def test_an_empty_tar(tmp_path: Path) -> None:
    path = write(tmp_path, tar_of({}))
    assert found(path) == [] and member_table(path).find("a.jpg") is None
