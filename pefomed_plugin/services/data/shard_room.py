"""The bound of the shards kept on this disk: what was used longest ago goes first, never what a run uses now."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from ...config.datasets import ShardReading
from ...errors import ConfigError
from ..console import say
from ..parallel import lock, locked
from .shard_sources import ShardSource

LOCK = ".lock"
"""In each folder, and in the one around them: held by who changes what lies there."""
_USED = ".used"
"""In each folder: locked by the runs that use it, its time is that of the last use."""
_in_use: list[IO[Any]] = []


def check_bound(needed: int, source: ShardSource, settings: ShardReading) -> None:
    """Raises ConfigError where shards of ``needed`` bytes would never fit."""
    if needed > settings.cache_gb * 1e9:
        raise ConfigError(
            f"{source.shown}: its shards take {needed / 1e9:,.2f} GB or more, and shards.cache_gb is "
            f"{settings.cache_gb:g}; raise it, name fewer shards, or read them as a stream (shards.stream: true)"
        )


def make_room(folder: Path, coming: int, settings: ShardReading) -> None:
    """Delete shards of other folders, those used longest ago first, until ``coming`` bytes fit below the bound.

    Raises:
        ConfigError: other runs use them.
    """
    root, bound = folder.parent, settings.cache_gb * 1e9
    with locked(root / LOCK):
        sizes = {path: path.stat().st_size for path in root.glob("*/*.tar")}
        total = sum(sizes.values()) + coming
        others = sorted({path.parent for path in sizes} - {folder}, key=_last_used, reverse=True)
        while total > bound and others:
            total -= _empty(others.pop(), sizes)
        if total > bound:
            raise ConfigError(
                f"{root} would hold {total / 1e9:,.2f} GB, and shards.cache_gb is {settings.cache_gb:g}; other runs "
                "use what is in it: raise shards.cache_gb, or name another shards.cache"
            )


def _last_used(folder: Path) -> float:
    used = folder / _USED
    return used.stat().st_mtime if used.is_file() else 0.0


def _empty(folder: Path, sizes: Mapping[Path, int]) -> int:
    """Delete the shards of a folder that no run uses; the bytes that this frees."""
    with open(folder / _USED, "a") as file:
        try:
            lock(file, folder / _USED, "clear the cache while no run uses it", wait=False)
        except BlockingIOError:
            return 0
        own = [path for path in sizes if path.parent == folder]
        for path in own:
            path.unlink(missing_ok=True)
        freed = sum(sizes[path] for path in own)
        say(
            f"shards.cache_gb: {len(own):,} shards ({freed / 1e9:,.2f} GB) of {folder} made room; unused since "
            f"{time.strftime('%Y-%m-%d', time.localtime(_last_used(folder)))}"
        )
        return freed


def hold(folder: Path) -> None:
    """Keep others from emptying the folder for as long as this process lives."""
    file = open(folder / _USED, "a")  # noqa: SIM115  (held on purpose)
    lock(file, folder / _USED, "start only one run at a time", shared=True)
    os.utime(folder / _USED)
    _in_use.append(file)
