"""Digests: a large file is read once, and again as soon as it is another."""

from __future__ import annotations

import hashlib
import os

from pefomed_plugin import digests
from pefomed_plugin.digests import file_sha256, folder_sha256


def aged(path, content):
    path.write_bytes(content)
    os.utime(path, ns=(10**18, 10**18 + len(content)))
    return path


def test_a_large_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    reads, plain = [], digests.sha256_of
    monkeypatch.setattr(digests, "sha256_of", lambda stream: reads.append(1) or plain(stream))
    path = aged(tmp_path / "weights", b"a" * (1 << 20))
    assert file_sha256(path) == file_sha256(path) == hashlib.sha256(b"a" * (1 << 20)).hexdigest()
    assert len(reads) == 1
    aged(path, b"b" * (1 << 20) + b"c")
    assert file_sha256(path) == hashlib.sha256(b"b" * (1 << 20) + b"c").hexdigest() and len(reads) == 2


def test_a_file_written_just_now_is_always_read(tmp_path):
    """Its time of change need not tell one content from the next."""
    path = tmp_path / "weights"
    path.write_bytes(b"a" * (1 << 20))
    file_sha256(path)
    state = path.stat()
    path.write_bytes(b"b" * (1 << 20))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert file_sha256(path) == hashlib.sha256(b"b" * (1 << 20)).hexdigest()


def test_a_folder_is_known_by_its_files_and_their_names(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / ".hidden").write_bytes(b"x")
    first = folder_sha256(tmp_path)
    (tmp_path / ".hidden").write_bytes(b"y")
    assert folder_sha256(tmp_path) == first
    (tmp_path / "a").rename(tmp_path / "b")
    assert folder_sha256(tmp_path) != first
