"""Prose breaks at words on a terminal, commands and pipes never; what goes on without a bar says so."""

from __future__ import annotations

import errno
import io
import os
import sys
import time

import pytest

from pefomed_plugin.services import terminal
from pefomed_plugin.services.terminal import Folding, break_at_separators, fold, folded_output, lasting_output, working

PROSE = "the quick brown fox jumps over the lazy dog and goes on to the end of a line that is longer than a terminal"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_prose_breaks_at_words():
    lines = fold(PROSE, 80).split("\n")
    assert max(map(len, lines)) <= 80 and " ".join(lines) == PROSE and len(lines) == 2


def test_what_follows_stands_below_its_column():
    first, *others = fold("  warning GPU 0     " + PROSE, 80).split("\n")
    assert first.startswith("  warning GPU 0     the") and all(
        line.startswith(" " * 20 + line.strip()) for line in others
    )


@pytest.mark.parametrize(
    "line",
    [
        "next: PEFOMED_SAMPLE='a b' pefomed train --cfg-path a.yaml " + "--options a=b " * 6,
        "  pefomed rate import ratings predictions.jsonl " + "x " * 30,
        "to continue: cd 'my study' && pefomed train --cfg-path stage2.yaml " + "x " * 10,
        "OMP_NUM_THREADS=2 torchrun --standalone " + "x " * 30,
        "  --options 'datasets.roco.build_info.storage=" + "x " * 30,
        "      -> export PEFOMED_DATA=... " + "PEFOMED_LLAMA=... " * 6,
        "| a | table | of | Markdown |" + " x |" * 20,
    ],
)
def test_a_command_is_never_broken(line):
    assert fold(line, 80) == line


def test_a_word_that_is_too_long_stays_whole():
    path = "/a/very/long/path" * 8
    assert path in fold(f"written to {path}; the page shows it", 80)


def test_names_in_a_narrow_cell_break_at_separators():
    assert break_at_separators("most_frequent_of_question 38.9", 18) == "most_frequent_of_\nquestion 38.9"
    assert break_at_separators("exact_match/pefomed overall", 14) == "exact_match/\npefomed overall"
    assert break_at_separators("short names stay", 8) == "short names stay"


def test_a_terminal_is_folded_and_a_pipe_is_not(monkeypatch):
    there, pipe = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", there)
    monkeypatch.setattr(sys, "stderr", pipe)
    with folded_output():
        print(PROSE)
        print(PROSE, file=sys.stderr)
    assert max(map(len, there.getvalue().splitlines())) <= 80 and pipe.getvalue() == PROSE + "\n"
    assert sys.stdout is there


def test_a_line_that_was_begun_goes_on():
    there = Terminal()
    stream = Folding(there)
    for part in ("> ", PROSE, "\n", PROSE, "\n"):
        stream.write(part)
    first, *others = there.getvalue().splitlines()
    assert first == "> " + PROSE and max(map(len, others)) <= 80


def wait_for(found, seconds=5.0):
    end = time.monotonic() + seconds
    while not found() and time.monotonic() < end:
        time.sleep(0.005)
    return found()


def test_work_turns_on_a_terminal_and_leaves_nothing_behind(monkeypatch):
    there = Terminal()
    monkeypatch.setattr(sys, "stderr", there)
    monkeypatch.setattr(terminal, "_FIRST_S", 0.001)
    with working("loading weights"):
        assert wait_for(lambda: "loading weights: 0 s so far" in there.getvalue())
    assert there.getvalue().endswith("\r\x1b[K") and "\n" not in there.getvalue()


def test_work_says_lines_in_a_pipe(monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    monkeypatch.setattr(terminal, "PLAIN_EVERY_S", 0.001)
    with working("loading weights"):
        assert wait_for(lambda: "loading weights: 0 s so far\n" in pipe.getvalue())
    assert "\x1b" not in pipe.getvalue() and "\r" not in pipe.getvalue()


def test_short_work_says_nothing(capsys):
    with working("loading weights"):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("gone", [errno.EPIPE, errno.ENOSPC, errno.EIO])
def test_work_goes_on_where_nobody_reads_what_is_printed(monkeypatch, capfd, tmp_path, gone):
    """``| head``, a full disk behind ``> log``, a terminal that is closed; said once, on the other stream."""

    class Gone(io.TextIOWrapper):
        def write(self, text):
            if not os.path.samestat(os.fstat(self.fileno()), os.stat(os.devnull)):
                raise OSError(gone, os.strerror(gone))
            return super().write(text)

    with open(tmp_path / "log", "wb") as file, Gone(file, encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with lasting_output():
            print("a", flush=True)
            print("b", flush=True)
            assert not sys.stdout.isatty()
        assert sys.stdout is stream
    said = capfd.readouterr().err
    assert said == f"stdout takes nothing any more ({os.strerror(gone)}); the work goes on\n"
