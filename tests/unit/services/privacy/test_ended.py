"""Scanning and cleaning that are told to end, or find the disk full."""

from __future__ import annotations

import errno
import os

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.services.privacy import cleaning, scanning

OWN = ["--names", "own", "--ocr", "none"]


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "a b"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"Patient: Hans Mueller\nof {number}\n")
    return folder


def at_the_second(function, does):
    calls = []

    def instead(*given, **named):
        calls.append(given)
        return does() if len(calls) == 2 else function(*given, **named)

    return instead


def interrupt():
    raise KeyboardInterrupt


def test_a_copy_is_whole_or_not_there_and_the_line_that_is_shown_makes_it(texts, tmp_path, monkeypatch, capsys):
    copy = tmp_path / "copy"
    words = ["privacy", "scan", str(texts), *OWN, "--redact", "--out", str(copy)]
    with monkeypatch.context() as patch:
        patch.setattr(cleaning, "visit_file", at_the_second(cleaning.visit_file, interrupt))
        assert main(words) == 130
    said = capsys.readouterr().err
    assert "nothing is left in" in said and f"next: pefomed privacy scan '{texts}'" in said
    assert os.listdir(tmp_path) == ["a b"]
    assert main(words) == 0 and (copy / "2.txt").is_file()


def test_a_second_look_that_is_ended_does_not_say_that_nothing_is_found(texts, tmp_path, monkeypatch, capsys):
    words = ["privacy", "scan", str(texts), *OWN, "--redact", "--out", str(tmp_path / "copy")]
    monkeypatch.setattr(scanning, "look_at_file", at_the_second(scanning.look_at_file, interrupt))
    assert main(words) == 130
    said = capsys.readouterr()
    assert "nothing is found in the copy of the 1 of 4 files that were looked at" in said.out
    assert f"next: pefomed privacy scan {tmp_path / 'copy'}" in said.err


def test_a_scan_that_is_ended_shows_what_it_found_and_the_line_that_begins_it_again(texts, monkeypatch, capsys):
    monkeypatch.setattr(scanning, "look_at_file", at_the_second(scanning.look_at_file, interrupt))
    assert main(["privacy", "scan", str(texts), *OWN]) == 130
    said = capsys.readouterr()
    assert "interrupted after 1 of 3 files" in said.out
    assert f"next: pefomed privacy scan '{texts}' --names own --ocr none\n" in said.err


def test_a_full_disk_is_one_error_and_no_list_of_files(texts, tmp_path, monkeypatch, capsys):
    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cleaning, "visit_file", at_the_second(cleaning.visit_file, full))
    assert main(["privacy", "scan", str(texts), *OWN, "--redact", "--out", str(tmp_path / "copy")]) == 2
    assert "cannot write" in (said := capsys.readouterr().err) and "make room" in said
    assert os.listdir(tmp_path) == ["a b"]
