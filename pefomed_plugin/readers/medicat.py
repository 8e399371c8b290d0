"""MedICaT (Subramanian et al. 2020; github allenai/medicat).

One JSON line per figure, no id and no split: the paper trains on all of it. The key is the image's file name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .captions import add_caption
from .expectations import WARNING, Expectation, distinct, metadata_of, rows_read
from .layouts import Layout, Release, find, require
from .spec import PUBLIC, DatasetSpec, Option
from .textfiles import read_json_lines

DATASET = "medicat"
_NAME = re.compile(r"[0-9a-f]{40}_\d+-Figure.*\.png")
_REQUIRED = ("pdf_hash", "fig_uri", "s2_caption")
_OTHER_FILES = ("subcaption", "roco_")
"""Beginnings of the release's other JSON-lines files: parts of figures, and in-text mentions of ROCO figures."""


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
        for number, row in read_json_lines(path, release.problems):
            _add(release, f"{path.name}, line {number}", row, radiology_only)
    return release


def _read_above(root: Path, radiology_only: bool) -> Release:
    return _read_release_folder(root / "release", radiology_only)


def _add(release: Release, where: str, row: Any, radiology_only: bool) -> None:
    if not require(row, _REQUIRED, where, release.problems):
        return
    if radiology_only and row.get("radiology") is not True:
        release.skip(where, "not radiology")
        return
    caption = row["s2_caption"] or row.get("s2orc_caption")
    if not caption:
        release.skip(where, "no caption")
        return
    if not isinstance(row["pdf_hash"], str) or not isinstance(row["fig_uri"], str):
        release.problems.append(f"{where}: pdf_hash and fig_uri are not both texts; compare with the original release")
        return
    key = f"{row['pdf_hash']}_{row['fig_uri']}"
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


def _names_fit(release: Release) -> bool:
    names = [image.rpartition("/")[2] for sample in release.samples for image in sample.images]
    return sum(bool(_NAME.fullmatch(name)) for name in names) >= 0.99 * len(names)


MEDICAT = DatasetSpec(
    DATASET,
    "MedICaT",
    layouts=(
        Layout("release", ("release/*.jsonl",), _read_above),
        Layout("release (the folder itself)", ("*.jsonl",), _read_release_folder, unless=("release/*.jsonl",)),
    ),
    tasks=("caption",),
    options=(
        Option("radiology_only", False, help="leave out what the release's classifier did not take for radiology"),
    ),
    stage=1,
    splits={"train": 217_060},
    expectations=(
        Expectation("figures, skipped ones too", WARNING, (217_060,), rows_read),
        Expectation(
            "articles",
            WARNING,
            (131_410,),
            lambda release: sum(distinct(metadata_of("study"))(release)),
            lambda release: not release.skips,
        ),
        Expectation("99 % named <40 hex>_<n>-Figure<m>.png", WARNING, (True,), _names_fit, full=False),
    ),
    audience=PUBLIC,
    licence="non-commercial research; each figure under its article's licence",
    passing_on="Non-commercial research only.",
    citation="Subramanian et al., MedICaT: A Dataset of Medical Images, Captions, and Textual References, Findings of "
    "EMNLP 2020",
    url="https://github.com/allenai/medicat",
    quirks=("No split: all of it is train.", "Not all figures are radiology; captions keep `Figure 1.`"),
    specialty="radiology",
    languages=lambda options: ("en",),
    sample_writer="pefomed_plugin.embedded.releases_caption:write_medicat",
    page="docs/data/medicat.md",
)
"""The folder is ``release`` or the one above it."""
