"""A cleaned copy of files: headers by the profile, texts with placeholders, images without what stands beside them.

Originals are never touched. What cannot be cleaned is not copied, and said; what is left in a copy is said as well.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import hmac
import re
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain, count
from pathlib import Path
from typing import Any

from ...errors import ConfigError, PefomedError
from ..console import progress
from ..images.dicom import read_dicom
from ..own_data.pseudonyms import SALT
from .archives import is_archive
from .burned_in import Box, may_hold_text
from .dicom_headers import Uids, clean, overlays_in_pixels
from .findings import KINDS
from .image_metadata import take_apart, texts_beside
from .patterns import in_place_of, kind_of_field, with_instead
from .pixels import blank_frames, clear_bits, painted_black, written_anew
from .recognisers import Recogniser
from .said import NoText
from .scanning import MOST_PIXELS, SALT_SAYS, Looker, frames_to_look_at, identifying, read_dataset
from .sources import DICOM, DICOM_FILE, IMAGE, IMAGE_FILE, Source, damage_said, form_of, said_without, spans_of_name
from .text_files import visit_file

CHANGES = "privacy-changes.csv"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says where nothing more can be written."""
_MOST_NAMES = 20_000
"""Renamed files whose names are also replaced within texts."""


@dataclass(frozen=True)
class Change:
    """What was done at one place of the copy."""

    file: str
    """Its name in the copy."""
    place: str
    kind: str
    done: str

    @property
    def words(self) -> str:
        """What was done, without numbers."""
        return self.done.partition(" areas ")[2] or self.done


@dataclass
class Cleaned:
    """A cleaned copy."""

    changes: list[Change] = field(default_factory=list)
    files: Counter = field(default_factory=Counter)
    """``cleaned`` or ``as it was`` -> how many."""
    left: list[str] = field(default_factory=list)
    """``file: what`` of what may be left in the copy."""
    not_copied: dict[str, list[str]] = field(default_factory=dict)
    """Why -> names of files."""


def check_out(out: Path, paths: Sequence[Path]) -> None:
    """Raises ConfigError: the copy would lie within what is copied, or where something is already."""
    place = out.resolve()
    for path in paths:
        given = path.resolve()
        if place == given or given in place.parents or place in given.parents:
            raise ConfigError(f"--out {out} and {path} lie within each other; name a folder elsewhere")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out {out} is there already and not empty; name another folder")


def _free_path(out: Path, names: set[str]) -> Path:
    """Where the table of changes goes: what is copied may be a copy that has one of its own."""
    stem, _, suffix = CHANGES.rpartition(".")
    numbered = (f"{stem}-{number}.{suffix}" for number in count(2))
    return out / next(name for name in chain([CHANGES], numbered) if name not in names)


class Cleaner:
    """Copies files, cleaned; UIDs and names are replaced alike in all of them."""

    def __init__(self, looker: Looker, sources: Sequence[Source], out: Path) -> None:
        self._looker, self._out = looker, out
        self._uids, self._salt = Uids(), secrets.token_bytes(32)
        self.changes_path = _free_path(out, {source.name for source in sources})
        self.done = Cleaned()
        self._names = {
            part: self._new_name(part) for source in sources for part in source.name.split("/") if spans_of_name(part)
        }
        known = sorted(self._names, key=len, reverse=True)[:_MOST_NAMES]
        self._named = re.compile("|".join(map(re.escape, known))) if known else None
        if len(self._names) > _MOST_NAMES:
            self.done.left.append(f"{len(self._names) - _MOST_NAMES:,} names of files were not looked for within texts")

    def copy(self, sources: Sequence[Source]) -> Cleaned:
        """Copy all.

        Raises:
            OSError: nothing more can be written.
        """
        with progress("cleaning", len(sources)) as advance:
            for source in sources:
                self._copy(source)
                advance(1)
        self._write_changes()
        return self.done

    def _copy(self, source: Source) -> None:
        name = "/".join(self._names.get(part, part) for part in source.name.split("/"))
        path, before = self._out / name, len(self.done.changes)
        path.parent.mkdir(parents=True, exist_ok=True)
        if name != source.name:
            self._told(name, "file name", "name", "renamed")
        try:
            form = form_of(source.path)
            if source.path.name == SALT.name:
                raise NoText(SALT_SAYS)
            if form == DICOM:
                with damage_said(DICOM_FILE):
                    self._dicom(source.path, path, name)
            elif form == IMAGE:
                with damage_said(IMAGE_FILE):
                    self._image(source.path, path, name)
            elif is_archive(source.path):
                raise NoText("an archive; unpack it, and clean the folder")
            else:
                say = lambda words: self.done.left.append(f"{name}: {words}")  # noqa: E731
                visit_file(source.path, self._visitor(name), path, say)
                if len(self.done.changes) == before:  # byte for byte, not as this program would write it
                    path.write_bytes(source.path.read_bytes())
        except NoText as reason:
            self._leave_out(source, path, before, f"{source.path.suffix.lower() or 'no ending'}: {reason}")
            return
        except (PefomedError, OSError) as error:
            if getattr(error, "errno", None) in _FULL:
                raise
            self._leave_out(source, path, before, said_without(source.path, error))
            return
        self.done.files["cleaned" if len(self.done.changes) > before else "as it was"] += 1

    def _leave_out(self, source: Source, path: Path, before: int, reason: str) -> None:
        path.unlink(missing_ok=True)
        del self.done.changes[before:]
        self.done.not_copied.setdefault(reason, []).append(self._looker.shown(source.name))

    def _visitor(self, name: str) -> Any:
        recogniser: Recogniser = self._looker.recogniser

        def visit(text: str, place: str, field_name: str) -> str:
            if self._named is not None:
                text, replacements = self._named.subn(lambda found: self._names[found.group()], text)
                if replacements:
                    self._told(name, self._looker.place(place), "name", "name of a file replaced")
            spans, _ = recogniser.find(text, field_name)
            is_field = kind_of_field(field_name) != ""
            shown = self._looker.place(place) if spans else ""
            instead = []
            for span in spans:
                new, done = self._instead(text[span.start : span.end], span.kind, is_field)
                instead.append(new)
                self._told(name, f"{shown}, column {span.start + 1:,}", span.kind, done)
            return with_instead(text, spans, instead)

        return visit

    def _instead(self, found: str, kind: str, is_field: bool) -> tuple[str, str]:
        """What stands in the place of something found, and what that is called.

        UIDs, and numbers in a column or under a key of their own, are the same new ones as in DICOM headers: rows of
        one patient, and rows and images, stay together.
        """
        if kind == "uid":
            return self._uids.new(found), "new UID"
        if kind == "id" and is_field:
            return self._uids.pseudonym(found), "pseudonym"
        return in_place_of(found, kind), f"replaced by {KINDS[kind].placeholder}"

    def _dicom(self, source: Path, path: Path, name: str) -> None:
        dataset = read_dataset(source.read_bytes())
        if "DirectoryRecordSequence" in dataset:
            raise NoText("a DICOMDIR: it lists files and where they stand, which does not hold of a copy")
        says = str(dataset.get("BurnedInAnnotation") or "").upper()
        boxes = self._boxes_of_frames(dataset, source, name, says) if "PixelData" in dataset else []
        for held, done in clean(dataset, self._looker.recogniser, self._uids):
            self._told(name, held.place, held.kind, done)
        overlays = overlays_in_pixels(dataset)
        if overlays:
            clear_bits(dataset, [bit for _, bit in overlays])
        for held, _ in overlays:
            del dataset[held.tag]
            self._told(name, held.place, held.kind, "removed")
        if boxes:
            blank_frames(dataset, boxes)
            dataset.BurnedInAnnotation = "NO"
            self._told(name, "pixels", "burned in", f"{len(boxes)} areas made black")
        _save(dataset, path)

    def _boxes_of_frames(self, dataset: Any, source: Path, name: str, says: str) -> list[Box]:
        frames = int(dataset.get("NumberOfFrames") or 1)
        chosen, boxes, content = frames_to_look_at(frames), [], source.read_bytes()
        for frame in chosen:
            image = read_dicom(BytesIO(content), source.name, MOST_PIXELS, frame if frames > 1 else None)
            boxes += self._boxes(image, name, says)
        if len(chosen) < frames and self._looker.reader.read is not None:
            self.done.left.append(f"{name}: {frames - len(chosen)} frames were not looked at for text in the image")
        return list(dict.fromkeys(boxes))

    def _boxes(self, image: Any, name: str, says: str = "") -> list[Box]:
        if self._looker.reader.read is not None:
            return [text.box for text in identifying(self._looker.reader.read(image))]
        if says == "YES" or may_hold_text(image):
            self.done.left.append(f"{name}: text within the image, which no OCR could find")
        return []

    def _image(self, source: Path, path: Path, name: str) -> None:
        from PIL import Image  # late: heavy

        with Image.open(source) as image:
            if image.width * image.height > MOST_PIXELS:
                raise NoText(f"more than {MOST_PIXELS:,} pixels")
            content = source.read_bytes()
            parts = take_apart(content)
            frames = 1 if parts else getattr(image, "n_frames", 1)  # of a JPEG what is behind the first one goes
            beside, boxes = self._look_at_frames(image, frames, name)
            beside += parts.texts() if parts else ()
            if parts and (parts.said or parts.behind) and not beside:
                beside.append(("beside the pixels", f"{len(parts.said)} segments"))
            if boxes and frames > 1:
                raise NoText("text within one of several frames, which is made black in images of one only")
            if boxes:
                content = painted_black(image, boxes)
                self._told(name, "pixels", "burned in", f"{len(boxes)} areas made black, the image written anew")
                parts = take_apart(content)
            elif parts is None and beside:
                content = written_anew(image, frames)
        path.write_bytes(parts.bare if parts else content)
        for place, text in beside:
            if text:
                self._told(name, place, "description", "removed")

    def _look_at_frames(self, image: Any, frames: int, name: str) -> tuple[list[tuple[str, str]], list[Box]]:
        """What an image says beside its pixels, and where text is within them."""
        beside: list[tuple[str, str]] = []
        boxes: list[Box] = []
        chosen = frames_to_look_at(frames)
        for frame in chosen:
            image.seek(frame)
            beside += texts_beside(image)
            boxes += self._boxes(image, name)
        image.seek(0)
        if len(chosen) < frames:
            self.done.left.append(f"{name}: {frames - len(chosen)} frames were not looked at for text in the image")
        return beside, boxes

    def _told(self, name: str, place: str, kind: str, done: str) -> None:
        self.done.changes.append(Change(name, place, kind, done))

    def _new_name(self, part: str) -> str:
        digest = hmac.new(self._salt, part.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:10]
        suffix = Path(part).suffix
        return f"redacted-{digest}{suffix if len(suffix) <= 6 and not re.search('[0-9]{3}', suffix) else ''}"

    def _write_changes(self) -> None:
        self._out.mkdir(parents=True, exist_ok=True)
        with open(self.changes_path, "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "place", "kind", "done"])
            writer.writerows((one.file, one.place, one.kind, one.done) for one in self.done.changes)


def _save(dataset: Any, path: Path) -> None:
    try:
        dataset.save_as(path, enforce_file_format=True)
    except TypeError:  # pydicom 2
        dataset.save_as(path, write_like_original=False)
