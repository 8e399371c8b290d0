"""``index.json`` beside tar shards: which there are, of what, and whether all are; names of files and members."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError, quoted
from ...json_fields import fields_of, wrong_fields
from ...readers.prepared import SHARD_INDEX
from ...readers.textfiles import read_json_object
from ...storage import write_json

_FILE = re.compile(r"[\w.-]+\.tar")
"""A shard's name: of the folder or server that the index is of, and never a path, an address or a command."""


@dataclass(frozen=True)
class Shard:
    """One finished tar file."""

    file: str
    """Name within the folder: ``train-000003.tar``."""
    split: str
    samples: int
    bytes: int
    sha256: str


def read_shard_index(folder: Path, files: Collection[str] | None = None) -> list[Shard]:
    """The shards of a folder, in order.

    Args:
        files: names of those that are wanted; None for all.

    Raises:
        DataError: no index, an unfinished one, or a shard that is missing or of another size.
    """
    shards = [shard for shard in list_shards(folder) if files is None or shard.file in files]
    problems = [problem for problem in (problem_of(Path(folder), shard) for shard in shards) if problem]
    if problems:
        raise DataError(f"{folder} lacks shards; run pefomed shard again", problems)
    return shards


def list_shards(folder: Path) -> list[Shard]:
    """What the index of a folder lists, whether or not it is there.

    Raises:
        DataError: no index, an unfinished one, or one that names anything but files beside it.
    """
    content = read_index(Path(folder))
    if not content["complete"]:
        raise DataError(f"{folder} is unfinished; run pefomed shard again, it goes on where it was")
    return [Shard(**shard) for shard in content["shards"]]


def read_image_size(folder: Path) -> int:
    """Side of the square images in the shards of a folder, in pixels. Raises DataError where there is no index."""
    return int(read_index(Path(folder))["plan"]["image_size_px"])


def read_most_images(folder: Path) -> int:
    """Images of the sample that has most, over all shards of a folder. Raises DataError where there is no index."""
    return int(read_index(Path(folder)).get("most_images") or 1)


def brace_notation(folder: Path, shards: Sequence[Shard], split: str) -> str:
    """One string for all shards of a split, as ``build_info.storage`` has it: ``.../train-{000000..000003}.tar``.

    Raises:
        DataError: the split has none.
    """
    numbers = sorted(shard.file[len(split) + 1 : -len(".tar")] for shard in shards if shard.split == split)
    if not numbers:
        raise DataError(f"{folder} holds no {split} shards")
    return str(Path(folder) / f"{split}-{{{numbers[0]}..{numbers[-1]}}}.tar")


def image_endings(images: int) -> tuple[str, ...]:
    """What the image members of a sample end with: ``png``, or ``0.png``, ``1.png``, ... of several."""
    return ("png",) if images == 1 else tuple(f"{number}.png" for number in range(images))


def write_index(
    out: Path, plan: Mapping[str, Any], source: Mapping[str, Any], shards: Sequence[Shard], total: int
) -> None:
    """Note what is finished of ``total`` samples, made as ``plan`` says of what ``source`` says."""
    write_json(
        out / SHARD_INDEX,
        {
            "complete": sum(shard.samples for shard in shards) == total,
            **source,
            "plan": plan,
            "shards": [asdict(shard) for shard in shards],
        },
    )


def read_index(folder: Path) -> dict[str, Any]:
    """All that an index says. Raises DataError where there is none, or one that is damaged or leads elsewhere."""
    path, what = folder / SHARD_INDEX, "an index of shards; delete the folder and run again"
    kinds = {
        "complete": "bool",
        "plan": "Mapping",
        "shards": "list[Mapping]",
        "image_root": "str | None",
        "most_images": "int",
    }
    content = read_json_object(path, kinds, ("complete", "plan", "shards"), what=what)
    known = fields_of(Shard)
    problems = [
        f"{path}: shard {number}: {problem}"
        for number, shard in enumerate(content["shards"])
        for problem in wrong_fields(shard, known, known)
    ]
    if problems:
        raise DataError(f"{path} is not {what}", problems)
    odd = [shard["file"] for shard in content["shards"] if not _FILE.fullmatch(shard["file"])]
    if odd:
        raise DataError(
            f"{path} names what is no file beside it; get the shards from who made them",
            [f"{quoted(file)}: expected letters, digits and -_. with .tar at the end" for file in odd],
        )
    return content


def problem_of(folder: Path, shard: Shard) -> str:
    """Why a shard is not as the index says; empty where it is."""
    path = folder / shard.file
    if not path.is_file():
        return f"{path}: not there"
    size = path.stat().st_size
    return "" if size == shard.bytes else f"{path}: {size:,} bytes, not {shard.bytes:,}"
