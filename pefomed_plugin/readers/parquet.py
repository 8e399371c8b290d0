"""Question data sets as parquet copies on Hugging Face: ``data/<split>-00000-of-00003-<hash>.parquet``.

Images stay in the file: a sample names them ``data/<file>.parquet#<row>``, and nothing here decodes a pixel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from .layouts import Release, find, inside
from .tables import read_parquet

_SHARD = re.compile(r"-(\d+)-of-(\d+)")
_LFS_POINTER = b"version https://git-lfs"


def read_shards(
    release: Release, split: str, columns: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pairs of image name and row of one split, shard after shard; ``release.image_root`` is the release folder.

    A missing, doubled or damaged shard, or one without a column of ``columns``, becomes a problem of ``release``;
    columns of ``optional`` are read where they exist.
    """
    shards = find(release.image_root, f"data/{split}-*.parquet")
    release.problems += _missing_shards(split, shards)
    for shard in shards:
        name = "data/" + shard.name
        release.files.append(shard)
        problem = _not_a_file_here(release.image_root, name)
        if problem is not None:
            release.problems.append(problem)
            continue
        try:
            for number, row in enumerate(read_parquet(shard, columns, optional)):
                yield f"{name}#{number}", row
        except DataError as error:
            release.problems.append(str(error))


def _missing_shards(split: str, shards: Sequence[Path]) -> list[str]:
    matches = [_SHARD.search(shard.name) for shard in shards]
    found = sorted(int(match[1]) for match in matches if match)
    expected = max((int(match[2]) for match in matches if match), default=0)
    if found == list(range(expected)):
        return []
    return [
        (
            f"data/{split}-*.parquet: expected {expected} files numbered from 0, found {', '.join(map(str, found))}; "
            "fetch the missing ones and keep a single "
            "revision"
        )
    ]


def _not_a_file_here(root: Path, name: str) -> str | None:
    if inside(root, name) is None:
        return (
            f"{name} is a symbolic link out of {root}; put the file itself there, for example with huggingface-cli "
            "download "
            "--local-dir"
        )
    with open(root / name, "rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            return f"{name} is a Git LFS pointer, not the data; run git lfs pull"
    return None
