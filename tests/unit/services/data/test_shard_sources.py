"""What ``build_info.storage`` may say of shards; only it may name a server or a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.readers.prepared import is_remote
from pefomed_plugin.services.data.shard_index import list_shards
from pefomed_plugin.services.data.shard_sources import expand, read_storage, without_login


def test_files_in_braces(tmp_path: Path) -> None:
    source = read_storage(str(tmp_path / "train-{000009..000011}.tar"))
    assert source is not None and not source.is_remote
    assert source.names == ("train-000009.tar", "train-000010.tar", "train-000011.tar")
    assert source.address("train-000009.tar") == str(tmp_path / "train-000009.tar")


def test_a_file_whose_own_name_has_braces(tmp_path: Path) -> None:
    (tmp_path / "a{1,2}.tar").write_bytes(b"")
    source = read_storage(str(tmp_path / "a{1,2}.tar"))
    assert source is not None and source.names == ("a{1,2}.tar",)


def test_a_folder_without_an_index_is_no_shards(tmp_path: Path) -> None:
    assert read_storage(str(tmp_path)) is None
    (tmp_path / "index.json").write_text("{}")
    assert read_storage(str(tmp_path)) is None
    (tmp_path / "x.tar").write_bytes(b"")
    source = read_storage(str(tmp_path))
    assert source is not None and source.names is None and source.base == str(tmp_path)


def test_addresses() -> None:
    source = read_storage("https://me:word@host:8000/a/{00..01}.tar")
    assert source is not None and source.is_remote and source.names == ("00.tar", "01.tar")
    assert source.address("01.tar") == "https://me:word@host:8000/a/01.tar"
    assert source.shown == "https://host:8000/a/"
    folder = read_storage("s3://bucket/shards")
    assert folder is not None and folder.base == "s3://bucket/shards/" and folder.names is None
    signed = read_storage("https://host/0.tar?signature=%2F")
    assert signed is not None and signed.names == ("0.tar",)
    assert signed.address("0.tar") == "https://host/0.tar?signature=%2F"


def test_shards_of_several_folders_have_names_of_their_own() -> None:
    source = read_storage("s3://bucket/{train,val}/0.tar")
    assert source is not None and source.names is not None and len(set(source.names)) == 2
    assert [name[9:] for name in source.names] == ["train-0.tar", "val-0.tar"]
    assert source.address(source.names[1]) == "s3://bucket/val/0.tar"
    only = source.only(source.names[1:])
    assert only.address(source.names[1]) == "s3://bucket/val/0.tar"


def test_commands_keep_their_own_braces() -> None:
    source = read_storage(r"pipe:awk '{print}' x{0..1}.tar | sed 's/\./_/'")
    assert (
        source is not None
        and source.is_remote
        and source.addresses
        == (
            r"pipe:awk '{print}' x0.tar | sed 's/\./_/'",
            r"pipe:awk '{print}' x1.tar | sed 's/\./_/'",
        )
    )
    assert source.names is not None and all(name.endswith(f"-x{n}.tar") for n, name in enumerate(source.names))


@pytest.mark.parametrize(
    ("storage", "told"),
    [
        ("https://host/x';touch y;'.tar", "is not an address"),
        ("https://host/a b.tar", "is not an address"),
        ("https://host/a\nb.tar", "is not an address"),
        ("gs://bucket/0.tar", "pipe:gsutil cat gs://bucket"),
        ("file:///x/0.tar", "read from folders"),
        ("https://host/{0..1.tar", "close the braces"),
        ("https://host/{a,b}/", "name the .tar files"),
    ],
)
def test_what_cannot_be_used(storage: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_storage(storage)


@pytest.mark.parametrize(
    "file", ["pipe:touch pwned", "../x.tar", "/etc/x.tar", "https://host/x.tar", "a/b.tar", "x.tar;ls", "x.tar\n"]
)
def test_an_index_names_files_beside_it_and_nothing_else(tmp_path: Path, file: object) -> None:
    shard = {"file": file, "split": "train", "samples": 1, "bytes": 1, "sha256": "0"}
    content = {"complete": True, "plan": {}, "shards": [shard]}
    (tmp_path / "index.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="names what is no file beside it"):
        list_shards(tmp_path)


def test_small_things() -> None:
    assert expand("a") == ["a"] and expand("{a,b}{1..2}") == ["a1", "a2", "b1", "b2"]
    assert without_login("s3://bucket/x") == "s3://bucket/x"
    assert is_remote("pipe:cat x") and is_remote("HTTPS://host/x") and not is_remote("C:\\x") and not is_remote(None)
