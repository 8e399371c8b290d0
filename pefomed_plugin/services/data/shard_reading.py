"""One shard from front to back through webdataset: its samples with their encoded images, and what is wrong with it.

``tarfile``, which webdataset reads with, takes a damaged header and a missing end for the end; here what follows is
looked at, so that no sample is lost unnoticed.
"""

from __future__ import annotations

import hashlib
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from ...config.datasets import ShardReading
from ...errors import DataError, one_line
from ...json_text import parse_json
from ...readers.layouts import Release
from ...readers.medical_shards import Keys, UnusableText, add_sample
from ...readers.tars.members import CUT, DAMAGED, LEADS_OUT, NO_ENDING, leads_out, remedy_of, split_name
from ...records import Sample
from .shard_index import image_endings
from .shard_sources import without_login
from .shard_transport import BLOCK_BYTES, ShardStream, TransportError, open_shard

LeftOut = list[tuple[str, str]]
"""Samples and members that were not given, and why; the same words for the same cause."""
_BLOCK = 512
_WAIT_S = 1.0
_NOWHERE = Path()


@dataclass(frozen=True)
class Part:
    """One shard of a stream."""

    address: str
    name: str
    """Of the file."""
    split: str
    samples: int | None = None
    """As the index says; None where there is none."""
    sha256: str | None = None

    @property
    def shown(self) -> str:
        """For messages."""
        return without_login(self.address)


class BrokenShard(Exception):
    """A shard that is not whole, or not what its index says."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(what)
        self.kind, self.what = kind, what

    def __str__(self) -> str:
        return self.what  # webdataset adds to an error's args


class _Watched:
    """A stream as ``tarfile`` reads it, that knows what it gave: its digest, and whether it came to a tar's end.

    It gives one block at a time, whatever is asked for: so ``tarfile`` holds none that it did not come to.
    """

    def __init__(self, stream: ShardStream) -> None:
        self._stream, self._digest = stream, hashlib.sha256()
        self._held, self._at, self._last = b"", 0, b""
        self._given = 0

    def read(self, size: int = _BLOCK) -> bytes:
        """The next block, as a file's ``read`` that gives less than was asked for; it may be a part of a block."""
        if self._at >= len(self._held):
            self._held, self._at = self._next(), 0
        block = self._held[self._at : self._at + min(size, _BLOCK)]
        self._at += len(block)
        self._given += len(block)
        self._last = block or self._last
        return block

    def finish(self, part: Part) -> None:
        """Read what is left. Raises BrokenShard where it is more than padding, or end mark or digest are wrong."""
        rest, has_content = len(self._held) - self._at, bool(self._held[self._at :].strip(b"\0"))
        while block := self._next():
            rest += len(block)
            has_content = has_content or bool(block.strip(b"\0"))
        if rest and (has_content or self._last.strip(b"\0")):
            at = self._given - len(self._last)
            raise BrokenShard(DAMAGED, f"the header at byte {at:,} is damaged, and all after it is lost")
        if not rest:
            raise BrokenShard(CUT, f"the file ends at byte {self._given:,} without the end mark of a tar")
        if part.sha256 not in (None, self._digest.hexdigest()):
            raise BrokenShard(DAMAGED, "its content is not that of its digest")

    def _next(self) -> bytes:
        block = self._stream.read(BLOCK_BYTES)
        self._digest.update(block)
        return block


@dataclass
class ShardReader:
    """Reads shards of ``pefomed shard``, or by ``keys`` those of others."""

    dataset: str
    settings: ShardReading
    keys: Keys | None = None
    skips_damage: bool = False
    """Leave out what cannot be read, counted, in place of an error."""

    def read(self, part: Part, left_out: LeftOut) -> Iterator[tuple[Sample, list[bytes], str]]:
        """Samples in the order of the shard, their encoded images, and words that name these.

        A connection that breaks is tried again, and goes on behind the sample given last.

        Raises:
            DataError: the server is gone, or the shard is damaged where that is an error.
        """
        given, wait_s = 0, _WAIT_S
        for attempt in range(self.settings.retries + 1):
            told: LeftOut = []
            try:
                for number, found in enumerate(self._samples(part, told)):
                    if number >= given:
                        given = number + 1
                        yield found
                break
            except TransportError as error:
                if attempt == self.settings.retries:
                    raise DataError(
                        f"{part.shown}: asked {attempt + 1} times; {error}; run again when the server answers"
                    ) from error
                time.sleep(wait_s)
                wait_s *= 2
            except BrokenShard as error:
                if not self.skips_damage:
                    skip = ", or set options.damaged=skip to leave the rest out, counted" if self.keys else ""
                    raise DataError(f"{part.shown}: {error.kind}: {error}; {remedy_of(error.kind)}{skip}") from error
                told.append((str(error), error.kind))
                break
        left_out += told

    def _samples(self, part: Part, left_out: LeftOut) -> Iterator[tuple[Sample, list[bytes], str]]:
        from webdataset.tariterators import group_by_keys, tar_file_expander  # late: heavy

        count = 0
        with open_shard(part.address, self.settings.timeout_s) as stream:
            watched = _Watched(stream)
            files = tar_file_expander(
                [{"url": part.address, "stream": watched}], select_files=self._selector(left_out), handler=_say_what
            )
            for members in group_by_keys((file for file in files if file), handler=_say_what):
                count += 1
                try:
                    found = self._sample(part, members, left_out)
                except BrokenShard:
                    watched.finish(part)  # a cut is the reason, where there is one
                    raise
                if found is not None:
                    yield found
            watched.finish(part)
        if part.samples not in (None, count):
            raise BrokenShard(DAMAGED, f"it holds {count:,} samples, and the index says {part.samples:,}")

    def _selector(self, left_out: LeftOut) -> Callable[[str], bool]:
        seen: set[tuple[str, str]] = set()

        def select(name: str) -> bool:
            parts = split_name(name)
            if leads_out(name):
                if not self.skips_damage:
                    raise BrokenShard(LEADS_OUT, name)
                left_out.append((name, LEADS_OUT))
            elif parts is None:
                left_out.append((name, NO_ENDING))
            elif parts in seen:
                raise BrokenShard(DAMAGED, f"{name} occurs twice")
            else:
                seen.add(parts)
                return True
            return False

        return select

    def _sample(
        self, part: Part, members: Mapping[str, Any], left_out: LeftOut
    ) -> tuple[Sample, list[bytes], str] | None:
        key = members["__key__"]
        where = f"{part.shown}, sample {key}"
        if self.keys is None:
            try:
                sample = Sample.from_json(parse_json(members["json"].decode("utf-8")))
                return sample, [members[ending] for ending in image_endings(len(sample.images))], where
            except (KeyError, ValueError, TypeError) as error:
                raise BrokenShard(DAMAGED, f"{key} is not a sample ({one_line(error)})") from error
        ending = self.keys.image_in(members)
        release = Release(self.dataset, "stream", image_root=_NOWHERE)
        try:
            add_sample(release, part.name, key, members, ending and f"{key}.{ending}", part.split, self.keys)
        except UnusableText as error:
            if not self.skips_damage:
                raise BrokenShard(DAMAGED, f"{key}: {error}") from error
            left_out.append((key, "text that cannot be read"))
            return None
        if release.problems:
            raise BrokenShard(DAMAGED, release.problems[0])
        left_out += [(key, skip.reason) for skip in release.skips]
        return (release.samples[0], [members[ending or ""]], where) if release.samples else None


def _say_what(error: Exception) -> bool:
    """webdataset's way to hand on an error: what broke off and what is damaged are told apart."""
    if isinstance(error, (TransportError, BrokenShard)):
        raise error
    if isinstance(error, tarfile.TarError):
        if "unexpected end" in str(error):
            raise BrokenShard(CUT, "it ends within a member") from error
        raise BrokenShard(DAMAGED, "it is not a tar file") from error
    raise error
