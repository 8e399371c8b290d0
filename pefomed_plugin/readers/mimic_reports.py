"""Where the reports of MIMIC-CXR lie: unpacked in one of the usual folders, or still in ``mimic-cxr-reports.zip``.

Gives the text of a report, and never prints one.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Callable, Optional

from ..errors import DataError, one_line, why
from .layouts import find

ZIP_NAME = "mimic-cxr-reports.zip"
_RELEASES = "{,mimic-cxr-jpg/*/,mimic-cxr/*/,physionet.org/files/mimic-cxr-jpg/*/,physionet.org/files/mimic-cxr/*/}"
_FOLDERS = _RELEASES + "{,mimic-cxr-reports/}files"
_ZIPS = _RELEASES + ZIP_NAME

ReadReport = Callable[[str], Optional[str]]
"""Text of ``p19/p19999999/s59999999.txt``, or None where there is no such report."""


@contextmanager
def open_reports(root: Path, wanted: Collection[str]) -> Iterator[tuple[Path, ReadReport]]:
    """The place below ``root`` that holds at least one of the ``wanted`` reports, and how to read from it.

    An unpacked folder is preferred to the zip. Unpacking may leave ``files/`` or ``mimic-cxr-reports/files/``.

    Raises:
        DataError: no such place, a damaged zip; later, a report that is not UTF-8 or links out of its folder.
    """
    for folder in find(root, _FOLDERS):
        if any((folder / name).is_file() for name in wanted):
            yield folder, _from_folder(folder)
            return
    for path in find(root, _ZIPS):
        try:
            with zipfile.ZipFile(path) as archive:
                yield path, _from_zip(path, archive)
        except zipfile.BadZipFile as error:
            raise _damaged(path, error) from error
        return
    raise DataError(
        f"mimic_cxr: no reports below {root}; put {ZIP_NAME} of MIMIC-CXR there (the JPG release has none); looked for",
        [_FOLDERS + "/p1x/p1xxxxxxx/s5xxxxxxx.txt", _ZIPS],
    )


def _from_folder(folder: Path) -> ReadReport:
    base = str(folder)

    @lru_cache(maxsize=64)  # Reports of a patient follow each other; a look at the disk is what takes time here.
    def refuse_link(name: str) -> None:
        if os.path.islink(os.path.join(base, name)):
            raise DataError(f"{folder / name} is a link; copy the reports into the folder")

    def read(name: str) -> str | None:
        group, patient, _ = name.split("/")
        for part in (group, f"{group}/{patient}", name):
            refuse_link(part)
        try:
            with open(os.path.join(base, name), "rb") as file:
                return _text(file.read(), folder, name)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"cannot read {folder / name}: {why(error)}") from error

    return read


def _from_zip(path: Path, archive: zipfile.ZipFile) -> ReadReport:
    members = {name.rpartition("files/")[2]: name for name in archive.namelist() if name.endswith(".txt")}

    def read(name: str) -> str | None:
        if name not in members:
            return None
        try:
            return _text(archive.read(members[name]), path, name)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise _damaged(path / name, error) from error

    return read


def _text(data: bytes, place: Path, name: str) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{place / name}: byte {error.start} is not UTF-8; fetch the file again") from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(f"{path}: damaged zip ({one_line(error)}); the download is incomplete, fetch it again")
