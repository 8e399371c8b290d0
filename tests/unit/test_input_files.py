"""Named pipes, devices and sockets are never opened; a line has a length that memory can take."""

from __future__ import annotations

import gzip
import os
import socket
from pathlib import Path

import pytest

from pefomed_plugin import input_files
from pefomed_plugin.errors import DataError, PefomedError, printable, quoted
from pefomed_plugin.readers.tables import read_lines
from pefomed_plugin.readers.textfiles import read_json, read_json_lines, read_plain_pickle, read_text
from pefomed_plugin.storage import read_predictions

READERS = {
    "text": read_text,
    "json": read_json,
    "lines": lambda path: list(read_json_lines(path)),
    "pickle": read_plain_pickle,
    "predictions": read_predictions,
    "table": lambda path: list(read_lines(path)),
}


@pytest.fixture(params=["pipe", "device", "socket"])
def special(request, tmp_path):
    path = tmp_path / "in"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "device":
        path = Path("/dev/zero")
    else:
        socket.socket(socket.AF_UNIX).bind(str(path))
    return path


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_is_no_file_is_not_opened(special: Path, read) -> None:
    with pytest.raises(DataError, match="it is a (named pipe|device|socket), not a file; write what it gives"):
        read(special)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_line_without_end_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(input_files, "MOST_LINE_BYTES", 2**20)
    content = b"short\n" + b"x" * (2**20 + 1)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(DataError, match=rf"{name}, line 2: more than 1 MiB in one line"):
        list(read_lines(tmp_path / name))


def test_control_characters_do_not_reach_the_terminal() -> None:
    error = PefomedError("a\x1b[2Jb\u202e", ["c\r\x07", "d\tä\n  e"])
    assert str(error) == "a\\x1b[2Jb\\u202e\n  - c\\r\\x07\n  - d\tä\n  e"
    assert printable("röntgen 胸部 \u00a0 é") == "röntgen 胸部 \u00a0 é"
    assert quoted("x" * 100) == "'" + "x" * 36 + "..." and quoted("a\nb", bare=True) == "a\\nb"
