"""A folder that ``pefomed prepare`` wrote: ``manifest.json``, one JSON-lines file per split, ``skipped.jsonl``.

Gives back the release that was prepared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..digests import file_sha256
from ..errors import DataError
from ..records import SPLITS
from ..storage import SCHEMA, read_samples
from .layouts import Release, Skip
from .textfiles import read_json, read_json_lines

KIND = "prepared data set"
MANIFEST = "manifest.json"
SKIPPED = "skipped.jsonl"
FINGERPRINTS = "fingerprints.jsonl"
SHARD_INDEX = "index.json"
"""What ``pefomed shard`` writes in place of a manifest."""
_REQUIRED = ("dataset", "layout", "image_root", "files", "sources")


def split_file(split: str) -> str:
    """Name of the file that holds a split."""
    return split + ".jsonl"


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
    release.skips = [Skip(**record) for _, record in read_json_lines(root / SKIPPED)]
    return release.finish()


def read_manifest(root: Path) -> dict[str, Any]:
    """What is known of a prepared folder: data set, layout, options, files with digests, image policy.

    Raises:
        DataError: no manifest, or one of another schema.
    """
    path = Path(root) / MANIFEST
    if not path.is_file():
        raise DataError(f"{root}: no {MANIFEST}; prepare the data set first, with pefomed prepare")
    manifest = read_json(path)
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND or any(key not in manifest for key in _REQUIRED):
        raise DataError(f"{path} is not the manifest of a prepared data set; prepare it again")
    if manifest.get("schema") != SCHEMA:
        raise DataError(
            f"{path} has schema {manifest.get('schema')}, this version reads {SCHEMA}; prepare the data set again"
        )
    return manifest


def _changed(root: Path, name: str, digest: str) -> str | None:
    path = root / name
    if Path(name).name != name or not path.is_file():
        return f"{path}: not there"
    if file_sha256(path) != digest:
        return f"{path}: changed since it was written"
    return None
