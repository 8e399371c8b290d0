"""A scan of files and folders: what each file is, who looks at it, and what nobody looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from ...errors import ConfigError, DataError, PefomedError
from ..console import progress
from ..ending import number_of
from ..images.dicom import read_dicom
from ..own_data.pseudonyms import SALT
from .archives import is_archive, members_of
from .burned_in import Reader, ReadText, may_hold_text
from .dicom_headers import look_at
from .findings import KINDS, Finding, Scan, mask
from .image_metadata import take_apart, texts_beside
from .patterns import find_spans
from .recognisers import Recogniser
from .said import NoText
from .sources import (
    DICOM,
    DICOM_FILE,
    IMAGE,
    IMAGE_FILE,
    LINKS,
    Source,
    damage_said,
    form_of,
    said_without,
    spans_of_name,
)
from .text_files import visit_file

FILE_NAME, FOLDER_NAME = "file name", "folder name"
ARCHIVE = "archive"
SALT_SAYS = "the salt of patients' other names, which leads back to them"
MOST_ARCHIVES = 3
"""Within each other that are looked into."""
MOST_PIXELS = 100_000_000
"""Of an image, over all its frames, that is decoded to look for text in it."""
MOST_FRAMES = 5
"""Of a DICOM file that are looked at, spread evenly."""
ONLY_SOME_FRAMES = "only {} frames of a file with more were looked at for text in the image"


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


def scan(sources: Sequence[Source], links: Sequence[str], looker: Looker) -> Scan:
    """Look at every file; told to end it returns what it has found so far, and says after how many files."""
    found = Scan()
    if links:
        found.not_looked_at[LINKS] = [looker.shown(link) for link in links]
    named: set[str] = set()
    with progress("looking", len(sources)) as advance:
        for number, source in enumerate(sources):
            try:
                _look_at_name(source, looker, found, named)
                look_at_file(source, looker, found)
            except KeyboardInterrupt as ending:
                found.interrupted_after, found.told = number, number_of(ending)
                break
            advance(1)
    return found


def look_at_file(source: Source, looker: Looker, found: Scan, depth: int = 0) -> None:
    """One file; whatever is wrong with it is noted, and the scan goes on.

    Args:
        depth: in how many archives it is.
    """
    try:
        if source.path.name == SALT.name:
            found.findings.append(Finding(looker.shown(source.name), "the file", "id", SALT_SAYS))
        form = form_of(source.path)
        if form == DICOM:
            with damage_said(DICOM_FILE):
                _look_at_dicom(source, looker, found)
        elif form == IMAGE:
            with damage_said(IMAGE_FILE):
                _look_at_image(source, looker, found)
        elif is_archive(source.path):
            _look_inside(source, looker, found, depth)
        else:
            found.files[visit_file(source.path, _noting(source, looker, found), say=found.note)] += 1
    except NoText as reason:
        suffix = source.path.suffix.lower() or "no ending"
        words = suffix if str(reason) == "no text" else f"{suffix}: {reason}"
        found.not_looked_at.setdefault(words, []).append(looker.shown(source.name))
    except (PefomedError, OSError) as error:
        found.unread.append(f"{looker.shown(source.name)}: {said_without(source.path, error)}")


def _look_inside(source: Source, looker: Looker, found: Scan, depth: int) -> None:
    """Every file of an archive, and their names."""
    if depth >= MOST_ARCHIVES:
        raise NoText(f"more than {MOST_ARCHIVES} archives within each other")
    parts = source.name.split("/")
    named = {"/".join(parts[:number]) for number in range(1, len(parts) + 1)}
    for name, path in members_of(source.path):
        member = Source(path, f"{source.name}/{name}")
        _look_at_name(member, looker, found, named)
        look_at_file(member, looker, found, depth + 1)
    found.files[ARCHIVE] += 1


def _noting(source: Source, looker: Looker, found: Scan) -> Any:
    def visit(text: str, place: str, name: str) -> str:
        spans, marks = looker.recogniser.find(text, name)
        found.marks += marks
        shown = looker.place(place) if spans else ""
        for span in spans:
            where = f"{shown}, column {span.start + 1:,}"
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


def _look_at_dicom(source: Source, looker: Looker, found: Scan) -> None:
    name, content = looker.shown(source.name), source.path.read_bytes()
    try:
        dataset = read_dataset(content)
    except ConfigError:
        raise
    except Exception:  # what follows the pixels is damaged, or is none of it: the header may be good
        dataset = read_dataset(content, stop_before_pixels=True)
        found.unread.append(f"{name}: what stands behind its pixels")
    held, marks = look_at(dataset, looker.recogniser)
    found.marks += marks
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
        found.note(ONLY_SOME_FRAMES.format(len(chosen)))
    for frame in chosen:
        image = read_dicom(BytesIO(content), source.path.name, MOST_PIXELS, frame if frames > 1 else None)
        where = f"frame {frame + 1}" if frames > 1 else "pixels"
        _look_at_pixels(image, where, name, looker, found, says)


def frames_to_look_at(frames: int) -> list[int]:
    """Indices of at most ``MOST_FRAMES`` frames, the first and the last among them."""
    if frames <= MOST_FRAMES:
        return list(range(frames))
    return sorted({round(place * (frames - 1) / (MOST_FRAMES - 1)) for place in range(MOST_FRAMES)})


def read_dataset(content: bytes, *, stop_before_pixels: bool = False) -> Any:
    """What a DICOM file holds; what stands behind its pixels too.

    Raises:
        ConfigError: pydicom is missing.
    """
    try:
        import pydicom  # late: optional
    except ImportError:
        raise ConfigError("DICOM needs pydicom: pip install pydicom") from None
    dataset = pydicom.dcmread(BytesIO(content), stop_before_pixels=stop_before_pixels, force=True)
    for _ in dataset.iterall():  # read now: pydicom would raise at the use of a value
        pass
    return dataset


def _look_at_image(source: Source, looker: Looker, found: Scan) -> None:
    from PIL import Image  # late: heavy

    name = looker.shown(source.name)
    with Image.open(source.path) as image:
        if image.width * image.height > MOST_PIXELS:
            raise DataError(f"more than {MOST_PIXELS:,} pixels")
        frames = getattr(image, "n_frames", 1)
        chosen = frames_to_look_at(frames)
        if len(chosen) < frames:
            found.note(ONLY_SOME_FRAMES.format(len(chosen)))
        for frame in chosen:
            image.seek(frame)
            before = f"frame {frame + 1}, " if frames > 1 else ""
            _note_beside(texts_beside(image), before, name, looker, found)
            _look_at_pixels(image, f"{before}pixels", name, looker, found)
    parts = take_apart(source.path.read_bytes())
    _note_beside(parts.texts() if parts else (), "", name, looker, found)
    found.files[IMAGE] += 1


def _note_beside(said: Iterable[tuple[str, str]], before: str, name: str, looker: Looker, found: Scan) -> None:
    """What an image says beside its pixels is a finding, also where no pattern knows what it is."""
    for place, text in said:
        spans, marks = looker.recogniser.find(text)
        found.marks += marks
        held = [Finding(name, before + place, span.kind, mask(text[span.start : span.end])) for span in spans]
        found.findings += held or [Finding(name, before + place, "description", mask(text))] * bool(text)


def _look_at_pixels(image: Any, where: str, name: str, looker: Looker, found: Scan, says: str = "") -> None:
    if looker.reader.read is None:
        if may_hold_text(image):
            guess = "a guess; the header says NO" if says == "NO" else "not read: a guess"
            found.findings.append(Finding(name, where, "burned in", guess))
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
