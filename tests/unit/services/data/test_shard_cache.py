"""Shards from a server: an HTTP server on this machine that gives them, breaks off, lies, or goes."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.config.datasets import ShardReading
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.services.data import shard_cache, shard_room
from pefomed_plugin.services.data.shard_cache import fetch_index, fetch_shards, folder_of, read_checksums
from pefomed_plugin.services.data.shard_files import open_shards
from pefomed_plugin.services.data.shard_sources import ShardSource, read_storage
from pefomed_plugin.services.data.shard_transport import TransportError, open_shard
from pefomed_plugin.services.data.shards import write_shards

from ..small import sample, small_image
from ..tars import Server, captioned, serving, write_tars

pytestmark = pytest.mark.skipif(
    shutil.which("curl") is None, reason="webdataset reads http through curl: not installed"
)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard_cache, "_WAIT_S", 0.0)
    monkeypatch.setattr(shard_room, "_in_use", [])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three shards by others, of one caption each."""
    return write_tars(tmp_path / "served", **{f"{number:05d}": captioned([number]) for number in range(3)})


@pytest.fixture
def settings(tmp_path: Path) -> ShardReading:
    return ShardReading(cache=str(tmp_path / "cache"), retries=2, timeout_s=20)


def by_others(server: Server, names: str = "{00000..00002}.tar") -> ShardSource:
    source = read_storage(f"{server.url}/{names}")
    assert source is not None
    return source


def our_shards(folder: Path) -> None:
    images = folder.parent / "images"
    images.mkdir()
    for number in range(3):
        small_image(number).save(images / f"{number}.png")
    write_shards([sample(number) for number in range(3)], images, folder, 16, per_shard=2)


def test_shards_are_fetched_once(root: Path, settings: ShardReading, capsys: pytest.CaptureFixture) -> None:
    with serving(root) as server:
        folder, names = fetch_shards(by_others(server), settings)
        assert names == ["00000.tar", "00001.tar", "00002.tar"]
        assert all((folder / name).read_bytes() == (root / name).read_bytes() for name in names)
        assert sorted(server.asked) == ["/00000.tar", "/00001.tar", "/00002.tar"]
        assert fetch_shards(by_others(server), settings) == (folder, names)
        assert len(server.asked) == 3 and "all 3 shards are in" in capsys.readouterr().out
        (folder / "00001.tar").write_bytes(b"changed by somebody")
        fetch_shards(by_others(server), settings)
        assert server.asked[3:] == ["/00001.tar"]
        assert (folder / "00001.tar").read_bytes() == (root / "00001.tar").read_bytes()
    assert not list(folder.glob("*.part"))


def test_our_shards_are_compared_with_the_index_of_the_server(tmp_path: Path, settings: ShardReading) -> None:
    our_shards(tmp_path / "served")
    with serving(tmp_path / "served") as server:
        source = read_storage(server.url)
        assert source is not None and fetch_index(source, settings) == folder_of(source, settings)
        folder, names = fetch_shards(source, settings)
        assert names == ["train-000000.tar", "train-000001.tar"]
        digests: list[Any] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pefomed_plugin.services.data.shard_files.file_sha256", digests.append)
            assert [shard.file for shard in open_shards(folder)["train"]] == names
        assert not digests, "what was compared while it came is not read again"
        with pytest.raises(DataError, match=r"does not list[\s\S]*train-000007\.tar: not in index\.json"):
            fetch_shards(source.only(["train-000007.tar"]), settings)


def test_another_content_than_the_index_says_is_refused(tmp_path: Path, settings: ShardReading) -> None:
    our_shards(tmp_path / "served")
    with serving(tmp_path / "served") as server:
        server.answer = lambda path, content: content.replace(b"yes", b"no!") if path.endswith(".tar") else content
        source = read_storage(server.url)
        assert source is not None
        folder = fetch_index(source, settings)
        with pytest.raises(DataError, match=r"2 of 2 shards cannot be fetched[\s\S]*not those of its digest"):
            fetch_shards(source, settings)
        assert len(server.asked) == 1 + 2 * 3
        assert folder is not None and not list(folder.glob("*.tar*"))


def test_a_connection_that_breaks_is_tried_again(root: Path, settings: ShardReading) -> None:
    with serving(root) as server:
        server.answer = lambda path, content: content[:700] if server.asked.count(path) < 3 else content
        folder, names = fetch_shards(by_others(server), settings)
        assert len(server.asked) == 9
        assert all((folder / name).read_bytes() == (root / name).read_bytes() for name in names)


def test_a_server_that_keeps_breaking_off(root: Path, settings: ShardReading) -> None:
    with serving(root) as server:
        server.answer = lambda path, content: content[:700] if path.startswith("/00001") else content
        with pytest.raises(DataError) as caught:
            fetch_shards(by_others(server), settings)
        assert caught.value.summary.startswith(
            f"{server.url}/: 1 of 3 shards cannot be fetched. What was fetched is kept"
        )
        (problem,) = caught.value.problems
        assert problem == f"{server.url}/00001.tar: asked 3 times; the server broke off before the end"
        server.answer = None
        del server.asked[:]
        fetch_shards(by_others(server), settings)
        assert server.asked == ["/00001.tar"]


def test_a_file_that_the_server_does_not_have(root: Path, settings: ShardReading) -> None:
    with serving(root) as server:
        with pytest.raises(DataError, match=r"00003\.tar: asked 3 times; the server refuses, or has no such file"):
            fetch_shards(by_others(server, "{00002..00003}.tar"), settings)
        assert fetch_index(by_others(server), settings) is None


def test_a_server_that_is_gone(root: Path, settings: ShardReading, capsys: pytest.CaptureFixture) -> None:
    with serving(root) as server:
        source = by_others(server)
    with pytest.raises(DataError, match="no connection to the server"):
        fetch_shards(source, settings)
    with pytest.raises(DataError, match="no connection to the server"):
        fetch_index(source, settings)


def test_with_everything_fetched_the_server_is_not_needed(
    tmp_path: Path, settings: ShardReading, capsys: pytest.CaptureFixture
) -> None:
    our_shards(tmp_path / "served")
    with serving(tmp_path / "served") as server:
        source = read_storage(server.url)
        assert source is not None
        fetch_index(source, settings)
        fetched = fetch_shards(source, settings)
    assert fetch_index(source, replace(settings, retries=0)) == fetched[0]
    assert "going on with the index.json that was fetched before" in capsys.readouterr().out
    assert fetch_shards(source, settings) == fetched


def test_a_server_that_says_nothing_more(root: Path, settings: ShardReading) -> None:
    stopped: list[float] = []

    def stall(path: str, content: bytes) -> bytes:
        while not stopped:
            time.sleep(0.01)
        return content

    with serving(root) as server:
        server.answer = stall
        try:
            with pytest.raises(DataError, match=r"nothing came for 0\.2 s"):
                fetch_shards(by_others(server, "00000.tar"), replace(settings, retries=0, timeout_s=0.2))
        finally:
            stopped.append(1)


def test_a_shard_that_is_cut_on_the_server_is_asked_for_again_by_the_next_run(
    root: Path, settings: ShardReading, capsys: pytest.CaptureFixture
) -> None:
    whole = (root / "00000.tar").read_bytes()
    (root / "00000.tar").write_bytes(whole[:1500])
    with serving(root) as server:
        folder, _ = fetch_shards(by_others(server, "00000.tar"), settings)
        assert "without the end mark" in capsys.readouterr().out or "within" in capsys.readouterr().out
        assert len(server.asked) == 3
        (root / "00000.tar").write_bytes(whole)
        fetch_shards(by_others(server, "00000.tar"), settings)
        assert (folder / "00000.tar").read_bytes() == whole


def test_digests_of_shards_by_others(root: Path, settings: ShardReading, tmp_path: Path) -> None:
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.glob("*.tar")}
    digests["00001.tar"] = "0" * 64
    listed = tmp_path / "SHA256SUMS"
    listed.write_text("".join(f"{digest}  ./{name}\n" for name, digest in digests.items()))
    assert read_checksums(str(listed)) == digests
    with serving(root) as server:
        with pytest.raises(DataError, match=r"1 of 3 shards[\s\S]*00001\.tar: asked 3 times; [\d,]+ bytes came"):
            fetch_shards(by_others(server), replace(settings, checksums=str(listed)))
        listed.write_text(f"{digests['00000.tar']} *00000.tar\n")
        with pytest.raises(DataError, match=r"00001\.tar: not in .*SHA256SUMS"):
            fetch_shards(by_others(server), replace(settings, checksums=str(listed)))
    listed.write_text("hello\n")
    with pytest.raises(DataError, match="line 1: hello"):
        read_checksums(str(listed))


def test_more_than_the_cache_may_hold_is_refused_before_it_is_fetched(tmp_path: Path, settings: ShardReading) -> None:
    our_shards(tmp_path / "served")
    with serving(tmp_path / "served") as server:
        source = read_storage(server.url)
        assert source is not None
        fetch_index(source, settings)
        with pytest.raises(ConfigError, match=r"shards\.cache_gb is 1e-05; raise it.*shards\.stream: true"):
            fetch_shards(source, replace(settings, cache_gb=1e-5))
        assert server.asked == ["/index.json"]


def test_what_was_used_longest_ago_makes_room(
    root: Path, settings: ShardReading, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    other = write_tars(root / "other", a=captioned([8]))
    third = write_tars(root / "third", a=captioned([9]))
    size = sum(path.stat().st_size for path in root.glob("*.tar"))
    small = replace(settings, cache_gb=(size + (other / "a.tar").stat().st_size + 100) / 1e9)
    with serving(root) as server:
        first, _ = fetch_shards(by_others(server), small)
        second, _ = fetch_shards(by_others(server, "other/a.tar"), small)
        os.utime(first / ".used", (1, 1))
        assert len(list(first.glob("*.tar"))) == 3
        with pytest.raises(ConfigError, match="other runs use what is in it"):
            fetch_shards(by_others(server, "third/a.tar"), small)
        shard_room._in_use.clear()  # those runs end
        fetch_shards(by_others(server, "third/a.tar"), small)
        assert not list(first.glob("*.tar")), "the one used longest ago went"
        assert list(second.glob("*.tar"))
        assert f"3 shards (0.00 GB) of {first} made room; unused since 1970-01-01" in capsys.readouterr().out
        shard_room._in_use.clear()
        fetch_shards(by_others(server), small)
        assert len(list(first.glob("*.tar"))) == 3
    assert third.is_dir()


def test_commands(root: Path, settings: ShardReading) -> None:
    source = read_storage(f"pipe:cat {root}/{{00000..00001}}.tar")
    assert source is not None and fetch_index(source, settings) is None
    folder, names = fetch_shards(source, settings)
    assert [(folder / name).read_bytes() for name in names] == [
        (root / f"0000{number}.tar").read_bytes() for number in range(2)
    ]
    broken = read_storage("pipe:exit 3")
    assert broken is not None
    with pytest.raises(DataError, match="the command ended with exit code 3"):
        fetch_shards(broken, replace(settings, retries=0))


def test_a_stream_that_is_left_early_raises_nothing(root: Path) -> None:
    with serving(root) as server, open_shard(f"{server.url}/00000.tar", 20) as stream:
        assert stream.read(10) == (root / "00000.tar").read_bytes()[:10]
    with open_shard(f"pipe:yes | cat {root}/00000.tar -", 20) as stream:
        assert len(stream.read(10)) == 10


def test_a_cache_that_cannot_be_made(root: Path, settings: ShardReading, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with serving(root) as server, pytest.raises(ConfigError, match=r"shards\.cache: cannot make"):
        fetch_shards(by_others(server), replace(settings, cache=str(tmp_path / "file" / "x")))


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TransportError, match="No such file"), open_shard(str(tmp_path / "x.tar"), 1):
        pass


def test_without_curl_and_without_boto3_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match="curl, which is not installed"), open_shard("http://127.0.0.1/x.tar", 1):
        pass
    monkeypatch.setattr("pefomed_plugin.requirements.find_spec", lambda _: None)
    with (
        pytest.raises(ConfigError, match=r"shards at s3:// need boto3; pip install pefomed_plugin\[s3\]"),
        open_shard("s3://bucket/x.tar", 1),
    ):
        pass
