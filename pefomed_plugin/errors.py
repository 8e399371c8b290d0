"""The error a user can fix: what is wrong, where, and what to do. Imports nothing else of the package."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

_SHOWN = 10
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
"""Moves the cursor, colours, rings or turns the direction of writing; line feed and TAB do not."""


class PefomedError(Exception):
    """A mistake in what the user gave us, not in the program; the command line shows it without a traceback.

    Several mistakes of one kind are reported together: ``problems`` holds one line each, every line naming the file,
    the record and the fix.
    """

    exit_code = 2
    """What a command that fails with this error returns to the shell."""

    def __init__(self, summary: str, problems: Sequence[str] = ()) -> None:
        self.summary = printable(summary)
        self.problems = tuple(map(printable, problems))
        super().__init__("\n".join([self.summary, *bullets(self.problems)]))


class ConfigError(PefomedError):
    """A YAML, an ``--options`` argument or an environment variable is wrong."""


class DataError(PefomedError):
    """A data set's files are not what their release says they are."""


class ImageError(PefomedError):
    """An image is missing, unreadable, too large, or outside its root."""


class CheckpointError(PefomedError):
    """A weights file does not fit the model, is damaged, or cannot be written."""


class ToolkitError(PefomedError):
    """The MiniGPT-v2 underneath cannot be used; there is no silent fall-back to the other one."""


class PluginError(PefomedError):
    """What another package registers as a reader, scorer or task cannot be used; names the package."""


_MOST_NAMED = 60


def near_names(name: str, known: Iterable[str]) -> str:
    """Sentence that helps with a mistyped name: the near ones, or all of them (some of very many) when none is near."""
    names = sorted(known)
    by_lower = {known_name.lower(): known_name for known_name in names}
    near = get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(repr(by_lower[lower]) for lower in near)}?"
    if len(names) > _MOST_NAMED:
        return f"known are {len(names):,}, {', '.join(names[:5])} among them"
    return f"known: {', '.join(names) or 'none'}"


def printable(text: str) -> str:
    """The text with its control characters written out (``\\x1b``): what a file says does not steer the terminal."""
    return _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def quoted(value: object, *, bare: bool = False, limit: int = 40) -> str:
    """A name or code out of a file, for a message: its beginning, without control characters or line breaks.

    For ids, keys and paths; a text of a record, which may be a patient's report, is not quoted at all.
    """
    text = printable(str(value) if bare else repr(value)).replace("\n", "\\n")
    return text if len(text) <= limit else text[: limit - 3] + "..."


def named(names: Iterable[object]) -> str:
    """Names out of a file, for a message: the first of them, without control characters."""
    found = [quoted(name, bare=True) for name in names]
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def bullets(problems: Sequence[str]) -> list[str]:
    """A line for each of the first problems, and one that counts the others."""
    lines = [f"  - {problem}" for problem in problems[:_SHOWN]]
    more = len(problems) - _SHOWN
    return [*lines, f"  ... and {more:,} more"] if more > 0 else lines


_REMEDIES = {
    errno.ENOENT: "check the name",
    errno.EEXIST: "a file is where a folder is needed: move it away, or choose another place",
    errno.ENOTDIR: "a file is where a folder is needed: move it away, or choose another place",
    errno.EISDIR: "it is a folder where a file is needed: name a file in it, or choose another place",
    errno.EACCES: "change its permissions, or choose another place",
    errno.EPERM: "change its permissions, or choose another place",
    errno.EROFS: "nothing can be written there: choose another place",
    errno.ENOSPC: "make room, or choose another place",
    errno.EDQUOT: "make room, or choose another place",
    errno.EFBIG: "raise the limit (ulimit -f), or choose another place",
    errno.EMFILE: "raise the limit (ulimit -n)",
    errno.ENFILE: "close other programs: the machine has no more",
    errno.EIO: "the disk or the connection to it fails: choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTEMPTY: "choose another place",
}


_NO_TEXT = {
    b"\x1f\x8b": "it is packed with gzip; unpack it, for example with gzip -dc",
    b"PK\x03\x04": "it is a zip archive, or a workbook; unpack it, or save it as text",
    b"\xff\xfe\0\0": "it is UTF-32, not UTF-8; convert the file: iconv -f utf-32 -t utf-8",
    b"\xff\xfe": "it is UTF-16, not UTF-8; convert the file: iconv -f utf-16 -t utf-8",
    b"\xfe\xff": "it is UTF-16, not UTF-8; convert the file: iconv -f utf-16 -t utf-8",
}
"""How files begin that are no UTF-8 as a whole, and what can be done."""


def why(error: Exception) -> str:
    """What the system says of a file, and what can be done: ``Permission denied; change its permissions, ...``."""
    if isinstance(error, UnicodeDecodeError):
        return next((words for start, words in _NO_TEXT.items() if error.object.startswith(start)), None) or (
            f"byte {error.start} is not UTF-8; convert the file, for example with iconv -f latin1 -t utf-8"
        )
    if not isinstance(error, OSError):
        return one_line(error)
    remedy = _REMEDIES.get(error.errno or 0)
    said = error.strerror or one_line(error)
    return f"{said}; {remedy}" if remedy else said


def of_files(error: BaseException) -> str:
    """What the system says of a file that a user can do something about, and what; empty of any other error."""
    if not isinstance(error, OSError) or error.errno not in _REMEDIES:
        return ""
    return why(error) if error.filename is None else f"{error.filename}: {why(error)}"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in what the system says of it: of one that is open it says no name."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


_OF_WRITING = re.compile(r"I/O error|No space left|inline_container|PytorchStreamWriter|iostream")


def failed_to_write(error: Exception) -> str | None:
    """Why a file could not be written, and what can be done; None of another error. Libraries raise their own."""
    if isinstance(error, OSError):
        return why(error)
    if _OF_WRITING.search(str(error)):
        return f"{one_line(error)}; is the disk full, or a quota or a limit (ulimit -f) reached? make room"
    return None


def one_line(error: BaseException, limit: int | None = 200) -> str:
    """First line of an exception's text, for use inside another message."""
    text = (str(error) or type(error).__name__).splitlines()[0]
    return text if limit is None or len(text) <= limit else text[: limit - 3] + "..."
