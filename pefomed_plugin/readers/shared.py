"""A folder that ``pefomed share --to huggingface`` wrote: parquet files with samples and images, and a manifest.

What its columns are stands here once; ``sharing`` writes them. Other projects' parquet copies are read by the data
sets' own layouts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError, one_line
from ..json_fields import wrong_fields
from ..json_text import parse_json
from ..records import SPLITS, Sample
from ..storage import SCHEMA
from .layouts import Release
from .prepared import MANIFEST, split_file
from .tables import read_parquet
from .textfiles import read_json_object

KIND = "shared data set"
HUB_SPLITS = {"train": "train", "val": "validation", "test": "test"}
"""Split -> what the Hugging Face hub calls it."""
ONE, SEVERAL = "image", "images"
"""The column of images: one a row, or a list."""
TEXT, TEXTS = "string", "strings"
"""Kinds of the other columns."""
_TEXTS = ("task", "question", "answer", "answer_type", "question_type", "organ", "phrase_type", "dataset", "metadata")
_KINDS = {
    "dataset": "str",
    "layout": "str",
    "images": "str",
    "files": "Mapping[str, Mapping[str, Any]]",
    "options": "Mapping",
    "origin": "str",
    "plugin_version": "str",
}


def columns_of(images: str) -> dict[str, str]:
    """Column -> its kind, ``ONE``, ``SEVERAL``, ``TEXT`` or ``TEXTS``, in their order.

    All fields of ``Sample`` but its split, which the file's name says; ``metadata`` is JSON.

    Args:
        images: ``ONE`` or ``SEVERAL``.
    """
    views = {"views": TEXTS} if images == SEVERAL else {}
    return {"id": TEXT, images: images, **views, **dict.fromkeys(_TEXTS, TEXT)}


def is_shared(root: Path) -> bool:
    """Whether ``root`` is such a folder, and not a prepared one or a release."""
    root = Path(root)
    return (
        (root / MANIFEST).is_file()
        and not any((root / split_file(split)).is_file() for split in SPLITS)
        and next((root / "data").glob("*.parquet"), None) is not None
    )


def read_shared(root: Path) -> Release:
    """The samples as they were shared; their images stay in the parquet files.

    Raises:
        DataError: the manifest is of another schema, a file is missing or of another size, or a row is no sample.
    """
    root = Path(root)
    manifest = read_shared_manifest(root)
    release = Release(manifest["dataset"], manifest["layout"], root)
    missing = [problem for name, file in manifest["files"].items() for problem in _changed(root, name, file)]
    if missing:
        raise DataError(f"{root} is not as it was shared; fetch or share it again", missing)
    for name, file in manifest["files"].items():
        release.files.append(root / name)
        for number, row in enumerate(_rows(root / name, manifest["images"])):
            where = f"{name}, row {number}"
            try:
                sample = _sample(row, f"{name}#{number}", file["split"])
            except (ValueError, TypeError, KeyError) as error:
                release.problems.append(f"{where}: {one_line(error)}; fetch or share it again")
            else:
                release.add(sample, where)
    return release.finish()


def read_shared_manifest(root: Path) -> dict[str, Any]:
    """What is known of a shared folder: data set, layout, options, files.

    Raises:
        DataError: no manifest, or one of another schema.
    """
    path = Path(root) / MANIFEST
    what = "the manifest of a shared data set; share it again"
    manifest = read_json_object(path, {"schema": "int", "kind": "str"}, what=what)
    if manifest["kind"] != KIND or manifest["schema"] != SCHEMA:
        raise DataError(f"{path} is not {what}")
    problems = wrong_fields(manifest, _KINDS, _KINDS)
    if not problems and manifest["images"] not in (ONE, SEVERAL):
        problems = [f"images: {ONE} or {SEVERAL} expected"]
    if problems:
        raise DataError(f"{path} is not {what}", [f"{path}: {problem}" for problem in problems])
    return manifest


def _changed(root: Path, name: str, file: Mapping[str, Any]) -> Iterator[str]:
    path = root / name
    if Path(name).parent != Path("data") or not path.is_file():
        yield f"{path}: not there"
    elif path.stat().st_size != file.get("bytes"):
        yield f"{path}: {path.stat().st_size:,} bytes, the manifest says {file.get('bytes')}"
    elif file.get("split") not in SPLITS:
        yield f"{path}: the manifest says no split"


def _rows(path: Path, images: str) -> Iterator[dict[str, Any]]:
    """Without the images; how many there are is known by the names inside them."""
    columns = [name for name in columns_of(images) if name != images]
    counts = _image_counts(path) if images == SEVERAL else None
    for number, row in enumerate(read_parquet(path, columns)):
        yield {**row, SEVERAL: None if counts is None else counts[number]}


def _image_counts(path: Path) -> list[int]:
    """Images of each row, without reading them."""
    from pyarrow import parquet  # late: optional

    with parquet.ParquetFile(path) as file:
        return [
            len(row[SEVERAL])
            for batch in file.iter_batches(columns=[f"{SEVERAL}.list.element.path"])
            for row in batch.to_pylist()
        ]


def _sample(row: Mapping[str, Any], place: str, split: str) -> Sample:
    count = row[SEVERAL]
    images = [place] if count is None else [f"{place}:{SEVERAL}:{number}" for number in range(count)]
    fields = {name: row[name] for name in ("id", *_TEXTS) if name != "metadata"}
    metadata = parse_json(row["metadata"].encode()) if row["metadata"] else {}
    views = {"views": row["views"]} if row.get("views") else {}
    return Sample.from_json({**fields, "split": split, SEVERAL: images, "metadata": metadata, **views})
