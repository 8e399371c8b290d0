"""The log of what left: its bound, its two files, and several processes that turn it."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import DataError
from pefomed_plugin.services import outbound_log
from pefomed_plugin.services.outbound_log import append, log_path, older_path, read_log


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def note(size: int, host: str = "api.example.org") -> None:
    append({"time": "2026-11-28T01:02:03+00:00", "host": host, "bytes": size, "texts": 1, "way": "chat API"})


def bound(monkeypatch: pytest.MonkeyPatch, lines: int) -> None:
    """So many lines a file."""
    note(0)
    size = log_path().stat().st_size + 3  # numbers get longer
    log_path().unlink()
    monkeypatch.setattr(outbound_log, "MOST_BYTES", lines * size)


def test_two_files_of_bounded_size_are_kept_and_what_went_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bound(monkeypatch, 10)
    for number in range(1, 8):
        note(number)
    assert not older_path().exists() and read_log()[1] == 0
    for number in range(8, 101):
        note(number)
    entries, gone = read_log()
    assert [entry["bytes"] for entry in entries] == list(range(gone + 1, 101)) and 10 < len(entries) <= 21
    for path in (log_path(), older_path()):
        assert path.stat().st_size <= outbound_log.MOST_BYTES and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(path.name for path in log_path().parent.iterdir()) == ["outbound.1.jsonl", "outbound.jsonl"]
    assert main(["privacy", "log"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{len(entries)} requests, noted in" in shown and str(older_path()) in shown
    assert f"{gone} requests before 2026-11-28T01:02:03+00:00 are not noted any more" in shown
    assert main(["privacy", "log", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["gone"], data["older"], len(data["entries"])) == (gone, [str(older_path())], len(entries))


def test_processes_that_turn_it_lose_nothing_and_readers_see_all(monkeypatch: pytest.MonkeyPatch) -> None:
    processes, each = 4, 60
    bound(monkeypatch, processes * each * 2 // 3)  # it turns once
    children = []
    for process in range(processes):
        child = os.fork()
        if not child:
            try:
                for number in range(each):
                    note(process * each + number)
            finally:
                os._exit(0)
        children.append(child)
    for _ in range(20):
        entries, gone = read_log()
        assert [entry["number"] for entry in entries] == list(range(1, len(entries) + 1)) and not gone
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    entries, gone = read_log()
    assert older_path().exists() and not gone
    assert sorted(entry["bytes"] for entry in entries) == list(range(processes * each))
    assert [entry["number"] for entry in entries] == list(range(1, processes * each + 1))


def test_a_log_of_an_earlier_version_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    bound(monkeypatch, 10)
    line = json.dumps({"time": "2026-01-01T00:00:00", "host": "h", "bytes": 7, "texts": 1})
    log_path().write_text(f"{line}\n{line}\n")
    note(8)
    entries, gone = read_log()
    assert ([entry["bytes"] for entry in entries], entries[-1]["number"], gone) == ([7, 7, 8], 3, 0)
    note(9, "h" * 10_000)  # a line longer than what is read for the last one
    note(10)
    assert read_log()[0][-1]["number"] == 5


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_keeps_its_place_and_the_log_grows(monkeypatch: pytest.MonkeyPatch, make: object) -> None:
    bound(monkeypatch, 5)
    make(older_path())  # type: ignore[operator]
    kind = stat.S_IFMT(older_path().stat().st_mode)
    for number in range(1, 12):
        note(number)
    assert stat.S_IFMT(older_path().stat().st_mode) == kind and len(log_path().read_text().splitlines()) == 11
    with pytest.raises(DataError, match="outbound.1.jsonl"):
        read_log()


def test_a_link_stays_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bound(monkeypatch, 5)
    (tmp_path / "shared").mkdir()
    log_path().symlink_to(tmp_path / "shared/all.jsonl")
    for number in range(1, 8):
        note(number)
    assert log_path().is_symlink() and older_path() == tmp_path / "shared/outbound.1.jsonl"
    assert [entry["bytes"] for entry in read_log()[0]] == list(range(1, 8)) and older_path().exists()


def test_where_there_are_no_locks_nothing_is_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise outbound_log.NoLocks("no such locks")

    bound(monkeypatch, 3)
    monkeypatch.setattr(outbound_log, "take", refuse)
    for number in range(1, 8):
        note(number)
    assert len(read_log()[0]) == 7 and not older_path().exists()
