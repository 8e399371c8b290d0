"""Logs of inspect_ai: ``.eval``, a zip with one JSON file a sample, or the same log as one JSON file.

A log is a stranger's: nothing of it is unpacked to the disk, each sample is read by itself, and what a small file can
unpack to has a limit. Newer logs are packed with Zstandard, which Python's zipfile knows from 3.14 on.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from ...errors import ConfigError, DataError, PefomedError, one_line
from ...input_files import MOST_LINE_BYTES, open_input
from ...json_text import JsonFault, parse_json
from ...readers.textfiles import read_json
from ...requirements import Need
from .answers import FAILED, Answer, as_path, as_text, first_of, last_asked, said_text

MOST_TIMES = 200
"""How often a log may unpack to its own size; texts of logs have some twenty times, images about once."""
ALWAYS_ALLOWED = 256 * 2**20
"""Bytes that a log may unpack to, whatever its size."""
_ZSTANDARD = Need("zstandard", "inspect_ai's logs that are packed with Zstandard", "zstandard")
_HEADER = "header.json"
"""Of a zip; it is written last."""
_METHOD = 93
"""Of Zstandard in a zip."""
_EPOCHS = "only the first of several epochs was taken"
_CUT = "cut short by a limit of the harness or the model, or by a filter of contents; taken as it is"
UNFINISHED = "the log is of an evaluation that did not end"
_WHOLE = frozenset(("stop", "tool_calls", "unknown"))
"""Reasons to stop of an answer that ended by itself, or of which nothing is known."""
_LOCAL_HEADER = struct.Struct("<26xHH")
"""Before a member's bytes: 26 bytes of what the directory says too, then the lengths of its name and extra field."""


def is_inspect_archive(path: Path) -> bool:
    """Whether a zip is a log of inspect_ai.

    Raises:
        DataError: it is no zip, or is cut short.
    """
    with _opened(path) as (archive, _):
        return any(name.startswith("samples/") for name in archive.namelist()) or _HEADER in archive.namelist()


def read_inspect(path: Path) -> list[Answer]:
    """Every sample of a log, in the order of its ids where these are numbers; of several epochs the first.

    An id that is a number is the log's own, so that such samples are joined by question and reference.

    Raises:
        ConfigError: the log is packed with Zstandard, and nothing here unpacks that.
        DataError: not such a log, damaged, or unpacks to too much; every damaged sample is named.
    """
    found: dict[Any, tuple[int, Answer]] = {}
    again: set[Any] = set()
    problems: list[str] = []
    content = None if _is_zip(path) else read_json(path, with_nan=True)
    samples = _packed_samples(path, problems) if content is None else _samples_in(path, content)
    for where, sample in samples:
        if not isinstance(sample, Mapping) or "id" not in sample or not ({"output", "error"} & sample.keys()):
            problems.append(f"{where}: no id and output; is this a file of this format?")
            continue
        key, epoch = str(sample["id"]), sample.get("epoch")
        number = epoch if isinstance(epoch, int) else 1
        answer = _answer(f"{path.name}, sample {key}", sample)
        again |= {key} if key in found else set()
        if key not in found or number < found[key][0]:
            found[key] = (number, answer)
    if problems:
        raise DataError(f"{path} cannot be read", problems)
    if not found:
        raise DataError(f"{path} holds no samples; was the log written with --no-log-samples?")
    keys = sorted(found, key=lambda key: (0, int(key), "") if key.isdecimal() else (1, 0, ""))  # stable
    status = _packed_status(path) if content is None else _status_in(content)
    unfinished = () if status == "success" else (f"{UNFINISHED} (status: {status})",)
    return [
        replace(answer, notes=(*answer.notes, *([_EPOCHS] if key in again else []), *unfinished))
        for key, answer in ((key, found[key][1]) for key in keys)
    ]


def _answer(where: str, sample: Mapping[str, Any]) -> Answer:
    output = sample.get("output") if isinstance(sample.get("output"), Mapping) else {}
    said = _said(output)  # type: ignore[arg-type]
    has_failed = said is None or (bool(sample.get("error")) and not said)
    key = str(sample["id"])
    return Answer(
        where,
        None if has_failed else said,
        key=None if key.isdecimal() else key,
        question=last_asked(sample.get("input")) or None,
        image=as_path(_image(sample)),
        reference=as_text(first_of(sample.get("target"))),
        notes=(FAILED,) if has_failed else (_CUT,) if _is_cut(sample, output) else (),  # type: ignore[arg-type]
    )


def _is_cut(sample: Mapping[str, Any], output: Mapping[str, Any]) -> bool:
    choice = first_of(output.get("choices"))
    reason = choice.get("stop_reason") if isinstance(choice, Mapping) else None
    return bool(sample.get("limit")) or (isinstance(reason, str) and reason not in _WHOLE)


def _said(output: Mapping[str, Any]) -> str | None:
    """What the model said, without its reasoning; None where it said nothing."""
    completion = output.get("completion")
    if isinstance(completion, str) and completion:
        return completion
    choice = first_of(output.get("choices"))
    message = choice.get("message") if isinstance(choice, Mapping) else None
    return said_text(message.get("content")) if isinstance(message, Mapping) else None


def _image(sample: Mapping[str, Any]) -> str | None:
    """Path of the image: what the data set says of it, else that in the conversation, if it is a path."""
    metadata = sample.get("metadata") if isinstance(sample.get("metadata"), Mapping) else {}
    for name in ("image", "images", "image_path"):
        image = first_of(metadata.get(name))  # type: ignore[union-attr]
        if isinstance(image, str):
            return image
    for turn in sample["input"] if isinstance(sample.get("input"), list) else ():
        for part in turn.get("content") or () if isinstance(turn, Mapping) else ():
            image = part.get("image") if isinstance(part, Mapping) else None
            if isinstance(image, str) and not image.startswith(("data:", "attachment:", "http:", "https:")):
                return image
    return None


def _packed_status(path: Path) -> str:
    """``success``, ``error``, ``cancelled`` or ``started``, which is also that of a log without its last part."""
    with _opened(path) as (archive, file):
        members = [member for member in archive.infolist() if member.filename == _HEADER]
        try:
            header = parse_json(_unpack(path, archive, file, members[0]), with_nan=True) if members else {}
        except JsonFault as fault:
            raise DataError(fault.at(f"{path.name}, {_HEADER}")[0]) from None
    return _status_in(header) if members else "started"


def _status_in(header: Any) -> str:
    """Nothing is said in logs from before there was a status."""
    return str((header.get("status") if isinstance(header, Mapping) else None) or "success")


# -- the two forms of a log --------------------------------------------------------------------------------------------


def _samples_in(path: Path, content: Any) -> Iterator[tuple[str, Any]]:
    samples = content.get("samples") if isinstance(content, dict) else None
    if not isinstance(samples, list):
        raise DataError(f"{path}: no list of samples; is this a log of inspect_ai?")
    yield from ((f"{path.name}, sample {number}", sample) for number, sample in enumerate(samples))


def _is_zip(path: Path) -> bool:
    with open_input(path) as file:
        return file.read(2) == b"PK"


def _packed_samples(path: Path, problems: list[str]) -> Iterator[tuple[str, Any]]:
    with _opened(path) as (archive, file):
        members = [member for member in archive.infolist() if member.filename.startswith("samples/")]
        size, packed = sum(member.file_size for member in members), path.stat().st_size
        if size > max(ALWAYS_ALLOWED, MOST_TIMES * packed):
            raise DataError(
                f"{path} unpacks to {size / 2**20:,.0f} MiB, {size // max(packed, 1):,} times its size: no log does; "
                "take the file that inspect_ai wrote"
            )
        for member in members:
            where = f"{path.name}, {member.filename}"
            try:
                yield where, parse_json(_unpack(path, archive, file, member), with_nan=True)
            except JsonFault as fault:
                problems += fault.at(where)


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
