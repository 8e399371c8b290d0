"""Files that are looked at: found below what was given, told apart by their content, their names and their damage."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from ...errors import ConfigError, DataError, PefomedError, one_line, why
from ...input_files import refuse_special
from ..images.dicom import looks_like_dicom
from ..images.faults import UnusableImage
from .image_metadata import IMAGE_SUFFIXES, MAGIC
from .patterns import Span, find_spans, without_overlaps
from .said import NoText
from .words import GIVEN_NAMES, NOT_IN_FILE_NAMES

DICOM, IMAGE, TEXT = "DICOM", "image", "text"
LINKS = "links, which are not followed"
DICOM_FILE, IMAGE_FILE = "a damaged DICOM file", "no image that can be read"
_DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima", ".dc3", ""})
_TOKEN = re.compile(r"(?:[^\W\d_]|[\u0300-\u036f])+|\d+")


@dataclass(frozen=True)
class Source:
    """One file that is looked at."""

    path: Path
    name: str
    """Relative to what was given, with ``/``."""


def find_sources(paths: Sequence[Path]) -> tuple[list[Source], list[str]]:
    """All files below the paths, in order, and the links that were not followed.

    Raises:
        ConfigError: a path is not there, or there is no file.
    """
    absent = [f"{path}: no such file or folder" for path in paths if not path.exists()]
    if absent:
        raise ConfigError("what is to be looked at is not there", absent)
    sources: list[Source] = []
    links: list[str] = []
    seen: set[Path] = set()
    taken: set[str] = set()
    for path in paths:
        first = _free_name(path.resolve(), taken) if len(paths) > 1 else path.name
        for file in sorted(_files(path, links)):
            if file.resolve() in seen:  # given twice, by itself or with a folder above it
                continue
            seen.add(file.resolve())
            relative = "" if path.is_file() else file.relative_to(path).as_posix()
            parts = (first, relative) if path.is_file() or len(paths) > 1 else (relative,)
            sources.append(Source(file, "/".join(filter(None, parts))))
    if not sources:
        raise ConfigError(f"no file below {', '.join(map(str, paths))}")
    return sources, links


def _free_name(path: Path, taken: set[str]) -> str:
    """The name of a file or folder, with a number behind it where another one that was given has the same."""
    number, name = 1, path.name
    while name in taken:
        number += 1
        name = f"{path.stem}-{number}{path.suffix}" if path.is_file() else f"{path.name}-{number}"
    taken.add(name)
    return name


def _files(path: Path, links: list[str]) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    closed: list[OSError] = []
    for folder, folders, names in os.walk(path, onerror=closed.append):
        yield from (Path(error.filename) for error in closed)  # a folder that cannot be entered: said as a file is
        closed.clear()
        for name in [*folders, *names]:
            if Path(folder, name).is_symlink():
                links.append(str(Path(folder, name)))
        folders[:] = sorted(name for name in folders if not Path(folder, name).is_symlink())
        yield from (Path(folder, name) for name in names if not Path(folder, name).is_symlink())
    yield from (Path(error.filename) for error in closed)


def said_without(path: Path, error: Exception) -> str:
    """What is wrong with a file, without its name, which may identify."""
    if isinstance(error, OSError):
        return why(error)
    text = one_line(error)
    return text.partition(f"{path}: ")[2] or text


def form_of(path: Path) -> str:
    """``DICOM``, ``IMAGE`` or, of every other file, ``TEXT``.

    Raises:
        DataError: it is a named pipe, a device or a socket.
        OSError: it cannot be read.
    """
    refuse_special(path)
    if path.is_dir():
        raise DataError(f"{path}: this folder cannot be entered; change its permissions")
    with open(path, "rb") as file:
        head = file.read(256)
    if head[128:132] == b"DICM" or (path.suffix.lower() in _DICOM_SUFFIXES and looks_like_dicom(head)):
        return DICOM
    return IMAGE if path.suffix.lower() in IMAGE_SUFFIXES or MAGIC.match(head) else TEXT


@contextmanager
def damage_said(what: str) -> Iterator[None]:
    """Whatever pydicom and Pillow raise at a damaged file becomes a DataError, which shows no value of it.

    Their warnings quote values, and are not shown.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UnusableImage as error:  # its detail is what a library said
        raise DataError(f"{error.fault}; {error.remedy}") from error
    except (PefomedError, NoText):
        raise
    except Exception as error:  # both raise a dozen types, each at the value that it cannot take
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DataError(f"{what} ({type(error).__name__})") from error


def spans_of_name(part: str) -> list[Span]:
    """What identifies in the name of one file or folder: dates, numbers, and two words of which one is a given name."""
    spans, _ = find_spans(part.replace("_", " "))
    return without_overlaps([*spans, *_names_in(part)])


def _names_in(part: str) -> list[Span]:
    tokens = list(_TOKEN.finditer(Path(part).stem))
    for left, right in zip(tokens, tokens[1:]):
        first, second = left.group(), right.group()
        between = part[left.end() : right.start()]
        if len(first) < 3 or len(second) < 3 or not (first + second).isalpha() or len(between) > 2:
            continue
        pair = {first.lower(), second.lower()}
        if {
            normalize("NFC", word).capitalize() for word in (first, second)
        } & GIVEN_NAMES and not pair & NOT_IN_FILE_NAMES:
            return [Span(left.start(), right.end(), "name")]
    return []
