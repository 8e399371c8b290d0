"""Whether a data set is where a run looks for it, recognised by its layout. Reads no samples; ``pefomed prepare`` does.
"""

import os
import sys
from pathlib import Path
from typing import List, Optional

from ..errors import DataError, PluginError
from ..readers import READERS
from ..readers.layouts import recognise
from ..readers.prepared import is_prepared, read_manifest
from ..services.data.shard_files import find_shards
from .findings import ERROR, OK, Finding, from_error


def check_data(name: str, storage: str, images: Optional[str] = None) -> List[Finding]:
    """One data set: shards, a prepared folder, or a release in one of the layouts its reader knows."""
    what, root = "data set " + name, Path(storage)
    page = "docs/own-data.md" if name == "medical_custom" else "docs/data/{}.md".format(name)
    if images and not Path(images).is_dir():
        return [Finding("data", what, ERROR, "build_info.images: no folder {}".format(images), page)]
    shards = find_shards(storage)
    if shards is not None:
        return _check_shards(what, *shards)
    if root.is_dir() and not os.access(root, os.R_OK | os.X_OK):
        return [Finding("data", what, ERROR, "{} may not be read by you".format(root),
                        "chmod -R u+rX {}".format(root))]
    try:
        if is_prepared(root):
            return [_check_prepared(name, root, images)]
        layouts = getattr(sys.modules[READERS[name].__module__], "LAYOUTS", ())
        layout = "its own" if not layouts and root.is_dir() else recognise(name, layouts, root).name
    except PluginError as error:
        return from_error("data", what, error, "docs/extending.md")
    except DataError as error:
        where = "" if len(error.problems) < 2 else " (one of: {})".format("; ".join(error.problems))
        return [Finding("data", what, ERROR, error.summary + where, page)]
    return [Finding("data", what, OK, "{}: {} layout".format(root, layout))]


def _check_prepared(name: str, root: Path, images: Optional[str]) -> Finding:
    what, manifest = "data set " + name, read_manifest(root)
    if manifest["dataset"] != name:
        return Finding("data", what, ERROR, "{} was prepared from {}".format(root, manifest["dataset"]),
                       "pefomed prepare {} --source FOLDER --out {}".format(name, root))
    if not images and not Path(manifest["image_root"]).is_dir():
        return Finding("data", what, ERROR, "{} was prepared from images in {}, which is gone".format(
            root, manifest["image_root"]), "--options datasets.{}.build_info.images=FOLDER".format(name))
    return Finding("data", what, OK, "{}: prepared, {} layout".format(root, manifest["layout"]))


def _check_shards(what: str, folder: Path, files: Optional[List[str]]) -> List[Finding]:
    from ..services.data.shards import read_shard_index

    mend = "pefomed shard PREPARED --out {}".format(folder)
    try:
        shards = read_shard_index(folder, files)
    except DataError as error:
        return from_error("data", what, error, mend)
    missing = [each.file for each in shards if not (folder / each.file).is_file()]
    if missing:
        return [Finding("data", what, ERROR, "{}: {} of {} shards are missing, {} the first".format(
            folder, len(missing), len(shards), missing[0]), mend)]
    return [Finding("data", what, OK, "{}: {} shards, {:,} samples".format(
        folder, len(shards), sum(each.samples for each in shards)))]
