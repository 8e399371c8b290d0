"""ROCOv2 (2023, zenodo 8333645) and the parquet copies of ROCO and ROCOv2. Text only; belongs to ``roco``.

Both have radiology figures only. ROCOv2 is not used in the paper.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .captions import add_caption
from .layouts import Release, find
from .tables import read_csv, read_shards

_DATASET = "roco"
_SPLITS = {"train": "train", "valid": "val", "test": "test"}


def read_zenodo(root: Path, kind: str) -> Release:
    """``{train,valid,test}_captions.csv`` (``ID,Caption``), images ``<split>/<ID>.jpg``."""
    release = Release(_DATASET, "ROCOv2 Zenodo", root)
    _radiology_only(release, kind)
    licences = {
        key: {"licence": row["Attribution"].strip(), "study": row["PMCID"].strip()}
        for _, key, row in _rows(release, "license_information.csv", ("ID", "PMCID", "Attribution"))
    }
    for folder, split in _SPLITS.items():
        concepts = {
            key: [part.strip() for part in row["CUIs"].split(";") if part.strip()]
            for _, key, row in _rows(release, folder + "_concepts.csv", ("ID", "CUIs"))
        }
        for where, key, row in _rows(release, folder + "_captions.csv", ("ID", "Caption")):
            metadata: dict[str, Any] = {"source_id": key, "kind": "radiology", **licences.get(key, {})}
            if key in concepts:
                metadata["cuis"] = concepts[key]
            add_caption(
                release,
                where,
                key=key,
                split=split,
                image=f"{folder}/{key}.jpg",
                caption=row["Caption"],
                metadata=metadata,
            )
    return release


def read_parquet_copy(root: Path, kind: str) -> Release:
    """Hugging Face copies: ``image, image_id, caption`` and, for ROCOv2, ``cui``."""
    release = Release(_DATASET, "ROCO parquet", root)
    _radiology_only(release, kind)
    for name, split in (("train", "train"), ("validation", "val"), ("test", "test")):
        if not find(root, f"data/{name}-*.parquet"):
            continue
        for image, row in read_shards(release, name, ("image_id", "caption"), optional=("cui",)):
            metadata: dict[str, Any] = {"source_id": row["image_id"], "kind": "radiology"}
            if "cui" in row:
                release.layout = "ROCOv2 parquet"
                metadata["cuis"] = row["cui"] or []
            add_caption(
                release, image, key=row["image_id"], split=split, image=image, caption=row["caption"], metadata=metadata
            )
    return release


def _radiology_only(release: Release, kind: str) -> None:
    if kind == "non-radiology":
        release.problems.append(f"{release.layout} has no non-radiology figures; choose kind radiology")


def _rows(release: Release, name: str, columns: Sequence[str]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Place, ID and row of each line of a CSV that a copy may lack."""
    path = release.image_root / name
    if path.is_file():
        release.files.append(path)
        for number, row in read_csv(path, columns, release.problems):
            yield f"{name}, line {number}", row["ID"].strip(), row
