"""The file that a table means: a path below one folder, found although the table spells it as another system would.

Nothing is copied, no image is opened, and nothing outside the folder is found.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import unquote

from ...errors import quoted
from ...readers.image_tree import inside
from ..images.image_folder import SUFFIXES

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\|//")
"""Begins a path of Windows', on a drive or a server."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
"""Begins what lies elsewhere: ``https://``, ``s3://``."""
_ENDINGS = SUFFIXES | {".nii", ".gz"}
_IMAGE_ENDING = re.compile(r"\.(?:png|jpe?g|tiff?|dcm|bmp|webp)\b", re.IGNORECASE)
CASE = "image name(s) found under another spelling (case or accents)"
SUB_FOLDER = "image name(s) found in a sub-folder"
ENDING = "image name(s) without an ending found with one"
WINDOWS = "path(s) of Windows found by their last parts"
ENCODED = "image name(s) found with %20 and the like read as signs"
MISSING = "image name(s) of which there is no file"
ELSEWHERE = (
    "missing image(s) have a file of their name in another folder, not taken: correct the folder, or --image-root"
)
NOT_UTF8 = "missing image(s) may be among files whose names are not UTF-8: rename those, as with convmv"
SEVERAL = "missing image(s) look like several names: put them into a column images, separated by ;"
OTHER_ENDING = "missing image(s) have a file with another ending (as .png for .jpg), not taken: correct the names"


class ImageFinder:
    """Finds files below a folder, and counts what it had to do for it."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.notes: Counter[str] = Counter()
        """How many names were found otherwise than written, in words."""
        self._paths: dict[str, list[str]] | None = None
        self._names: dict[str, list[str]] = defaultdict(list)
        self._stems: dict[str, list[str]] = defaultdict(list)
        self._odd_names = 0
        self._known: dict[str, tuple[str, tuple[str, ...]]] = {}

    def find(self, given: str) -> str:
        """The path below the folder that ``given`` means; as written where there is no such file.

        Raises:
            ValueError: it leads out of the folder, or several files may be meant; in words, with the remedy.
        """
        if given not in self._known:
            self._known[given] = self._look(given.strip().strip('"').strip())
        path, notes = self._known[given]
        self.notes.update(notes)
        return path

    def _look(self, given: str) -> tuple[str, tuple[str, ...]]:
        if not given:
            raise ValueError("the image is empty; name it, or delete the record")
        if _ADDRESS.match(given):
            raise ValueError(
                f"image {quoted(given, limit=120)} is an address, and nothing is fetched; download the images, and "
                "name the files"
            )
        is_windows = bool(_DRIVE.match(given))
        if os.path.isabs(given) and not is_windows:
            base, target = os.path.realpath(self.root), os.path.realpath(given)
            if not target.startswith(base + os.sep):
                raise ValueError(
                    f"image {quoted(given, limit=120)} leads out of {self.root}; give the folder that holds it as "
                    "--image-root"
                )
            given = Path(target).relative_to(base).as_posix()
        if not is_windows and inside(self.root, given) and os.path.isfile(self.root / given):
            return Path(given).as_posix(), ()
        parts = [part for part in re.split(r"[\\/]+", given) if part not in ("", ".")]
        if is_windows and not given.startswith(("\\", "/")):
            parts = parts[1:]
        if ".." in parts or not parts:
            raise ValueError(f"image {quoted(given, limit=120)} leads out of {self.root}; correct the path")
        shorter = range(len(parts)) if is_windows else range(1)
        for start in shorter:
            found = self._candidates(parts[start:])
            if found:
                path, note = self._only(given, "/".join(parts[start:]), found, is_windows)
                return path, (note,) if note else ()
        if unquote(given) != given:
            path, notes = self._look(unquote(given))
            if MISSING not in notes:
                return path, (ENCODED,)
        path = "/".join(parts)
        if inside(self.root, path) is None:
            raise ValueError(f"image {quoted(given, limit=120)} leads out of {self.root}; correct the path or the link")
        name = parts[-1]
        near = SEVERAL if len(_IMAGE_ENDING.findall(given)) > 1 else ELSEWHERE if self._names.get(_key(name)) else ""
        if not near and _without_ending(name) != name and self._stems.get(_key(_without_ending(name))):
            near = OTHER_ENDING
        near = near or (NOT_UTF8 if self._odd_names and not name.isascii() else "")
        return path, (MISSING, near) if near else (MISSING,)

    def _only(self, given: str, wanted: str, found: list[str], is_windows: bool) -> tuple[str, str]:
        exact = [path for path in found if path == wanted or path.endswith("/" + wanted)]
        chosen = [wanted] if wanted in found else exact or found
        if len(chosen) > 1:
            raise ValueError(
                f"image {quoted(given, limit=120)} may be {' or '.join(chosen[:4])}; write the path with its folder"
            )
        path = chosen[0]
        if inside(self.root, path) is None:
            raise ValueError(f"image {quoted(given, limit=120)} leads out of {self.root}; replace the symbolic link")
        name, last = path.rpartition("/")[2], wanted.rpartition("/")[2]
        if is_windows:
            return path, WINDOWS
        if _key(name) != _key(last):
            return path, ENDING
        return path, CASE if not exact else SUB_FOLDER if path != wanted else ""

    def _candidates(self, parts: list[str]) -> list[str]:
        """Files that end in these parts: as they are, or with an ending."""
        if self._paths is None:
            self._list()
        assert self._paths is not None
        wanted = _key("/".join(parts))
        whole = self._paths.get(wanted)
        if whole:
            return whole
        by_name = self._names.get(_key(parts[-1]), [])
        found = [path for path in by_name if _key(path).endswith("/" + wanted)]
        if found:
            return found
        by_stem = self._stems.get(_key(parts[-1]), [])
        return [path for path in by_stem if ("/" + _key(_without_ending(path))).endswith("/" + wanted)]

    def _list(self) -> None:
        self._paths = defaultdict(list)
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                self._odd_names += _is_not_utf8(name)
                path = Path(folder, name).relative_to(self.root).as_posix()
                self._paths[_key(path)].append(path)
                self._names[_key(name)].append(path)
                if _without_ending(name) != name:
                    self._stems[_key(_without_ending(name))].append(path)


def _is_not_utf8(name: str) -> bool:
    """Whether a name on the disk has bytes that are no letters: Python holds them as half characters."""
    return any("\udc80" <= sign <= "\udcff" for sign in name)


def _key(path: str) -> str:
    """The same for spellings that differ in case, or in how accents are composed (macOS takes them apart)."""
    return unicodedata.normalize("NFC", path).casefold()


def _without_ending(path: str) -> str:
    stem, ending = os.path.splitext(path)
    if ending.lower() not in _ENDINGS:
        return path
    return os.path.splitext(stem)[0] if stem.lower().endswith(".nii") else stem
