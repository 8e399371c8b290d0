"""A file where a folder should be, a folder where a file should be, an empty argument: told at once, with a remedy."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin import embedded
from pefomed_plugin.cli import main
from pefomed_plugin.errors import DataError, failed_to_write, why
from tests.unit.reporting.made import answers, make_run


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder that the command runs in, with a file, a folder without images and a file of predictions."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "numbers.json").write_text("[1, 2]")
    row = {"id": "a", "dataset": "vqa_rad", "split": "test", "image": "a.png", "task": "vqa", "question": "q"}
    (tmp_path / "p.jsonl").write_text(json.dumps({**row, "answer": "yes", "prediction": "no"}) + "\n")
    return tmp_path


PREDICT = ["predict", "--ckpt", "nothing.pth", "--out", "out"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["init", "file"], "file: File exists; a file is where a folder is needed: move it away"),
        (["init", "file/study"], "a file is where a folder is needed"),
        (["init", ""], "an argument is empty, at 'init '; is it a variable that is not set?"),
        (["sample", "--out="], "an argument is empty, at 'sample --out='"),
        (["sample", "--no-model", "--out", "file"], "file: File exists; a file is where a folder is needed"),
        (["sample", "--no-model", "--out", "file/x"], "a file is where a folder is needed"),
        ([*PREDICT, "--images", "file", "--task", "report"], "file is a file, not a folder of images"),
        ([*PREDICT, "--images", "nowhere", "--task", "report"], "no folder nowhere"),
        ([*PREDICT, "--images", "folder", "--task", "report"], "folder holds no image; looked for"),
        ([*PREDICT, "--images", "folder", "--task", "vqa"], "--task vqa needs --question TEXT or --questions"),
        (["predict", "vqa_rad", "nowhere", "--api", "m", "--out", "out"], "no folder nowhere; correct what you gave"),
        (
            ["rate", "import", "nowhere", "p.jsonl"],
            "nowhere/ratings.json: no such file; give the folder of pefomed rate",
        ),
        (
            ["rate", "import", "folder", "none.jsonl"],
            "cannot read none.jsonl: No such file or directory; check the name",
        ),
        (["rate", "import", "folder", "folder"], "cannot read folder: Is a directory; it is a folder where a file is"),
        (
            ["rate", "export", "p.jsonl", "--csv", "--out", "file"],
            "cannot write file/rater01.csv: File exists; a file is",
        ),
        (["score", "exact_match", "numbers.json"], "numbers.json, record 0: expected an object, found a number"),
        (
            ["rate", "export", "p.jsonl", "--out", "o", "--rubric", "none.yaml"],
            "none.yaml: No such file or directory; check",
        ),
        (["score", "exact_match", "file"], "file holds no predictions"),
        (["checkpoint", "inspect", "nowhere.pth"], "no weights file nowhere.pth"),
    ],
)
def test_a_wrong_place_is_told_with_what_to_do(
    at: Path, capsys: pytest.CaptureFixture, arguments: list[str], told: str
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert told in shown and "Traceback" not in shown and "[Errno" not in shown


def test_where_answers_cannot_be_written_no_model_is_loaded(at: Path, capsys: pytest.CaptureFixture) -> None:
    (at / "folder" / "a.png").write_bytes(b"")
    arguments = ["predict", "--images", "folder", "--task", "report", "--ckpt", "nothing.pth", "--out", "file"]
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert "a file is where a folder is needed" in shown.err and "loading" not in shown.out


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.EACCES, "change its permissions"), (errno.EROFS, "choose another place"), (errno.ENOSPC, "make room")],
)
def test_a_folder_that_may_not_be_made(
    at: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    def refuse(path: Any, *_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "mkdir", refuse)
    for arguments in (["init", "study"], ["sample", "--no-model", "--out", "sample"]):
        assert main(arguments) == 2
        shown = capsys.readouterr().err
        assert f": {os.strerror(number)}; " in shown and remedy in shown


def test_an_error_without_a_known_remedy_says_what_the_system_says() -> None:
    assert why(OSError(errno.ENXIO, "No such device or address")) == "No such device or address"
    assert why(OSError("of a library")) == "of a library"
    assert why(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no")).startswith("byte 0 is not UTF-8; convert the file")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("answers.jsonl", "{}", "answers.jsonl: a page; end its name with .html"),
        ("notes.html", "my notes", "notes.html holds something else than a page; choose another name"),
    ],
)
@pytest.mark.parametrize("command", ["report", "watch"])
def test_a_page_replaces_nothing_but_a_page(
    at: Path, capsys: pytest.CaptureFixture, command: str, name: str, content: str, told: str
) -> None:
    (at / name).write_text(content)
    with pytest.raises(SystemExit):
        main([command, "folder", "--out", name])
    assert told in " ".join(capsys.readouterr().err.split()) and (at / name).read_text() == content


def test_what_a_command_would_overwrite_is_set_aside(at: Path, capsys: pytest.CaptureFixture) -> None:
    run = make_run(at / "run", answers(["yes"] * 4))
    for command in (["compare", str(run), "--out", "file.md"], ["compare", str(run), "--out", "numbers.json"]):
        (at / command[-1]).write_text("mine")
        assert main(command) == 0
        assert (at / f"{command[-1]}.1").read_text() == "mine"
        assert f"{command[-1]} was there already; it is now {command[-1]}.1" in capsys.readouterr().out


def test_what_libraries_say_of_a_full_disk_is_told_as_that() -> None:
    torchs = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 113280 vs 113168")
    safetensors = Exception("Error while serializing: I/O error: File too large (os error 27)")
    for error in (torchs, safetensors):
        assert "is the disk full, or a quota or a limit (ulimit -f) reached? make room" in failed_to_write(error)
    assert failed_to_write(OSError(errno.EFBIG, "File too large")).startswith("File too large; raise the limit")
    assert failed_to_write(RuntimeError("of another kind")) is None


@pytest.mark.parametrize("kind", ["of the disk", "another"])
def test_a_sample_that_cannot_be_written_is_told_without_a_traceback(
    at: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    said = "I/O error: File too large" if kind == "of the disk" else "a mistake of ours"

    def fail(*_: Any) -> None:
        raise RuntimeError(said)

    monkeypatch.setattr(embedded, "find_writer", lambda name: fail)
    with pytest.raises(DataError if kind == "of the disk" else RuntimeError, match=said):
        embedded._write_part(at, "slake", 0)


def test_the_printed_command_can_be_pasted(at: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["init", "my study"]) == 0
    assert "next: cd 'my study' && pefomed train --cfg-path stage2.yaml\n" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_is_told_before_anything_uses_it(
    at: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(at / "file"))
    told = "file/pefomed/sample cannot be written"
    assert main(["sample", "--no-model"]) == 2
    shown = capsys.readouterr().err
    assert told in shown and "set PEFOMED_SAMPLE, or XDG_CACHE_HOME" in shown
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert told in shown and "not ready" in shown
