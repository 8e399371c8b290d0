"""What a person sees while something runs: lines and a progress bar. Quiet on all ranks but the first.

On a terminal colours, and a bar with rate and remaining time; elsewhere (a log file, CI), or where rich is not
installed (a checkout), plain lines. ``NO_COLOR`` is respected (by rich). Results go to the standard output, progress to
stderr.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Union

from ..errors import printable
from .terminal import PLAIN_EVERY_S, a_bar_instead, columns_here, fold

if TYPE_CHECKING:
    from rich.console import Console

Word = Union[str, Path]
"""Of a command: as it is typed; a path gets what the shell and programs need to take it for one."""
Advance = Callable[..., None]
"""``advance(done=1, note="loss 1.234")``."""


@dataclass(frozen=True)
class Line:
    """A line with its style."""

    text: str
    style: str = ""
    """Of rich, where this is a terminal: ``bold``, ``yellow``."""


def is_first_rank() -> bool:
    """Whether this process is the one that talks."""
    return os.environ.get("RANK", "0") == "0"


def write_out_what_cannot_be_shown() -> None:
    """From here on a sign that the standard output has no code for (a terminal, or a pipe of Windows', that is not
    UTF-8) stands there as ``\\xfc``; Python would raise in the middle of the work."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def say(text: str = "") -> None:
    """Print a line, on the first rank only."""
    if is_first_rank():
        print(printable(text), flush=True)


@cache
def say_once(text: str) -> None:
    """A remark to the standard error the first time that it is made, on the first rank only."""
    if is_first_rank():
        print(printable(text), file=sys.stderr, flush=True)


def say_next(command: str) -> None:
    """What to do next, as the last line and on stderr, so that whatever takes the output gets none of it."""
    if is_first_rank():
        sys.stdout.flush()
        print(f"next: {command}", file=sys.stderr, flush=True)


def quote_words(words: Sequence[Word]) -> str:
    """Words as a line for the shell; what would break the line or steer the terminal is written out (``$'\\n'``).

    A path that begins with a dash gets ``./`` before it, so that no program takes it for an option.
    """
    return " ".join(map(_quote, words))


def _quote(word: Word) -> str:
    text = f"./{word}" if isinstance(word, Path) and str(word)[:1] == "-" else str(word)
    return shlex.quote(text) if text.isprintable() else _quote_in_c(text)


def _quote_in_c(word: str) -> str:
    """As bash and zsh read it; bytes that are no UTF-8 too."""
    written = "".join(
        letter if letter.isprintable() else "".join(f"\\x{byte:02x}" for byte in os.fsencode(letter))
        for letter in word.replace("\\", "\\\\").replace("'", "\\'")
    )
    return f"$'{written}'"


def make_console(stderr: bool = False) -> Console | None:
    """A rich console where the output, or stderr, is a terminal and rich is installed; else None."""
    if not (sys.stderr if stderr else sys.stdout).isatty():
        return None
    try:
        from rich.console import Console  # late: optional
    except ImportError:
        return None
    return Console(stderr=stderr)


def print_line(text: str = "", style: str = "") -> None:
    """Print a line, in a rich style where this is a terminal; prose breaks at words there, a command never."""
    console = make_console() if is_first_rank() else None
    if console is None:
        say(text)
        return
    from rich.text import Text  # late: optional

    lines = [fold(line, columns_here()) for line in printable(text).split("\n")]
    console.print(Text("\n".join(lines), style=style), soft_wrap=True)


@contextmanager
def progress(what: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Progress of ``total`` items; yields a function that advances it."""
    if not is_first_rank():
        yield lambda *_, **__: None
        return
    console = make_console(stderr=True)
    with a_bar_instead():
        with _lines(what, total, done) if console is None else _bar(console, what, total, done) as advance:
            yield advance


@contextmanager
def _bar(console: Console, what: str, total: int, done: int) -> Iterator[Advance]:
    from rich.progress import (  # late: optional
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    start, first = time.monotonic(), done
    both = sys.stdout.isatty()  # else what is said meanwhile would go to the terminal, and not where it should
    with Progress(*columns, console=console, redirect_stdout=both) as bars:
        task = bars.add_task(what, total=total, completed=done, rate="", note="")

        def advance(items: int = 1, note: str = "") -> None:
            finished = bars.tasks[0].completed + items
            bars.update(task, advance=items, rate=_rate(finished - first, start), note=note)

        yield advance


@contextmanager
def _lines(what: str, total: int, done: int) -> Iterator[Advance]:
    start, first = time.monotonic(), done
    state = {"done": done, "said": start}

    def advance(items: int = 1, note: str = "") -> None:
        state["done"] += items
        now = time.monotonic()
        if now - state["said"] >= PLAIN_EVERY_S:
            state["said"] = now
            left_s = (total - state["done"]) * (now - start) / max(state["done"] - first, 1)
            print(
                f"{what}: {int(state['done'])}/{total}, {_rate(state['done'] - first, start)}, {left_s:.0f} s left  "
                f"{note}",
                file=sys.stderr,
                flush=True,
            )

    yield advance


def _rate(items: float, start: float) -> str:
    rate = items / max(time.monotonic() - start, 1e-9)
    return f"{rate:.1f}/s" if rate >= 0.1 or not items else f"{1 / rate:.0f} s each"
