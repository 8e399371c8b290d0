"""A terminal as its reader sees it: prose breaks at words, and work that has no bar yet shows that it goes on.

Both only where there is a terminal; a pipe gets lines as they are. A line that holds a command is never broken, so that
it can be copied.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, Callable, TextIO

_COMMAND = re.compile(
    r"\s*(?:-> )?(?:[\w ,()-]+: +)?(?:\$ |[A-Z_]+=\S* |"
    r"(?:cd|pefomed|torchrun|pip|python\S*|hf|export|cat|exec|sbatch) \S)"
    r"|\s*--options |\||<"
)
"""How a line begins that is typed, or belongs to a Markdown table."""
_COLUMNS = re.compile(r"\s*(?:\S+(?: \S+)*? {2,})+")
_TURN = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_EVERY_S = 0.2
_FIRST_S = 0.5
"""Seconds until a step is worth a line."""
PLAIN_EVERY_S = 10.0
"""Seconds between two lines where there is no terminal."""


def fold(line: str, width: int) -> str:
    """A line of prose as lines of at most ``width`` columns, below the column where its last part begins."""
    if len(line) <= width or "\x1b" in line or _COMMAND.match(line):
        return line
    columns = _COLUMNS.match(line)
    indent = columns.end() if columns and columns.end() <= width // 2 else len(line) - len(line.lstrip())
    return textwrap.fill(
        line[indent:],
        width,
        initial_indent=line[:indent],
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def break_at_separators(text: str, width: int) -> str:
    """Words of a cell that are wider than it as lines that end at a separator: ``most_frequent_``, ``of_question``."""
    return " ".join(_broken(word, width) if len(word) > width else word for word in text.split(" "))


def _broken(word: str, width: int) -> str:
    lines = [""]
    for piece in re.findall(r"[^/_.:,-]*[/_.:,-]+|[^/_.:,-]+", word):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def columns_here() -> int:
    """Of the terminal; 80 where it does not say."""
    return shutil.get_terminal_size((80, 24)).columns


class Folding:
    """A terminal's stream whose long lines break at words; takes the sign of going work away before it writes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._begun = stream, False

    def write(self, text: str) -> int:
        """As of a file."""
        with _LOCK:
            _Turning.clear()
            first, *others = text.split("\n")
            pieces, width = [first, *others], columns_here()
            folded = [first if self._begun else fold(first, width), *(fold(piece, width) for piece in others)]
            self._begun = bool(pieces[-1]) or (self._begun and len(pieces) == 1)
            self._stream.write("\n".join(folded))
            return len(text)

    def writelines(self, lines: list[str]) -> None:
        """As of a file."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def open_closed_streams() -> None:
    """Where whoever starts us has closed an output (``>&-``), what is written to it goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - until the process ends


class _Lasting:
    """A stream that may be gone while work goes on whose result is a file: what is written to it then goes nowhere."""

    def __init__(self, stream: TextIO, name: str, other: str) -> None:
        self._stream, self._name, self._other = stream, name, other

    def write(self, text: str) -> int:
        """As of a file."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._let_go(error)
            return len(text)

    def writelines(self, lines: list[str]) -> None:
        """As of a file."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """As of a file."""
        try:
            self._stream.flush()
        except OSError as error:
            self._let_go(error)

    def _let_go(self, error: OSError) -> None:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)
        print(
            f"{self._name} takes nothing any more ({error.strerror}); the work goes on", file=getattr(sys, self._other)
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def lasting_output() -> Iterator[None]:
    """A reader that leaves (``| head``), a full disk behind ``> log`` or a terminal that is gone does not end the work;
    it is said on the other stream."""
    out, err = _Lasting(sys.stdout, "stdout", "stderr"), _Lasting(sys.stderr, "stderr", "stdout")
    with redirect_stdout(out), redirect_stderr(err):  # type: ignore[type-var]
        yield


@contextmanager
def folded_output() -> Iterator[None]:
    """Whatever is printed breaks at words, where it goes to a terminal."""
    with ExitStack() as stack:
        for stream, redirect in ((sys.stdout, redirect_stdout), (sys.stderr, redirect_stderr)):
            if stream.isatty() and not isinstance(stream, Folding):
                stack.enter_context(redirect(Folding(stream)))  # type: ignore[arg-type,type-var]
        yield


class _Turning:
    """The one sign of going work of this process."""

    shown = False
    paused = 0

    @classmethod
    def clear(cls) -> None:
        """Take it off the terminal; it comes back by itself."""
        if cls.shown:
            cls.shown = False
            _plain(sys.stderr).write("\r\x1b[K")

    @classmethod
    def show(cls, text: str) -> None:
        """Draw it, unless a bar stands in its place."""
        with _LOCK:
            if not cls.paused:
                stream = _plain(sys.stderr)
                stream.write("\r" + text[: columns_here() - 1] + "\x1b[K")
                stream.flush()
                cls.shown = True


_LOCK = threading.RLock()


def _plain(stream: Any) -> TextIO:
    return stream._stream if isinstance(stream, Folding) else stream


@contextmanager
def a_bar_instead() -> Iterator[None]:
    """No sign of going work until a progress bar has ended."""
    with _LOCK:
        _Turning.clear()
        _Turning.paused += 1
    try:
        yield
    finally:
        _Turning.paused -= 1


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say that ``what`` goes on, and for how long: a turning sign on a terminal, elsewhere a line every ten seconds."""
    start = time.monotonic()
    with showing(lambda: f"{what}: {time.monotonic() - start:.0f} s so far"):
        yield


@contextmanager
def showing(what: Callable[[], str]) -> Iterator[None]:
    """The same of work that says how far it is."""
    ended = threading.Event()
    on_terminal = sys.stderr.isatty()

    def turn() -> None:
        number = 0
        wait = _FIRST_S if on_terminal else PLAIN_EVERY_S
        while not ended.wait(wait):
            number += 1
            if on_terminal:
                _Turning.show(f"{_TURN[number % len(_TURN)]} {what()}")
                wait = _EVERY_S
            elif not _Turning.paused:
                print(what(), file=sys.stderr, flush=True)

    thread = threading.Thread(target=turn, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with _LOCK:
            _Turning.clear()
