"""ROCOv2 (2023, zenodo 8333645) and the parquet copies of ROCO and ROCOv2. Text only; belongs to ``roco``.

Both have radiology figures only. ROCOv2 is not used in the paper.
"""

import re
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Sequence, Tuple

from .captions import add_caption
from .layouts import Release, find, inside
from .tables import read_csv, read_parquet

_DATASET = "roco"
_SPLITS = {"train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test"}


def read_zenodo(root: Path, kind: str) -> Release:
    """``{train,valid,test}_captions.csv`` (``ID,Caption``), images ``<split>/<ID>.jpg``."""
    release = Release(_DATASET, "ROCOv2 Zenodo", root)
    _radiology_only(release, kind)
    licences = {key: {"licence": row["Attribution"].strip(), "study": row["PMCID"].strip()}
                for key, row in _by_id(release, "license_information.csv", ("ID", "PMCID", "Attribution"))}
    for folder in ("train", "valid", "test"):
        concepts = {key: [each.strip() for each in row["CUIs"].split(";") if each.strip()]
                    for key, row in _by_id(release, folder + "_concepts.csv", ("ID", "CUIs"))}
        path = root / (folder + "_captions.csv")
        if not path.is_file():
            continue
        release.files.append(path)
        for number, row in read_csv(path, ("ID", "Caption"), release.problems):
            key = row["ID"].strip()
            metadata: Dict[str, Any] = {"source_id": key, "kind": "radiology", **licences.get(key, {})}
            if key in concepts:
                metadata["cuis"] = concepts[key]
            add_caption(release, "{}, line {}".format(path.name, number), key, _SPLITS[folder],
                        "{}/{}.jpg".format(folder, key), row["Caption"], metadata)
    return release


def read_parquet_copy(root: Path, kind: str) -> Release:
    """Hugging Face copies: ``image, image_id, caption`` and, for ROCOv2, ``cui``; the image is ``file.parquet#row``."""
    release = Release(_DATASET, "ROCO parquet", root)
    _radiology_only(release, kind)
    for path in find(root, "{data/,}*.parquet"):
        below = path.relative_to(root).as_posix()
        split = _split_of(path.name)
        if split is None:
            release.problems.append("{}: no split in the file's name; rename it, for example train-{}"
                                    .format(below, path.name))
            continue
        if inside(root, below) is None:
            release.problems.append("{}: links to a file outside {}; copy the file itself".format(below, root))
            continue
        release.files.append(path)
        for number, row in enumerate(read_parquet(path, ("image_id", "caption"), optional=("cui",))):
            metadata: Dict[str, Any] = {"source_id": row["image_id"], "kind": "radiology"}
            if "cui" in row:
                release.layout = "ROCOv2 parquet"
                metadata["cuis"] = row["cui"] or []
            image = "{}#{}".format(below, number)
            add_caption(release, image, str(row["image_id"]), split, image, str(row["caption"] or ""), metadata)
    return release


def _radiology_only(release: Release, kind: str) -> None:
    if kind == "non-radiology":
        release.problems.append("{} has no non-radiology figures; choose kind radiology".format(release.layout))


def _split_of(name: str) -> Optional[str]:
    """``train-00000-of-00013.parquet`` -> ``train``."""
    word = re.match(r"[a-z]+", name)
    return _SPLITS.get(word[0]) if word else None


def _by_id(release: Release, name: str, columns: Sequence[str]) -> Iterator[Tuple[str, Dict[str, str]]]:
    """Rows of a CSV that a copy may lack, each with its ID."""
    path = release.image_root / name
    if path.is_file():
        release.files.append(path)
        for _, row in read_csv(path, columns, release.problems):
            yield row["ID"].strip(), row
