"""Lines, tables and progress: with a terminal, without one, without colour, and in worker ranks."""

from __future__ import annotations

import os
import re
import sys

import pytest

from pefomed_plugin.services import console

PROGRAM = """
import sys
from operator import itemgetter
from pefomed_plugin.reporting.rendering import show_table
from pefomed_plugin.reporting.table import COUNT, Column, Table
from pefomed_plugin.services.console import print_line, progress, say
say("said")
print_line("styled [bold]" + "long " * 30, "bold red")
columns = Column("name", itemgetter(0)), Column("n", itemgetter(1), COUNT)
show_table(Table("a table", columns, [("first", 1), ("second", 20)]))
with progress("work", 3) as advance:
    for _ in range(3):
        advance(1, "note")
"""
ESCAPE = "\x1b["


def on_a_terminal(**environ):
    """What the program writes on a terminal of 80 columns."""
    import pty

    child, terminal = pty.fork()
    if child == 0:
        os.environ.update({"TERM": "xterm-256color", "COLUMNS": "80", **environ})
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM])
    written = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # Linux says so when the child has ended
            part = b""
        if not part:
            break
        written += part
    assert os.waitpid(child, 0)[1] == 0
    os.close(terminal)
    return written.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="no pty")
def test_a_terminal_gets_frames_colours_and_a_bar(monkeypatch):
    for name in ("NO_COLOR", "RANK"):
        monkeypatch.delenv(name, raising=False)
    shown = on_a_terminal()
    assert ESCAPE + "1;31m" in shown and "[bold]" in shown
    assert "━" in shown and "3/3" in shown
    assert "second" in shown and "│" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="no pty")
def test_no_color_is_respected():
    shown = on_a_terminal(NO_COLOR="1")
    assert not re.search(r"\x1b\[[\d;]*3\dm", shown)
    assert "│" in shown and "3/3" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="no pty")
def test_another_rank_is_quiet_on_a_terminal():
    assert on_a_terminal(RANK="1") == ""


def run_here():
    exec(PROGRAM, {})


def test_without_a_terminal_lines_are_plain_and_never_folded(capsys):
    run_here()
    shown = capsys.readouterr()
    assert shown.out == ("said\nstyled [bold]" + "long " * 30 + "\na table\nname     n\nfirst    1\nsecond  20\n")
    assert shown.err == ""


def test_another_rank_is_quiet(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    run_here()
    assert capsys.readouterr() == ("", "")


def test_progress_without_a_terminal_is_a_line_now_and_then_on_stderr(capsys, monkeypatch):
    monkeypatch.setattr(console, "PLAIN_EVERY_S", 0.0)
    with console.progress("work", 10, done=4) as advance:
        advance(2, "loss 1.5")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.fullmatch(r"work: 6/10, [\d.]+/s, \d+ s left  loss 1.5\n", shown.err)


@pytest.mark.parametrize(("items", "told"), [(0, "0.0/s"), (1, "40 s each"), (4, "0.1/s"), (400, "10.0/s")])
def test_a_slow_rate_is_told_as_time_and_not_as_nothing(items, told, monkeypatch):
    """``0.0/s`` stood there while a sample was made."""
    monkeypatch.setattr(console.time, "monotonic", lambda: 140.0)
    assert console._rate(items, 100.0) == told
