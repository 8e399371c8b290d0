"""Shards of a server on this machine's disk: fetched through webdataset's ``gopen``, compared with their digests, kept.

One folder for each place on a server, under its files' own names, so that all that reads local shards reads these. The
folders together stay below a bound: what was used longest ago goes first, never what a run uses now.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import environment
from ...config.datasets import ShardReading
from ...errors import ConfigError, DataError, why
from ...readers.prepared import SHARD_INDEX
from ...readers.tables import read_lines
from ...readers.tars.members import CUT, DAMAGED, read_members
from ...readers.textfiles import read_json
from ...storage import write_json
from ..console import progress, say
from ..parallel import locked, map_in_threads
from .shard_files import CHECKED
from .shard_index import Shard, list_shards
from .shard_room import LOCK, check_bound, hold, make_room
from .shard_sources import PIPE, ShardSource, without_login
from .shard_transport import NoSuchFile, TransportError, open_shard

_AT_ONCE = 4
_WAIT_S = 1.0
"""Before the first repetition; twice as long before each further one."""


@dataclass(frozen=True)
class _Wanted:
    name: str
    address: str
    bytes: int | None = None
    sha256: str | None = None


def cache_root(settings: ShardReading) -> Path:
    """``shards.cache``, else a folder in the user's cache."""
    return Path(settings.cache) if settings.cache else environment.cache_folder() / "shards"


def folder_of(source: ShardSource, settings: ShardReading) -> Path:
    """Where the shards of one place on a server are kept."""
    what = "\n".join(source.addresses) if source.base == PIPE else source.base
    host = "pipe" if source.base == PIPE else without_login(source.base).split("://")[1].split("/")[0].split(":")[0]
    return cache_root(settings) / f"{host}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"


def fetch_index(source: ShardSource, settings: ShardReading) -> Path | None:
    """The folder with the newest ``index.json`` of the server in it; None where the server has none.

    A server that does not answer is no error where an index was fetched before: that one is used, and it is said.

    Raises:
        DataError: the server does not answer.
    """
    folder = folder_of(source, settings)
    if source.base == PIPE or source.addresses:
        return None
    _make(folder)
    with locked(folder / LOCK):
        try:
            _fetch(folder, _Wanted(SHARD_INDEX, source.base + SHARD_INDEX), settings)
        except NoSuchFile:
            return None
        except DataError as error:
            if not (folder / SHARD_INDEX).is_file():
                raise
            say(f"{source.shown}: {error.summary}; going on with the {SHARD_INDEX} that was fetched before")
    return folder


def fetch_shards(source: ShardSource, settings: ShardReading) -> tuple[Path, list[str]]:
    """Have the shards on this disk; the folder and their names.

    Raises:
        ConfigError: they need more than ``shards.cache_gb``, or other runs use what is in the cache.
        DataError: the server does not answer, or what it gives is not what the digests say; all shards in one message.
    """
    folder = folder_of(source, settings)
    _make(folder)
    wanted = _wanted(source, folder, settings)
    needed = sum(one.bytes or 0 for one in wanted)
    check_bound(needed, source, settings)
    hold(folder)
    with locked(folder / LOCK):
        for left in folder.glob("*.part"):
            left.unlink()
        known = _read_checked(folder)
        missing = [one for one in wanted if not _is_here(folder, one, known)]
        here = sum((folder / one.name).stat().st_size for one in wanted if one not in missing)
        if missing:
            _fetch_all(folder, missing, here, source, settings)
        else:
            make_room(folder, 0, settings)
            say(f"{source.shown}: all {len(wanted):,} shards are in {folder}")
    return folder, [one.name for one in wanted]


def _wanted(source: ShardSource, folder: Path, settings: ShardReading) -> list[_Wanted]:
    listed: dict[str, Shard] = {}
    if (folder / SHARD_INDEX).is_file():
        listed = {shard.file: shard for shard in list_shards(folder)}
    digests = read_checksums(settings.checksums) if settings.checksums else {}
    names = list(listed) if source.names is None else list(source.names)
    unknown = [name for name in names if (listed and name not in listed) or (digests and name not in digests)]
    if unknown:
        where = SHARD_INDEX if listed else str(settings.checksums)
        raise DataError(
            f"{source.shown}: shards that {where} does not list; correct build_info.storage",
            [f"{name}: not in {where}" for name in unknown],
        )
    return [
        _Wanted(
            name,
            source.address(name),
            listed[name].bytes if name in listed else None,
            listed[name].sha256 if name in listed else digests.get(name),
        )
        for name in names
    ]


def read_checksums(path: str) -> dict[str, str]:
    """File name -> SHA-256 of a file as ``sha256sum`` writes it.

    Raises:
        DataError: the file cannot be read, or a line is none of a digest and a name.
    """
    found, odd = {}, []
    for number, line in read_lines(Path(path)):
        digest, _, name = line.strip().partition(" ")
        if len(digest) == 64 and name:
            found[name.strip().lstrip("*").rpartition("/")[2]] = digest.lower()
        elif line.strip():
            odd.append(f"line {number}: {line.strip()[:80]}")
    if odd:
        raise DataError(f"{path}: expected lines of sha256sum, a digest and a file name", odd)
    return found


def _fetch_all(
    folder: Path, missing: Sequence[_Wanted], here: int, source: ShardSource, settings: ShardReading
) -> None:
    problems: list[str] = []
    so_far = here

    def fetch(one: _Wanted) -> str:
        try:
            _fetch(folder, one, settings)
        except DataError as error:
            return error.summary
        return ""

    make_room(folder, sum(one.bytes or 0 for one in missing), settings)
    kept: set[str] = set()
    results = map_in_threads(fetch, missing, _AT_ONCE)
    with progress(f"fetching shards from {source.shown}", len(missing)) as advance:
        try:
            for one, problem in zip(missing, results):
                if problem:
                    problems.append(problem)
                    if len(problems) >= _AT_ONCE:  # the server is gone: not all others too, each with its repetitions
                        break
                    continue
                so_far += (folder / one.name).stat().st_size
                check_bound(so_far, source, settings)
                make_room(folder, 0, settings)
                kept.add(one.name)
                advance(1)
        except ConfigError:  # of shards without an index the sizes are not known before
            results.close()
            for one in missing:
                if one.name not in kept:
                    (folder / one.name).unlink(missing_ok=True)
            raise
    if problems:
        more = "" if len(problems) < _AT_ONCE else "; the others were not asked for"
        raise DataError(
            f"{source.shown}: {len(problems)} of {len(missing)} shards cannot be fetched{more}. What was fetched is "
            "kept: run again when the server answers",
            problems,
        )


def _fetch(folder: Path, one: _Wanted, settings: ShardReading) -> None:
    """One file into the folder, whole and with the right content.

    Raises:
        NoSuchFile: the server has no index.
        DataError: it cannot be fetched, or it is not what its digest says.
    """
    part, wait_s, said = folder / (one.name + ".part"), _WAIT_S, ""
    shown = without_login(one.address)
    for attempt in range(settings.retries + 1):
        if attempt:
            time.sleep(wait_s)
            wait_s *= 2
        try:
            size, digest = _download(one.address, part, settings.timeout_s)
        except TransportError as error:
            said = str(error)
            if one.name == SHARD_INDEX and isinstance(error, NoSuchFile):
                raise
            continue
        except OSError as error:
            raise DataError(f"{shown}: cannot be written to {folder} ({why(error)})") from error
        if size and one.sha256 in (None, digest):
            broken = _broken(part) if one.sha256 is None and one.name != SHARD_INDEX else ""
            if broken and attempt < settings.retries:
                continue
            os.replace(part, folder / one.name)
            if broken:  # so it lies on the server: who reads it says so, and the next run asks for it again
                say(f"{shown}: {broken}, asked {settings.retries + 1} times")
            elif one.name != SHARD_INDEX:
                _remember(folder, one.name, size, digest)
            return
        part.unlink(missing_ok=True)
        said = f"{size:,} bytes came, which are not those of its digest" if size else "nothing came"
    times = f"asked {settings.retries + 1} times; " if settings.retries else ""
    raise DataError(f"{shown}: {times}{said}")


def _broken(path: Path) -> str:
    """What is wrong with a tar as a whole, if anything."""
    return "; ".join(what for kind, what in read_members(path).faults if kind in (CUT, DAMAGED))


def _download(address: str, part: Path, timeout_s: float) -> tuple[int, str]:
    """Bytes and SHA-256 of what came; where it broke off, nothing is left."""
    digest, size = hashlib.sha256(), 0
    try:
        with open(part, "wb") as file, open_shard(address, timeout_s) as stream:
            while block := stream.read():
                digest.update(block)
                size += len(block)
                file.write(block)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return size, digest.hexdigest()


def _remember(folder: Path, name: str, size: int, sha256: str) -> None:
    with locked(folder / ".checking"):
        stamp = [size, (folder / name).stat().st_mtime_ns, sha256]
        write_json(folder / CHECKED, {**_read_checked(folder), name: stamp})


def _read_checked(folder: Path) -> dict[str, Any]:
    known = read_json(folder / CHECKED) if (folder / CHECKED).is_file() else {}
    return known if isinstance(known, dict) else {}


def _is_here(folder: Path, one: _Wanted, known: Mapping[str, Any]) -> bool:
    """Whether the file is as it was when its content was compared, and that content is still the wanted one."""
    path = folder / one.name
    if not path.is_file():
        return False
    state = path.stat()
    stamp = known.get(one.name) or [None, None, None]
    return stamp[:2] == [state.st_size, state.st_mtime_ns] and one.sha256 in (None, stamp[2])


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"shards.cache: cannot make {folder}: {why(error)}") from error
