"""A scan of files and folders: what each file is, who looks at it, and what nobody looked at."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError, PefomedError, one_line, why
from ...input_files import refuse_special
from ..console import progress
from ..images.dicom import looks_like_dicom, read_dicom
from ..images.faults import UnusableImage
from .burned_in import Reader, ReadText, may_hold_text
from .dicom_headers import look_at
from .findings import KINDS, Finding, Scan, mask
from .image_metadata import IMAGE_SUFFIXES, texts_beside
from .patterns import Span, find_spans
from .recognisers import Recogniser
from .text_files import NoText, visit_file
from .words import GIVEN_NAMES, NOT_IN_FILE_NAMES

FILE_NAME, FOLDER_NAME = "file name", "folder name"
DICOM, IMAGE, TEXT = "DICOM", "image", "text"
DICOM_FILE, IMAGE_FILE = "a damaged DICOM file", "no image that can be read"
MOST_PIXELS = 100_000_000
"""Of an image, over all its frames, that is decoded to look for text in it."""
MOST_FRAMES = 5
"""Of a DICOM file that are looked at, spread evenly."""
_DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".ima", ".dc3", ""})
_TOKEN = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True)
class Source:
    """One file that is looked at."""

    path: Path
    name: str
    """Relative to what was given, with ``/``."""


@dataclass
class Looker:
    """How files are looked at."""

    recogniser: Recogniser
    reader: Reader
    full_names: bool = False
    """Whether file names are shown whole, also where they identify."""
    _shown: dict[str, str] = field(default_factory=dict)

    def shown(self, name: str) -> str:
        """A file's name as it may be shown: what identifies in it is masked."""
        if self.full_names:
            return name
        if name not in self._shown:
            self._shown[name] = "/".join(self._masked(part) for part in name.split("/"))
        return self._shown[name]

    def place(self, place: str) -> str:
        """Where something stands: names of fields and sheets may identify as well."""
        spans, _ = find_spans(place)
        for span in reversed(spans):
            place = place[: span.start] + mask(place[span.start : span.end]) + place[span.end :]
        return place

    @staticmethod
    def _masked(part: str) -> str:
        for span in reversed(spans_of_name(part)):
            part = part[: span.start] + mask(part[span.start : span.end]) + part[span.end :]
        return part


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
    for folder, folders, names in os.walk(path):
        for name in [*folders, *names]:
            if Path(folder, name).is_symlink():
                links.append(str(Path(folder, name)))
        folders[:] = sorted(name for name in folders if not Path(folder, name).is_symlink())
        yield from (Path(folder, name) for name in names if not Path(folder, name).is_symlink())


def scan(sources: Sequence[Source], links: Sequence[str], looker: Looker) -> Scan:
    """Look at every file; stopped by Ctrl-C it returns what it has found so far, and says after how many files."""
    found = Scan()
    if links:
        found.not_looked_at["links, which are not followed"] += len(links)
    named: set[str] = set()
    with progress("looking", len(sources)) as advance:
        for number, source in enumerate(sources):
            try:
                _look_at_name(source, looker, found, named)
                look_at_file(source, looker, found)
            except KeyboardInterrupt:
                found.interrupted_after = number
                break
            advance(1)
    return found


def look_at_file(source: Source, looker: Looker, found: Scan) -> None:
    """One file; whatever is wrong with it is noted, and the scan goes on."""
    try:
        form = form_of(source.path)
        if form == DICOM:
            with damage_said(DICOM_FILE):
                _look_at_dicom(source, looker, found)
        elif form == IMAGE:
            with damage_said(IMAGE_FILE):
                _look_at_image(source, looker, found)
        else:
            found.files[visit_file(source.path, _noting(source, looker, found))] += 1
    except NoText as reason:
        suffix = source.path.suffix.lower() or "no ending"
        found.not_looked_at[suffix if str(reason) == "no text" else f"{suffix}: {reason}"] += 1
    except (PefomedError, OSError) as error:
        found.unread.append(f"{looker.shown(source.name)}: {said_without(source.path, error)}")


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
    with open(path, "rb") as file:
        head = file.read(256)
    if head[128:132] == b"DICM" or (path.suffix.lower() in _DICOM_SUFFIXES and looks_like_dicom(head)):
        return DICOM
    return IMAGE if path.suffix.lower() in IMAGE_SUFFIXES else TEXT


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


def _noting(source: Source, looker: Looker, found: Scan) -> Any:
    def visit(text: str, place: str, name: str) -> str:
        spans, marks = looker.recogniser.find(text, name)
        found.marks += marks
        for span in spans:
            where = f"{looker.place(place)}, column {span.start + 1}"
            found.findings.append(
                Finding(looker.shown(source.name), where, span.kind, mask(text[span.start : span.end]))
            )
        return text

    return visit


def _look_at_name(source: Source, looker: Looker, found: Scan, named: set[str]) -> None:
    """Each folder once, and the file."""
    parts = source.name.split("/")
    for depth, part in enumerate(parts, 1):
        path = "/".join(parts[:depth])
        if path in named:
            continue
        named.add(path)
        for span in spans_of_name(part):
            where = FILE_NAME if depth == len(parts) else FOLDER_NAME
            found.findings.append(Finding(looker.shown(path), where, span.kind, mask(part[span.start : span.end])))


def spans_of_name(part: str) -> list[Span]:
    """What identifies in the name of one file or folder: dates, numbers, and two words of which one is a given name."""
    spans, _ = find_spans(part.replace("_", " "))
    if spans:
        return spans
    tokens = list(_TOKEN.finditer(Path(part).stem))
    for left, right in zip(tokens, tokens[1:]):
        first, second = left.group(), right.group()
        between = part[left.end() : right.start()]
        if len(first) < 3 or len(second) < 3 or not (first + second).isalpha() or len(between) > 2:
            continue
        pair = {first.lower(), second.lower()}
        if {first.capitalize(), second.capitalize()} & GIVEN_NAMES and not pair & NOT_IN_FILE_NAMES:
            return [Span(left.start(), right.end(), "name")]
    return []


def _look_at_dicom(source: Source, looker: Looker, found: Scan) -> None:
    dataset = read_header(source.path)
    held, marks = look_at(dataset, looker.recogniser)
    found.marks += marks
    name = looker.shown(source.name)
    found.findings += [Finding(name, one.place, one.kind, one.excerpt) for one in held]
    found.files[DICOM] += 1
    says = str(dataset.get("BurnedInAnnotation") or "").upper()
    if says == "YES":
        found.findings.append(Finding(name, "(0028,0301) BurnedInAnnotation", "burned in", "says YES"))
    if not dataset.get("Rows"):
        return
    frames = int(dataset.get("NumberOfFrames") or 1)
    chosen = frames_to_look_at(frames)
    if len(chosen) < frames:
        found.note(f"only {len(chosen)} frames of a file with more were looked at for text in the image")
    content = source.path.read_bytes()
    for frame in chosen:
        image = read_dicom(BytesIO(content), source.path.name, MOST_PIXELS, frame if frames > 1 else None)
        where = f"frame {frame + 1}" if frames > 1 else "pixels"
        _look_at_pixels(image, where, name, looker, found, says)


def frames_to_look_at(frames: int) -> list[int]:
    """Indices of at most ``MOST_FRAMES`` frames, the first and the last among them."""
    if frames <= MOST_FRAMES:
        return list(range(frames))
    return sorted({round(place * (frames - 1) / (MOST_FRAMES - 1)) for place in range(MOST_FRAMES)})


def read_header(path: Path) -> Any:
    """A DICOM file without its pixels.

    Raises:
        NoText: pydicom is missing.
    """
    try:
        import pydicom  # late: optional
    except ImportError:
        raise NoText("DICOM needs pydicom: pip install pydicom") from None
    return pydicom.dcmread(path, stop_before_pixels=True, force=True)


def _look_at_image(source: Source, looker: Looker, found: Scan) -> None:
    from PIL import Image  # late: heavy

    name = looker.shown(source.name)
    with Image.open(source.path) as image:
        if image.width * image.height > MOST_PIXELS:
            raise NoText(f"more than {MOST_PIXELS:,} pixels")
        for place, text in texts_beside(image):
            spans, marks = looker.recogniser.find(text)
            found.marks += marks
            said = [Finding(name, place, span.kind, mask(text[span.start : span.end])) for span in spans]
            found.findings += said or [Finding(name, place, "description", mask(text))] * bool(text)
        if getattr(image, "n_frames", 1) > 1:
            found.note("only the first frame of a file with more was looked at for text in the image")
        _look_at_pixels(image, "pixels", name, looker, found)
    found.files[IMAGE] += 1


def _look_at_pixels(image: Any, where: str, name: str, looker: Looker, found: Scan, says: str = "") -> None:
    if looker.reader.read is None:
        if says != "NO" and may_hold_text(image):
            found.findings.append(Finding(name, where, "burned in", "not read: a guess"))
        return
    for text in identifying(looker.reader.read(image)):
        words = "burned in" if text.kind == "description" else text.kind
        found.findings.append(
            Finding(name, f"{where}, text at x {text.box[0]}, y {text.box[1]}", words, mask(text.text))
        )


def identifying(texts: Iterable[ReadText]) -> list[ReadText]:
    """Those that are no mark of a side, a scale or a view."""
    return [text for text in texts if text.kind]


def severity_order(finding: Finding) -> int:
    """The gravest first."""
    return list(KINDS).index(finding.kind)
