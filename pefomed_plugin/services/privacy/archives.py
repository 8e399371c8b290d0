"""What archives hold, unpacked one file at a time into a folder that goes away: zip, tar, gzip, texts of office files.

A cleaned copy has none: who wants one unpacks the archive.
"""

from __future__ import annotations

import gzip
import html
import re
import tarfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO
from zipfile import BadZipFile, ZipFile

from ...errors import DataError
from .said import PROGRAMS

_ZIPS = frozenset({".zip", ".eval"})
_OFFICE = frozenset({".docx", ".docm", ".pptx", ".odt", ".ods", ".odp"})
_TARS = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
_GZIP = b"\x1f\x8b"
BESIDE = "what it says of itself.txt"
"""What its comments stand under."""
MOST_UNPACKED_BYTES = 8 << 30
"""Of one archive."""
_MOST_MEMBER_BYTES = 1 << 30
_SAYS = re.compile(r"(?:word|ppt)/.*\.xml$|content\.xml$|meta\.xml$|docProps/(?:app|core|custom)\.xml$")
_SAYS_NOTHING = re.compile(
    r"/(?:styles|settings|webSettings|fontTable|numbering|theme\d*|presProps|viewProps)\.xml$|/theme/"
)
_ENDS = re.compile(r"</(?:w:p|a:p|text:p|text:h)>|<w:(?:br|tab)/>")
_TAG = re.compile(r"<[^<>]*>")
_WHO = re.compile(
    r"<(?:dc:creator|cp:lastModifiedBy|meta:initial-creator)>(?P<creator>[^<]+)<"
    r"|<w:\w+ [^<>]*\bw:author=\"(?P<author>[^\"]+)\"[^<>]*>|<p:cmAuthor [^<>]*\bname=\"(?P<name>[^\"]+)\"[^<>]*>"
)
"""Who wrote an office file, a comment in it, or changed it."""


def is_archive(path: Path) -> bool:
    """Whether a file is an archive whose files are looked at, by its name and, of gzip, its content."""
    name = path.name.lower()
    if path.suffix.lower() in _ZIPS | _OFFICE or name.endswith(_TARS):
        return True
    with open(path, "rb") as file:
        return file.read(2) == _GZIP


def members_of(path: Path) -> Iterator[tuple[str, Path]]:
    """(name, file) of what an archive holds; the file is there until the next one is asked for.

    Raises:
        DataError: it is damaged, asks for a password, or unpacks to too much.
    """
    with TemporaryDirectory() as folder:
        unpacked = 0
        try:
            for name, stream in _streams(path):
                place = Path(folder, Path(name).name or "member")
                with stream, open(place, "wb") as file:
                    _copy(stream, file, path)
                unpacked += place.stat().st_size
                if unpacked > MOST_UNPACKED_BYTES:
                    most = f"{MOST_UNPACKED_BYTES >> 30} GiB"
                    raise DataError(f"{path}: unpacks to more than {most}; unpack it, and name the folder")
                if path.suffix.lower() in _OFFICE and place.suffix == ".xml":
                    text = _ENDS.sub("\n", place.read_text(encoding="utf-8", errors="replace"))
                    text = _WHO.sub(_said_who, text)
                    place = place.rename(place.with_suffix(".txt"))
                    place.write_text(html.unescape(_TAG.sub("", text)), encoding="utf-8")
                yield name, place
                place.unlink()
        except (BadZipFile, tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, NotImplementedError) as error:
            raise DataError(f"{path}: a damaged archive ({type(error).__name__})") from error
        except RuntimeError as error:  # of zipfile, where a password is needed
            raise DataError(f"{path}: an archive with a password; unpack it, and name the folder") from error


def _said_who(found: re.Match[str]) -> str:
    who = found[found.lastgroup or 0]
    end = "<" if found["creator"] else ""
    return f"\n{who}\n{end}" if who.strip().lower() in PROGRAMS else f"\nFull name: {who}\n{end}"


def _streams(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    name = path.name.lower()
    said_beside = _said_beside(path)
    if said_beside:
        yield BESIDE, BytesIO(said_beside)
    if path.suffix.lower() in _ZIPS | _OFFICE:
        with ZipFile(path) as packed:
            for member in packed.infolist():
                said = path.suffix.lower() in _ZIPS or (
                    _SAYS.search(member.filename) and not _SAYS_NOTHING.search(member.filename)
                )
                if said and not member.is_dir():
                    yield member.filename, packed.open(member)
    elif name.endswith(_TARS):
        with tarfile.open(path) as packed_tar:
            for one in packed_tar:
                stream = packed_tar.extractfile(one) if one.isfile() else None
                if stream is not None:
                    yield one.name, stream
    else:
        with gzip.open(path) as unpacked:
            yield path.stem if path.suffix else f"{path.name}.unpacked", unpacked  # type: ignore[misc]


def _said_beside(path: Path) -> bytes:
    """Comments of a zip and of its files, names that gzip keeps and to which the links of a tar lead."""
    name = path.name.lower()
    if path.suffix.lower() in _ZIPS | _OFFICE:
        with ZipFile(path) as packed:
            return b"\n".join(filter(None, [packed.comment, *(member.comment for member in packed.infolist())]))
    if name.endswith(_TARS):
        with tarfile.open(path) as packed_tar:
            return "\n".join(one.linkname for one in packed_tar if one.linkname).encode("utf-8", "replace")
    with open(path, "rb") as file:
        head = file.read(65536)
    flags, place = head[3:4] or b"\0", 10
    if flags[0] & 4:
        place += 2 + int.from_bytes(head[10:12], "little")
    return head[place:].split(b"\0")[0] if flags[0] & 8 else b""


def _copy(stream: IO[bytes], file: IO[bytes], path: Path) -> None:
    """Raises DataError where a file unpacks to too much: a small one can hold gigabytes."""
    while piece := stream.read(1 << 20):
        file.write(piece)
        if file.tell() > _MOST_MEMBER_BYTES:
            raise DataError(f"{path}: a file in it unpacks to more than {_MOST_MEMBER_BYTES >> 30} GiB")
