"""The files below a folder of images, asked for by their names: a folder that is asked often is listed once."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path, PurePosixPath

from ..errors import DataError

_ASKED = 64
"""So many times files of a folder are asked for one by one, then it is listed."""
_DEEP = 100
"""Folders of a path that are followed one by one."""


class ImageTree:
    """As asking the system for each file, in a fraction of the time. What changes meanwhile may be missed."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._base = os.path.realpath(root)
        self._prefix = os.path.join(root, "")
        self._real: dict[str, str] = {"": self._base}
        """Folder -> its path, symbolic links followed."""
        self._asked: dict[str, int] = {}
        """Folder -> how many of its files were asked for, while it is not listed."""
        self._files: dict[str, frozenset[str] | None] = {}
        """Folder that was listed -> names of its files that are no links; None: there is no such folder."""

    def is_file(self, image: str) -> bool:
        """``(root / image).is_file()``; a name that no listing has is asked for, as a system may not heed its case.

        Raises:
            DataError: a folder may not be entered.
        """
        folder, _, name = image.rpartition("/")
        if _is_odd(image, name):
            return _is_file(self.root / image)
        if folder in self._files or self._list(folder):
            files = self._files[folder]
            if files is None or name in files:
                return files is not None
        return _is_file(self._prefix + image)

    def leads_out(self, image: str) -> bool:
        """``inside(root, image) is None``: whether a path leaves the root, symbolic links followed."""
        folder, _, name = image.rpartition("/")
        if _is_odd(image, name):
            return inside(self.root, image) is None
        if folder and not self._real_of(folder).startswith(self._base + os.sep):
            return inside(self.root, image) is None
        if folder in self._files or self._list(folder):
            files = self._files[folder]
            if files is None or name in files:
                return False
        return os.path.islink(self._prefix + image) and inside(self.root, image) is None

    def _list(self, folder: str) -> bool:
        """List a folder that was asked for often enough; whether it is listed."""
        asked = self._asked[folder] = self._asked.get(folder, 0) + 1
        if asked != _ASKED:
            return False
        try:
            with os.scandir(self._prefix + folder) as entries:
                self._files[folder] = frozenset(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError):
            self._files[folder] = None
        except OSError:  # it may be entered and not listed: each file is asked for
            return False
        return True

    def _real_of(self, folder: str) -> str:
        """Real path of a folder: of the one above it, which is known mostly, and one step."""
        known = self._real.get(folder)
        if known is not None:
            return known
        above, _, name = folder.rpartition("/")
        if name in ("", ".", "..") or folder.count("/") > _DEEP:
            real = os.path.realpath(os.path.join(self._base, folder))
        else:
            path = os.path.join(self._real_of(above), name)
            real = os.path.realpath(path) if os.path.islink(path) else path
        self._real[folder] = real
        return real


def inside(root: Path, relative: str) -> Path | None:
    """``root / relative`` if that stays below ``root`` (symbolic links followed), else None."""
    if not relative or "\0" in relative or PurePosixPath(relative).is_absolute() or os.path.isabs(relative):
        return None
    base = os.path.realpath(root)
    target = os.path.realpath(os.path.join(base, relative))
    return Path(root, relative) if target.startswith(base + os.sep) else None


def _is_odd(image: str, name: str) -> bool:
    return os.path.isabs(image) or name in ("", ".", "..") or "\0" in image


def _is_file(path: str | Path) -> bool:
    """Raises DataError where nobody can tell, as the user may not enter its folder."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) == errno.EACCES:
            raise DataError(
                f"{Path(path).parent} may not be entered by you, and images are there; chmod u+x"
            ) from error
        return False
