"""A folder that ``pefomed prepare`` wrote: ``manifest.json``, one JSON-lines file per split, ``skipped.jsonl``.

Gives back the release that was prepared.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import Any

from ..digests import file_sha256
from ..errors import DataError
from ..json_fields import fields_of, wrong_fields
from ..records import SPLITS
from ..storage import SCHEMA, read_samples
from .layouts import Release, Skip
from .textfiles import read_json_lines, read_json_object

KIND = "prepared data set"
MANIFEST = "manifest.json"
SKIPPED = "skipped.jsonl"
FINGERPRINTS = "fingerprints.jsonl"
SHARD_INDEX = "index.json"
"""What ``pefomed shard`` writes in place of a manifest."""
_REQUIRED = ("schema", "dataset", "layout", "image_root", "files", "sources")
_KINDS = {
    "dataset": "str",
    "layout": "str",
    "image_root": "str",
    "files": "Mapping[str, str]",
    "sources": "list[Mapping[str, Any]]",
    "options": "Mapping",
    "kept": "Mapping[str, int]",
    "plugin_version": "str",
}
_SCHEME = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]+)://|(pipe):)")


def scheme_of(storage: object) -> str:
    """``https`` of a ``build_info.storage`` that is an address, ``pipe`` of a command; empty for a path."""
    match = _SCHEME.match(str(storage or ""))
    return (match[1] or match[2]).lower() if match else ""


def is_remote(storage: object) -> bool:
    """Whether ``build_info.storage`` names a server or a command, and no path."""
    return bool(scheme_of(storage))


def split_file(split: str) -> str:
    """Name of the file that holds a split."""
    return split + ".jsonl"


def tasks_in(root: Path) -> list[str]:
    """Tasks of a prepared folder's splits, each of one kind: by the first record of each.

    Raises:
        DataError: a file cannot be read.
    """
    files = [path for path in (root / split_file(split) for split in SPLITS) if path.is_file()]
    return sorted({str(row["task"]) for path in files for _, row in islice(read_json_lines(path, []), 1)})


def is_prepared(root: Path) -> bool:
    """Whether ``root`` is such a folder, and not a release."""
    return (Path(root) / MANIFEST).is_file() and any((Path(root) / split_file(split)).is_file() for split in SPLITS)


def read_prepared(root: Path) -> Release:
    """The release as it was prepared: samples, skips, layout.

    Raises:
        DataError: no manifest, one of another schema, or files that changed since they were written.
    """
    root = Path(root)
    manifest = read_manifest(root)
    problems = list(filter(None, (_changed(root, name, digest) for name, digest in manifest["files"].items())))
    if problems:
        raise DataError(f"{root} is not as it was prepared; prepare it again", problems)
    release = Release(
        manifest["dataset"],
        manifest["layout"],
        Path(manifest["image_root"]),
        files=[Path(source["path"]) for source in manifest["sources"]],
    )
    for split in SPLITS:
        if split_file(split) in manifest["files"]:
            release.samples += read_samples(root / split_file(split))
    for number, record in read_json_lines(root / SKIPPED, problems):
        wrong = wrong_fields(record, fields_of(Skip), fields_of(Skip))
        problems += [f"{SKIPPED}, line {number}: {problem}" for problem in wrong]
        release.skips += [] if wrong else [Skip(record["where"], record["reason"])]
    if problems:
        raise DataError(f"{root} is not as it was prepared; prepare it again", problems)
    return release.finish()


def read_manifest(root: Path) -> dict[str, Any]:
    """What is known of a prepared folder: data set, layout, options, files with digests, image policy.

    Raises:
        DataError: no manifest, or one of another schema.
    """
    path = Path(root) / MANIFEST
    if not path.is_file():
        raise DataError(f"{root}: no {MANIFEST}; prepare the data set first, with pefomed prepare")
    what = "the manifest of a prepared data set; prepare it again"
    manifest = read_json_object(path, {"schema": "int", "kind": "str"}, what=what)
    if manifest.get("kind") != KIND:
        raise DataError(f"{path} is not {what}")
    if manifest.get("schema", SCHEMA) != SCHEMA:
        raise DataError(
            f"{path} has schema {manifest.get('schema')}, this version reads {SCHEMA}; prepare the data set again"
        )
    problems = wrong_fields(manifest, _KINDS, _REQUIRED)
    if problems:
        raise DataError(f"{path} is not {what}", [f"{path}: {problem}" for problem in problems])
    return manifest


def _changed(root: Path, name: str, digest: str) -> str | None:
    path = root / name
    if Path(name).name != name or not path.is_file():
        return f"{path}: not there"
    if file_sha256(path) != digest:
        return f"{path}: changed since it was written"
    return None
