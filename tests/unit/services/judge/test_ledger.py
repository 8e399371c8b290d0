"""The ledger: what was written stays, whatever happens to the process or to the last line."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.services.judge.ledger import Ledger, ledger_key


def test_what_was_written_is_found_again(tmp_path):
    path = tmp_path / "new" / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.append([{"key": "a", "text": "eins, zwei"}, {"key": "b", "text": "line\nbreak"}])
        ledger.append([{"key": "a", "text": "later"}])
        ledger.append([])
    with Ledger(path) as ledger:
        assert [entry["text"] for entry in ledger.entries("a")] == ["eins, zwei", "later"]
        assert ledger.entries("b")[0]["text"] == "line\nbreak"
        assert ledger.entries("c") == ()
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_last_line_is_dropped_and_the_next_one_is_whole(tmp_path, cut):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.append([{"key": "a"}, {"key": "b"}])
    os.truncate(path, path.stat().st_size - cut)
    with Ledger(path) as ledger:
        assert ledger.torn_bytes > 0
        assert (len(ledger.entries("a")), len(ledger.entries("b"))) == (1, 0)
        ledger.append([{"key": "c"}])
        assert ledger.entries("c")[0]["key"] == "c"
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a", "c"]


def test_damage_before_the_end_is_an_error_that_names_the_lines(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_text('{"key": "a"}\n{"nokey": 1}\nnot json\n[1]\n')
    with pytest.raises(DataError) as caught, Ledger(path):
        pass
    assert ["line 2" in caught.value.problems[0], len(caught.value.problems)] == [True, 3]
    assert path.read_text().count("\n") == 4


def test_two_processes_on_one_ledger_are_refused(tmp_path):
    path = tmp_path / "ledger.jsonl"
    code = f"from pefomed_plugin.services.judge.ledger import Ledger\nwith Ledger({str(path)!r}): pass"
    with Ledger(path):
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "is in use by another process" in other.stderr
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_ledger_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot open the ledger"), Ledger(tmp_path / "file" / "ledger.jsonl"):
        pass
    with pytest.raises(ValueError, match="not open"):
        Ledger(tmp_path / "ledger.jsonl").append([{"key": "a"}])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger._file.close()
        ledger._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115, the ledger closes it
        with pytest.raises(DataError, match="cannot write the ledger"):
            ledger.append([{"key": "a"}])
        assert ledger.entries("a") == ()


def test_it_is_read_in_blocks_and_entries_stay_on_the_disk(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.append([{"key": f"k{number}", "text": "w" * 10_000} for number in range(400)])
    reads, held = Path("/proc/self/io"), []
    before = _count_reads(reads)
    tracemalloc.start()
    try:
        with Ledger(path) as ledger:
            held.append(tracemalloc.get_traced_memory()[0])
            assert _count_reads(reads) - before < 2_000  # a byte at a time it is 4 million
            assert len(ledger.entries("k7")[0]["text"]) == 10_000
    finally:
        tracemalloc.stop()
    assert held[0] < path.stat().st_size / 10


def _count_reads(counters):
    """Read calls of this process so far; 0 where the system does not count them."""
    if not counters.exists():
        return 0
    return int(counters.read_text().split("syscr: ")[1].split()[0])


def test_two_keys_of_one_hash_are_two(tmp_path, monkeypatch):
    monkeypatch.setattr("pefomed_plugin.services.judge.ledger.hash", lambda key: 1, raising=False)
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.append([{"key": "a", "text": "1"}, {"key": "b", "text": "2"}, {"key": "a", "text": "3"}])
        assert [entry["text"] for entry in ledger.entries("a")] == ["1", "3"]
        assert [entry["text"] for entry in ledger.entries("b")] == ["2"]


def test_text_that_is_no_unicode_does_not_stop_it(tmp_path):
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.append([{"key": "a", "text": "half a pair \ud83d"}])
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        assert ledger.entries("a")[0]["text"] == "half a pair \ufffd"


def test_a_key_does_not_depend_on_the_order():
    assert ledger_key({"a": 1, "b": [2]}) == ledger_key({"b": [2], "a": 1})
    assert ledger_key({"a": 1}) != ledger_key({"a": "1"})


def test_where_the_file_system_has_no_locks_it_works_without_and_says_so(tmp_path, monkeypatch, capsys):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.append([{"key": "a"}])
        assert ledger.entries("a")
    assert "is not locked (No locks available)" in capsys.readouterr().err


class Full:
    """A disk that takes ten bytes more."""

    def __init__(self, file):
        self.file, self.room = file, 10

    def write(self, data):
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room = 0
        return self.file.write(data[:10])

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_what_a_full_disk_has_no_room_for_is_kept_and_taken_in(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path, rows = tmp_path / "ledger.jsonl", [{"key": "b", "text": "ü"}, {"key": "c"}, {"key": "d"}]
    with Ledger(path) as ledger:
        ledger.append([{"key": "a"}])
        ledger._file = Full(ledger._file)
        for several in (rows[:2], rows[2:]):
            with pytest.raises(DataError, match=rf"what stands in it is whole.*{len(several)} replies are kept in"):
                ledger.append(several)
    (kept,) = (tmp_path / "state" / "pefomed").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    with Ledger(path):
        pass
    assert "3 replies that" in capsys.readouterr().out and not kept.exists()
    kept.write_bytes(path.read_bytes().partition(b"\n")[2] + b'{"key": "torn')  # killed before it was removed
    with Ledger(path) as ledger:
        assert [ledger.entries(row["key"])[0].get("text") for row in rows] == ["ü", None, None]
    assert len(path.read_text().splitlines()) == 4 and not kept.exists()


@pytest.mark.parametrize("state", ["full", "file"])
def test_after_a_write_that_failed_half_way_the_next_line_is_whole(tmp_path, monkeypatch, state):
    path = tmp_path / "ledger.jsonl"
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / state))
    with Ledger(path) as ledger:
        ledger.append([{"key": "a"}])
        whole, ledger._file = ledger._file, Full(ledger._file)
        with pytest.raises(DataError, match="No space left.*make room.*what stands in it is whole") as caught:
            ledger.append([{"key": "b"}])
        assert ("asked for again" in str(caught.value)) is (state == "file")
        ledger._file = whole
        ledger.append([{"key": "c"}])
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a", "c"]


@pytest.mark.parametrize(
    "line",
    [
        '{"key": ["a"]}',
        '{"key": "a", "text": 7}',
        '{"key": "a", "usage": {"prompt_tokens": "many"}}',
        '{"key": "a", "usage": {"prompt_tokens": -1}}',
        '{"key": "a", "usage": null}',
        '{"key": "a", "fault": {}}',
        '{"key": "a", "dropped": "seed"}',
        "[" * 100_000,
        '{"key": "a", "run": ' + "9" * 5000 + "}",
    ],
)
def test_a_line_that_holds_something_else_is_named(tmp_path, line):
    path = tmp_path / "ledger.jsonl"
    path.write_text(f'{{"key": "a"}}\n{line}\n')
    with pytest.raises(DataError, match="line 2") as caught, Ledger(path):
        pass
    assert len(str(caught.value)) < 400
