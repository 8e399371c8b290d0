"""Random access into the tar shards that ``shards.write_shards`` made: sample and image by number.

Where each member lies is found once, by reading the headers, and kept as two numbers a member; text and pixels stay in
the files.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ...digests import file_sha256
from ...errors import DataError, one_line
from ...json_text import parse_json
from ...readers.prepared import SHARD_INDEX
from ...readers.tars.members import CUT, read_members
from ...readers.textfiles import read_json_object
from ...records import SPLITS, Sample
from ...storage import write_json
from ..console import progress, say
from ..images.decoding import DEFAULT_POLICY, decode_image
from ..parallel import map_in_threads
from .shard_index import Shard, image_endings, read_shard_index

CHECKED = "checked.json"
"""Beside ``index.json``: size, time and digest of the shards whose content was compared with the index."""
_REMEDY = "delete it and run pefomed shard again, or copy it again"


class _Place(NamedTuple):
    """Where a member's content lies in its shard."""

    offset: int
    bytes: int


class ShardFiles(Sequence[Sample]):
    """The samples of one split, in the order of the index; each is read from its file when it is asked for.

    Opens the file again for every access: nothing is shared between processes, and there are more shards than a process
    may hold open.
    """

    def __init__(self, folder: Path, shards: Sequence[Shard], limit: int | None = None) -> None:
        """Read the headers of ``shards``, of which the first ``limit`` samples are taken.

        Raises:
            DataError: shards that hold other members than the index says, all of them in one message.
        """
        self.paths = [Path(folder) / shard.file for shard in shards]
        tables, problems = [], []
        for shard, path in zip(shards, self.paths):
            table, problem = _read_headers(path, shard.samples)
            tables.append(table)
            problems += [problem] if problem else []
        if problems:
            raise DataError(f"{folder} holds damaged shards", problems)
        self._shard = np.repeat(np.arange(len(shards)), [shard.samples for shard in shards])[:limit]
        members = np.concatenate([count for _, count in tables])[:limit]
        self._ends = members.cumsum()  # behind the members of each sample: its images, then its record
        self._places = np.concatenate([table for table, _ in tables])[: self._ends[-1]]  # (members, offset and bytes)

    @property
    def most_images(self) -> int:
        """Images of the sample that has most."""
        return max(self.count_images())

    def count_images(self) -> dict[int, int]:
        """Number of images -> how many samples have so many; no record is read."""
        numbers, counts = np.unique(np.diff(self._ends, prepend=0) - 1, return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist()))

    def __len__(self) -> int:
        return len(self._shard)

    def __getitem__(self, number: int) -> Sample:  # type: ignore[override]  # no slices
        """Sample ``number``.

        Raises:
            IndexError: there are not so many.
            DataError: its record cannot be read.
        """
        content, where = self._read(number, -1)
        try:
            return Sample.from_json(parse_json(content))
        except (ValueError, TypeError) as error:
            raise DataError(f"{where}: not a sample ({one_line(error)}); {_REMEDY}") from error

    def open_image(self, number: int, image: int = 0) -> Image.Image:
        """Image ``image`` of sample ``number``, in mode RGB, at the size of the shards.

        Raises:
            ImageError: it cannot be decoded.
            DataError: the shard cannot be read.
        """
        content, where = self._read(number, image)
        return decode_image(BytesIO(content), where, DEFAULT_POLICY)

    def read_encoded(self, number: int, image: int = 0) -> bytes:
        """Image ``image`` of sample ``number`` as it is stored. Raises DataError as ``open_image``."""
        return self._read(number, image)[0]

    def _read(self, number: int, member: int) -> tuple[bytes, str]:
        """Content of one member (an image; -1: the record), and the words that name it in errors."""
        path = self.paths[self._shard[number]]
        number %= len(self)
        start = self._ends[number - 1] if number else 0
        place = _Place(*map(int, self._places[self._ends[number] - 1 if member < 0 else start + member]))
        where = f"{path}, byte {place.offset:,}"
        try:
            with open(path, "rb") as file:
                file.seek(place.offset)
                content = file.read(place.bytes)
        except OSError as error:
            raise DataError(f"{where}: cannot be read ({error.strerror or error})") from error
        if len(content) < place.bytes:
            raise DataError(f"{where}: the file ends here; {_REMEDY}")
        return content, where


def open_shards(folder: Path, files: Collection[str] | None = None) -> dict[str, list[Shard]]:
    """The shards of a folder by split, each compared with size and digest in the index.

    Args:
        files: names of the shards that are wanted; None for all.

    Raises:
        DataError: no index, or shards that are unfinished, missing or damaged, all of them in one message.
    """
    shards = read_shard_index(folder, files)
    unknown = sorted(set(files or ()) - {shard.file for shard in shards})
    if unknown:
        raise DataError(
            f"{folder} has no such shards; run pefomed shard again, or correct build_info.storage",
            [f"{name}: not in {SHARD_INDEX}" for name in unknown],
        )
    if os.environ.get("LOCAL_RANK", "0") == "0":  # once a machine
        _check_digests(folder, shards)
    by_split = {split: [shard for shard in shards if shard.split == split] for split in SPLITS}
    return {split: own for split, own in by_split.items() if own}


def _read_headers(path: Path, samples: int) -> tuple[tuple[np.ndarray, np.ndarray], str]:
    """Places of images and record of each sample, (members, 2), and how many members each has, (samples,).

    And what is wrong, if anything.
    """
    places = np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
    try:
        members = read_members(path, check_sums=False)  # the digest has been compared
    except OSError as error:
        return places, f"{path}: its headers cannot be read ({one_line(error)}); {_REMEDY}"
    counts = _images_in(members.names, samples)
    wanted = [
        f"{number:06d}.{ending}" for number, images in enumerate(counts) for ending in (*image_endings(images), "json")
    ]
    for name, found in zip(wanted, members.names):
        if found != name:
            return places, f"{path}: holds {found} where {name} should be; {_REMEDY}"
    if len(members.names) < len(wanted):
        what = "; ".join(text for _, text in members.faults)
        ends = f"ends where {wanted[len(members.names)]} should be" + (f" ({what})" if what else "")
        return places, f"{path}: {ends}; {_REMEDY}"
    if len(members.names) > len(wanted):
        return places, f"{path}: holds more than the {samples:,} samples of the index; {_REMEDY}"
    damage = [text for kind, text in members.faults if kind != CUT]  # whether it is whole, size and digest say
    if damage:
        return places, f"{path}: {'; '.join(damage)}; {_REMEDY}"
    return (np.stack([members.offsets, members.sizes], axis=1), np.asarray(counts, np.int64) + 1), ""


def _images_in(names: Sequence[str], samples: int) -> list[int]:
    """How many images each sample has, where the members are what they should be; 1 where they are not."""
    if len(names) == 2 * samples:
        return [1] * samples
    several = Counter(name.partition(".")[0] for name in names if name.endswith(".png") and name.count(".") == 2)
    return [several.get(f"{number:06d}", 1) for number in range(samples)]


def _check_digests(folder: Path, shards: Sequence[Shard]) -> None:
    """Read every shard once and compare it with the index; those checked before are known by their size and time."""
    known: dict[str, Any] = read_json_object(folder / CHECKED, {}) if (folder / CHECKED).is_file() else {}
    stamps = {shard.file: [shard.bytes, (folder / shard.file).stat().st_mtime_ns, shard.sha256] for shard in shards}
    fresh = [shard for shard in shards if known.get(shard.file) != stamps[shard.file]]
    if not fresh:
        return
    problems = []
    with progress(f"{folder.name}: checking shards", len(fresh)) as advance:
        for shard, digest in zip(fresh, map_in_threads(lambda shard: file_sha256(folder / shard.file), fresh, 2)):
            if digest != shard.sha256:
                problems.append(f"{folder / shard.file}: its content is not what was written; {_REMEDY}")
            advance(1)
    if problems:
        raise DataError(f"{folder} holds damaged shards", problems)
    try:
        write_json(folder / CHECKED, {**known, **stamps})
    except DataError as error:
        say(f"the shards are whole, but will be checked again next time: {error}")
