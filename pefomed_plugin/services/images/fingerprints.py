"""What tells images apart: digest of the file, perceptual hash of the image, and why an image cannot be used.

Opens every image once, in threads, and remembers the outcome in a JSON-lines file, so that a second run opens only
what changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from ...digests import sha256_of
from ...errors import DataError, why
from ...json_text import as_json, parse_json
from ..console import Advance
from ..parallel import map_in_threads
from .decoding import DECODING, DEFAULT_POLICY, ImagePolicy, decode_image, locate, open_encoded
from .faults import UnusableImage

VERSION = DECODING
"""Of the cache file; changes whenever the same image could get another fingerprint."""

Stamp = tuple[int, int]
"""Size in bytes and modification time in nanoseconds of the file that holds an image."""


@dataclass(frozen=True)
class Fingerprint:
    """One image, opened."""

    sha256: str | None = None
    """Of the bytes as stored; None when there are none to read."""
    dhash: str | None = None
    """64 bits in hexadecimal, see ``difference_hash``; None when the image cannot be used or shows nothing."""
    fault: str | None = None
    """Why the image cannot be used, in the same words for the same cause."""
    problem: str | None = None
    """The whole message: file, details, remedy."""
    truncated: bool = False
    """Used although a part was missing, as the policy allowed."""


def fingerprint_images(
    root: Path,
    images: Iterable[str],
    policy: ImagePolicy = DEFAULT_POLICY,
    *,
    cache: Path | None = None,
    workers: int = 2,
    progress: Advance | None = None,
) -> dict[str, Fingerprint]:
    """Fingerprint of each image, in the order given; a damaged one has a ``fault``, nothing is raised for it.

    Args:
        progress: called with 1 for each image done.
        cache: JSON lines written as the work proceeds, so that an interrupted run goes on where it was; what it says
            of another policy or of a file of another size or time is not believed.

    Raises:
        DataError: the cache cannot be written.
    """
    header = {"fingerprints": VERSION, "policy": as_json(asdict(policy))}
    known = _read_cache(cache, header) if cache else {}

    def look(image: str) -> tuple[str, Stamp | None, Fingerprint, bool]:
        try:
            status = os.stat(locate(root, image))
        except (OSError, UnusableImage):
            return image, None, fingerprint_image(root, image, policy), False
        stamp = (status.st_size, status.st_mtime_ns)
        if image in known and known[image][0] == stamp:
            return image, stamp, known[image][1], False
        return image, stamp, fingerprint_image(root, image, policy), True

    found: dict[str, Fingerprint] = {}
    with ExitStack() as stack:
        lines = stack.enter_context(_open_cache(cache, header, bool(known))) if cache else None
        for image, stamp, fingerprint, is_new in map_in_threads(look, dict.fromkeys(images), workers):
            found[image] = fingerprint
            if lines and is_new:
                _add(lines, {"image": image, "stamp": stamp, **asdict(fingerprint)})
            if progress is not None:
                progress(1)
    return found


def read_fingerprints(cache: Path) -> dict[str, Fingerprint]:
    """What ``fingerprint_images`` wrote, by image.

    Raises:
        DataError: there is no such file, or it is of another version.
    """
    try:
        with open(cache, "rb") as lines:
            header = _parsed(lines.readline())
    except OSError as error:
        raise DataError(
            f"{cache}: cannot be read ({error.strerror}); prepare the data set again, with its images"
        ) from error
    if header.get("fingerprints") != VERSION:
        raise DataError(f"{cache}: of another version; prepare the data set again")
    return {image: fingerprint for image, (_, fingerprint) in _read_cache(cache, header).items()}


def fingerprint_image(root: Path, image: str, policy: ImagePolicy = DEFAULT_POLICY) -> Fingerprint:
    """Digest, hash and fault of one image."""
    digest = None
    try:
        stream, where = open_encoded(root, image)
        with stream:
            digest = sha256_of(stream)
            stream.seek(0)
            opened = decode_image(stream, where, policy)
    except UnusableImage as error:
        return Fingerprint(digest, fault=error.fault, problem=str(error))
    return Fingerprint(digest, difference_hash(opened), truncated=bool(opened.info.get("truncated")))


def difference_hash(opened: Image.Image) -> str | None:
    """dHash: 9 x 8 grey means, one bit for each horizontal neighbour that is brighter; 16 hexadecimal digits.

    It survives re-encoding, resizing and changes of brightness. Images without any such step (blank ones) would all
    look alike and have none.
    """
    grey = opened.convert("L").resize((9, 8), Image.Resampling.BOX).tobytes()
    bits = 0
    for row in range(8):
        for column in range(8):
            here = row * 9 + column
            bits = bits << 1 | (grey[here + 1] > grey[here])
    return f"{bits:016x}" if bits else None


def _read_cache(path: Path, header: dict[str, Any]) -> dict[str, tuple[Stamp, Fingerprint]]:
    """What is known of each image; nothing when the file is of another version or policy."""
    known: dict[str, tuple[Stamp, Fingerprint]] = {}
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError:
        return known
    if _parsed(lines[0]) != header:
        return known
    for line in lines[1:]:
        record = _parsed(line)
        try:
            image, (size, time_ns) = record.pop("image"), record.pop("stamp")
            known[image] = ((size, time_ns), Fingerprint(**record))
        except (KeyError, TypeError, ValueError):
            continue  # the last line of an interrupted run: that image is opened again
    return known


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        content = parse_json(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _open_cache(path: Path, header: dict[str, Any], is_current: bool) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = open(path, "ab" if is_current else "wb", buffering=0)  # noqa: SIM115 - the caller closes it
        if is_current:
            lines.write(b"\n")  # ends the half line of an interrupted run
        else:
            lines.write(json.dumps(header).encode() + b"\n")
    except OSError as error:
        raise DataError(f"cannot write {path}: {why(error)}") from error
    return lines


def _add(lines: BinaryIO, record: dict[str, Any]) -> None:
    try:
        lines.write(json.dumps(record).encode() + b"\n")
    except OSError as error:
        raise DataError(f"cannot write {lines.name}: {why(error)}") from error
