"""What a zip of inspect_ai holds: of each sample a JSON file, or a folder whose ``sample.json`` lacks what is beside.

A log is a stranger's: nothing of it is unpacked to the disk, each sample is read by itself, and what a small file can
unpack to has a limit. Newer logs are packed with Zstandard, which Python's zipfile knows from 3.14 on.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from ...errors import ConfigError, DataError, PefomedError, one_line
from ...input_files import MOST_LINE_BYTES, open_input
from ...json_text import JsonFault, parse_json
from ...requirements import Need

MOST_TIMES = 200
"""How often a log may unpack to its own size; texts of logs have some twenty times, images about once."""
ALWAYS_ALLOWED = 256 * 2**20
"""Bytes that a log may unpack to, whatever its size."""
_ZSTANDARD = Need("zstandard", "inspect_ai's logs that are packed with Zstandard", "zstandard")
_HEADER = "header.json"
"""Of a zip; it is written last."""
_METHOD = 93
"""Of Zstandard in a zip."""
_LOCAL_HEADER = struct.Struct("<26xHH")
"""Before a member's bytes: 26 bytes of what the directory says too, then the lengths of its name and extra field."""
_SHELL = re.compile(r"(samples/.+_epoch_\d+)/sample\.json", re.DOTALL)
"""Of a sample that has a folder; metadata, attachments, messages, events and calls lie beside it."""
_METADATA, _ATTACHMENTS = "metadata.json", re.compile(r"attachments/(\d+)\.json")


def is_zip(path: Path) -> bool:
    """Whether a file begins like one."""
    with open_input(path) as file:
        return file.read(2) == b"PK"


def is_inspect_archive(path: Path) -> bool:
    """Whether a zip is a log of inspect_ai.

    Raises:
        DataError: it is no zip, or is cut short.
    """
    with _opened(path) as (archive, _):
        return any(name.startswith("samples/") for name in archive.namelist()) or _HEADER in archive.namelist()


def packed_header(path: Path) -> Any:
    """What the log says of itself as a whole; None where it has no such part: it did not end.

    Raises:
        DataError: it is damaged.
    """
    with _opened(path) as (archive, file):
        members = [member for member in archive.infolist() if member.filename == _HEADER]
        try:
            return (parse_json(_unpack(path, archive, file, members[0]), with_nan=True) or {}) if members else None
        except JsonFault as fault:
            raise DataError(fault.at(f"{path.name}, {_HEADER}")[0]) from None


def packed_samples(path: Path, problems: list[str]) -> Iterator[tuple[str, Any]]:
    """File and member, and the sample there; what is damaged is added to ``problems``.

    Raises:
        DataError: no zip, or one that unpacks to too much.
    """
    with _opened(path) as (archive, file):
        members = [member for member in archive.infolist() if member.filename.startswith("samples/")]
        size, packed = sum(member.file_size for member in members), path.stat().st_size
        if size > max(ALWAYS_ALLOWED, MOST_TIMES * packed):
            raise DataError(
                f"{path} unpacks to {size / 2**20:,.0f} MiB, {size // max(packed, 1):,} times its size: no log does; "
                "take the file that inspect_ai wrote"
            )
        for parts in _by_sample(members):
            where = f"{path.name}, {parts[0].filename}"
            try:
                read = [parse_json(_unpack(path, archive, file, member), with_nan=True) for member in parts]
            except JsonFault as fault:
                problems += fault.at(where)
                continue
            yield where, _put_together(parts, read)


def _by_sample(members: Sequence[ZipInfo]) -> list[list[ZipInfo]]:
    """The members of each sample that say what it was asked and answered: one, or the first of a folder and others."""
    shells = {found.group(1): member for member in members if (found := _SHELL.fullmatch(member.filename))}
    beside: dict[str, list[ZipInfo]] = defaultdict(list)
    alone = []
    for member in members:
        folder = next((name for name in _folders_of(member.filename) if name in shells), None)
        if folder is None:
            alone.append([member])
        elif member is not shells[folder]:
            rest = member.filename[len(folder) + 1 :]
            if rest == _METADATA or _ATTACHMENTS.fullmatch(rest):
                beside[folder].append(member)
    return [*alone, *([shell, *beside[folder]] for folder, shell in shells.items())]


def _folders_of(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _put_together(parts: Sequence[ZipInfo], read: Sequence[Any]) -> Any:
    sample = read[0]
    if len(parts) == 1 or not isinstance(sample, dict):
        return sample
    more: dict[str, Any] = {"attachments": {}}
    for member, content in zip(parts[1:], read[1:]):
        found = re.search(_ATTACHMENTS.pattern + "$", member.filename)
        if found is None:
            more["metadata"] = content
        elif isinstance(content, list):  # each is called by its number in the whole sequence
            more["attachments"].update((str(place), text) for place, text in enumerate(content, int(found.group(1))))
    return {**sample, **more}


class _opened:
    """A zip, to be read; damage found within the block is a DataError that names the file."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, open_input(path)

    def __enter__(self) -> tuple[ZipFile, BinaryIO]:
        try:
            return ZipFile(self._file), self._file
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._file.close()
        if isinstance(error, Exception) and not isinstance(error, PefomedError):
            raise DataError(
                f"{self._path} is no zip, or is damaged or cut short ({one_line(error)}); copy it again"
            ) from error


def _unpack(path: Path, archive: ZipFile, file: BinaryIO, member: ZipInfo) -> bytes:
    if member.file_size > MOST_LINE_BYTES:
        raise DataError(f"{path}, {member.filename}: more than {MOST_LINE_BYTES // 2**20} MiB in one sample")
    try:
        with archive.open(member) as opened:
            content = opened.read(member.file_size + 1)
    except NotImplementedError:
        content = _unpack_zstandard(path, file, member)
    if len(content) != member.file_size:
        raise BadZipFile(f"{member.filename} has another size than it says")
    return content


def _unpack_zstandard(path: Path, file: BinaryIO, member: ZipInfo) -> bytes:
    if member.compress_type != _METHOD:
        raise BadZipFile(f"{member.filename} is packed by method {member.compress_type}")
    try:
        from zstandard import ZstdDecompressor  # late: optional
    except ImportError:
        raise ConfigError(f"{path}: {_ZSTANDARD.message}, or convert the log: inspect log convert --to json") from None
    file.seek(member.header_offset)
    name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    file.seek(name + extra, io.SEEK_CUR)
    packed = io.BytesIO(file.read(member.compress_size))
    with ZstdDecompressor().stream_reader(packed, read_across_frames=True) as opened:
        content = opened.read(member.file_size + 1)
    if zlib.crc32(content) != member.CRC:
        raise BadZipFile(f"{member.filename} has another checksum than it says")
    return content
