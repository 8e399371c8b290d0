"""MIMIC-CXR as converted by others: R2Gen's ``annotation.json``, PeFoMed's JSON. Belongs to ``mimic_cxr``.

Both hold one text an image, chosen when they were written, so that the option ``section`` has nothing to choose from.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .captions import add_caption
from .layouts import Release, require
from .textfiles import read_json

_DATASET = "mimic_cxr"
_SPLITS = ("train", "val", "test")
_IMAGE = re.compile(r"p(?P<subject>\d{8})/s(?P<study>\d{8})/(?P<dicom>[^/]+)\.jpg")


def read_r2gen(root: Path, section: str, per: str, **_: Any) -> Release:
    """``{"train": [{id, study_id, subject_id, report, image_path: [path], split}], "val": ..., "test": ...}``."""
    release = _release(root, "R2Gen annotation", section, per)
    path = root / "annotation.json"
    content = read_json(path)
    release.files.append(path)
    for split in _SPLITS:
        records = content.get(split) if isinstance(content, dict) else None
        if not isinstance(records, list):
            release.problems.append(f"annotation.json: no list of records under {split!r}; make the file again")
            continue
        for number, record in enumerate(records):
            where = f"annotation.json, {split} record {number}"
            if require(record, ("id", "report", "image_path"), where, release.problems):
                _add(release, where, split, _first(record["image_path"]), record["report"])
    return release


def read_pefomed(root: Path, section: str, per: str, **_: Any) -> Release:
    """``{train,val,test}.json``: path of an image below ``files`` -> list of texts, the first of which counts."""
    release = _release(root, "PeFoMed JSON", section, per)
    for split in _SPLITS:
        path = root / (split + ".json")
        if not path.is_file():
            continue
        release.files.append(path)
        content = read_json(path)
        if not isinstance(content, dict):
            release.problems.append(
                f"{path.name}: expected image paths with their reports, found {type(content).__name__}"
            )
            continue
        for image, texts in content.items():
            _add(release, f"{path.name}, {image!r}", split, image, _first(texts))
    return release


def _release(root: Path, layout: str, section: str, per: str) -> Release:
    folder = next((name for name in ("files", "images") if (root / name).is_dir()), "")
    release = Release(_DATASET, layout, root / folder)
    if section != "findings":
        release.problems.append(f"{layout}: its texts were chosen when it was written; leave out section={section}")
    if per != "image":
        release.problems.append(f"{layout}: it does not say what its images show; per={per} needs MIMIC-CXR-JPG itself")
    return release


def _add(release: Release, where: str, split: str, image: Any, text: Any) -> None:
    if not isinstance(image, str):
        release.problems.append(f"{where}: image_path holds no path; make the file again")
        return
    match: re.Match | None = _IMAGE.search(image)
    metadata: dict[str, Any] = {"study": match["study"], "subject": match["subject"]} if match else {}
    add_caption(
        release,
        where,
        key=match["dicom"] if match else image,
        split=split,
        image=image,
        caption=text,
        metadata=metadata,
    )


def _first(values: Any) -> Any:
    return values[0] if isinstance(values, list) and values else values
