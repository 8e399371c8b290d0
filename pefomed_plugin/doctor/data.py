"""Is a data set where a run looks for it, recognised by its layout, with any image at all?

Reads no samples and opens no image: ``pefomed prepare`` does.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigError, DataError, PefomedError
from ..readers import DATASETS
from ..readers.layouts import recognise
from ..readers.medical_shards import DATASET as BY_OTHERS
from ..readers.prepared import SHARD_INDEX, is_prepared, read_manifest, scheme_of
from ..readers.shared import is_shared, read_shared_manifest
from ..services.console import quote_words
from ..services.data.shard_index import read_shard_index
from ..services.data.shard_sources import read_storage
from ..services.data.shard_transport import check_transport
from ..services.images.image_folder import may_hold_images
from .findings import ERROR, OK, Finding, from_error


def check_data(name: str, storage: str, images: str | None = None) -> list[Finding]:
    """One data set: shards, a prepared folder, or a release in one of the layouts its reader knows."""
    what, root = "data set " + name, Path(storage)
    try:
        spec = DATASETS.find(name)
    except PefomedError as error:
        return from_error("data", what, error, "docs/extending.md")
    if images and not Path(images).is_dir():
        return [Finding("data", what, ERROR, f"build_info.images: no folder {images}", spec.page)]
    try:
        source = read_storage(storage)
        if source is not None and source.is_remote:
            check_transport(scheme_of(storage))
    except ConfigError as error:
        return from_error("data", what, error, "docs/shards.md")
    if source is not None and source.is_remote:
        return [
            Finding("data", what, OK, f"{source.shown}: shards that a run fetches when it starts; not asked for now")
        ]
    if source is not None and (name != BY_OTHERS or (Path(source.base) / SHARD_INDEX).is_file()):
        return _check_shards(what, Path(source.base), source.names)
    if source is not None:
        root = Path(source.base)
    if root.is_dir() and not os.access(root, os.R_OK | os.X_OK):
        return [Finding("data", what, ERROR, f"{root} may not be read by you", f"chmod -R u+rX {root}")]
    try:
        if is_prepared(root):
            return [_check_prepared(name, root, images, spec.page)]
        if is_shared(root):
            return [_check_shared(name, root)]
        layout = recognise(name, spec.layouts, root).name
    except DataError as error:
        where = "" if len(error.problems) < 2 else f" (one of: {'; '.join(error.problems)})"
        return [Finding("data", what, ERROR, error.summary + where, spec.page)]
    # A reader of another package may keep its images anywhere.
    searched = Path(images) if images else root if name in DATASETS.own else None
    if searched and not may_hold_images(searched):
        return [_no_image(name, searched, spec.page)]
    return [Finding("data", what, OK, f"{root}: {layout} layout")]


def _no_image(name: str, folder: Path, page: str) -> Finding:
    remedy = f"fetch or unpack the images ({page}), or --options datasets.{name}.build_info.images=FOLDER"
    return Finding("data", "data set " + name, ERROR, f"not one image is below {folder}", remedy)


def _check_shared(name: str, root: Path) -> Finding:
    manifest = read_shared_manifest(root)
    if manifest["dataset"] != name:
        remedy = f"name the folder of {name}: datasets.{name}.build_info.storage"
        return Finding("data", "data set " + name, ERROR, f"{root} was shared from {manifest['dataset']}", remedy)
    return Finding("data", "data set " + name, OK, f"{root}: shared, {len(manifest['files'])} parquet file(s)")


def _check_prepared(name: str, root: Path, images: str | None, page: str) -> Finding:
    what, manifest = "data set " + name, read_manifest(root)
    if manifest["dataset"] != name:
        return Finding(
            "data",
            what,
            ERROR,
            f"{root} was prepared from {manifest['dataset']}",
            quote_words(["pefomed", "prepare", name, "--source", "FOLDER", "--out", root]),
        )
    if not images and not Path(manifest["image_root"]).is_dir():
        return Finding(
            "data",
            what,
            ERROR,
            f"{root} was prepared from images in {manifest['image_root']}, which is gone",
            f"--options datasets.{name}.build_info.images=FOLDER",
        )
    searched = Path(images or manifest["image_root"])
    if not may_hold_images(searched):
        return _no_image(name, searched, page)
    return Finding("data", what, OK, f"{root}: prepared, {manifest['layout']} layout")


def _check_shards(what: str, folder: Path, files: Sequence[str] | None) -> list[Finding]:
    remedy = quote_words(["pefomed", "shard", "PREPARED", "--out", folder])
    try:
        shards = read_shard_index(folder, files)
    except DataError as error:
        return from_error("data", what, error, remedy)
    missing = [shard.file for shard in shards if not (folder / shard.file).is_file()]
    if missing:
        return [
            Finding(
                "data",
                what,
                ERROR,
                f"{folder}: {len(missing)} of {len(shards)} shards are missing, {missing[0]} the first",
                remedy,
            )
        ]
    return [
        Finding("data", what, OK, f"{folder}: {len(shards)} shards, {sum(shard.samples for shard in shards):,} samples")
    ]
