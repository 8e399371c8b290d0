"""MedICaT (Subramanian et al. 2020; github allenai/medicat). Text only; knows nothing of torch or pixels.

One JSON line a figure, no id and no split: the paper trains on all of it. The key is the image's file name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .captions import add_caption
from .layouts import Layout, Release, find, read_release, require
from .textfiles import read_json_lines

DATASET = "medicat"
_REQUIRED = ("pdf_hash", "fig_uri", "s2_caption")
_OTHER_FILES = ("subcaption", "roco_")
"""Beginnings of the release's other JSON-lines files: parts of figures, and in-text mentions of ROCO figures."""


def read_medicat(root: Path, radiology_only: bool = False) -> Release:
    """Samples of MedICaT, all in train.

    Args:
        root: the folder ``release`` or the one above it.
        radiology_only: leave out (and count) what the release's classifier did not take for radiology.

    Raises:
        DataError: no layout recognised, or records that cannot be used, all in one message.
    """
    return read_release(DATASET, LAYOUTS, root, {"radiology_only": radiology_only})


def _read_release_folder(root: Path, radiology_only: bool) -> Release:
    """The folder ``release``; its image is ``figures/<pdf_hash>_<fig_uri>``."""
    release = Release(DATASET, "release", root / "figures")
    paths = [path for path in find(root, "*.jsonl") if not path.name.startswith(_OTHER_FILES)]
    if len(paths) != 1:
        release.problems.append(
            f"{root}: expected the one file of figures, found {', '.join(path.name for path in paths) or 'none'}; "
            "move the others away"
        )
    for path in paths[:1]:
        release.files.append(path)
        for number, row in read_json_lines(path):
            _add(release, f"{path.name}, line {number}", row, radiology_only)
    return release


def _read_above(root: Path, radiology_only: bool) -> Release:
    return _read_release_folder(root / "release", radiology_only)


def _add(release: Release, where: str, row: Any, radiology_only: bool) -> None:
    if not isinstance(row, dict):
        release.problems.append(f"{where}: expected an object, found {type(row).__name__}")
        return
    if not require(row, _REQUIRED, where, release.problems):
        return
    if radiology_only and row.get("radiology") is not True:
        release.skip(where, "not radiology")
        return
    caption = row["s2_caption"] or row.get("s2orc_caption")
    if not caption:
        release.skip(where, "no caption")
        return
    key = "{pdf_hash}_{fig_uri}".format(**row)
    add_caption(release, where, key=key, split="train", image=key, caption=caption, metadata=_metadata(row, key))


def _metadata(row: Mapping[str, Any], key: str) -> dict[str, Any]:
    info = row.get("oa_info")
    access = info.get("oa") if isinstance(info, dict) else None
    licence = access.get("license") if isinstance(access, dict) else None
    return {
        "source_id": key,
        "study": row["pdf_hash"],
        "radiology": row.get("radiology"),
        "scope": row.get("scope"),
        "licence": licence,
        "references": row.get("s2orc_references") or [],
    }


LAYOUTS = (
    Layout("release", ("release/*.jsonl",), _read_above),
    Layout("release (the folder itself)", ("*.jsonl",), _read_release_folder, unless=("release/*.jsonl",)),
)
