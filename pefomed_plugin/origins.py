"""Whether data and model are real or generated, and how folders, predictions and files of every version say so.

What earlier versions wrote, one flag ``embedded`` for data and model together, is understood here and, of the record of
a run, in ``provenance``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .digests import file_sha256
from .json_text import parse_json
from .readers.prepared import MANIFEST, SHARD_INDEX, is_remote
from .readers.textfiles import read_json
from .records import Prediction

GENERATED, REAL, TINY = "generated", "real", "tiny"
"""Origins: data are ``generated`` or ``real``, a model is ``tiny`` or ``real``."""


_MARK = "EMBEDDED"
"""File that the sample generator writes into every folder it makes."""
_MARKS_PARTS = "parts_marked"
"""Key of the mark of a whole sample: each of its data sets carries a mark of its own."""
TEXTS_KEY = "texts"
"""Key of the mark of a part: its files with texts, with their digests."""
_TEXTS = (".json", ".jsonl", ".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".arrow", ".gz", ".tar")
_KEY = "origin"
ORIGIN_KEYS = (_KEY, "embedded")
"""Under which this version and earlier ones say in a file where its figures come from."""


@dataclass(frozen=True)
class Origins:
    """Where the data and the model of an answer, a run or a checkpoint come from."""

    data: Mapping[str, str] = field(default_factory=dict)
    """Data set -> ``GENERATED`` or ``REAL``; without those of which it is not known."""
    model: str = REAL
    """``TINY`` or ``REAL``."""

    def of(self, dataset: str) -> Origins:
        """Of one data set and the model."""
        return Origins({name: origin for name, origin in self.data.items() if name == dataset}, self.model)

    def to_json(self) -> dict[str, Any]:
        """``{"data": {"vqa_rad": "real"}, "model": "tiny"}``: the same in every file."""
        return {"data": dict(self.data), "model": self.model}

    @property
    def words(self) -> str:
        """What of it makes the figures mean nothing, as in ``tiny model, real data (slake)``; else empty."""
        named = [(kind, [name for name, origin in self.data.items() if origin == kind]) for kind in (GENERATED, REAL)]
        shown = [f"{kind} data ({', '.join(names)})" for kind, names in named if names]
        if self.model != TINY:
            return shown[0] if GENERATED in self.data.values() else ""
        return ", ".join(["tiny model", *shown]) if shown else "the tiny model"

    @property
    def notice(self) -> str:
        """``words`` as a warning of one sentence; empty where nothing is generated."""
        return f"Not a result: {self.words}. The figures say nothing about medicine." if self.words else ""


def what_the_tiny_model_is(learnt: Origins) -> str:
    """What whoever asks the tiny model is told; ``learnt``: as its checkpoint has it."""
    real = [name for name, origin in learnt.data.items() if origin == REAL]
    source = learnt.words.partition(", ")[2] if real else "drawings"
    return f"the tiny model, which is generated and has learnt from {source}: what it says means nothing"


def read_origins(content: Mapping[str, Any]) -> Origins:
    """Origins as ``Prediction.producer``, ``metrics.json`` or a checkpoint's ``pefomed`` hold them.

    An earlier version's ``embedded: true`` says that the tiny model answered; whether its data were generated it does
    not say.
    """
    found = content.get(_KEY)
    if isinstance(found, Mapping):
        return Origins(dict(found.get("data") or {}), str(found.get("model") or REAL))
    return Origins({}, TINY if content.get("embedded") else REAL)


def origins_of(predictions: Iterable[Prediction]) -> Origins:
    """Origins of the answers of one or more test sets."""
    data: dict[str, str] = {}
    model, last = REAL, None
    for prediction in predictions:
        if prediction.producer is last:
            continue
        last = prediction.producer
        found = read_origins(prediction.producer)
        data.update(found.data)
        model = TINY if TINY in (model, found.model) else REAL
    return Origins(data, model)


def manifest_origin(manifest: Mapping[str, Any]) -> str:
    """Origin of a prepared data set, by its manifest."""
    return str(manifest.get(_KEY) or (GENERATED if manifest.get("embedded") else REAL))


def mark_generated(folder: Path, content: Mapping[str, Any], *, whole: bool = False) -> None:
    """Mark a folder as made by the sample generator; ``whole``: that of all parts, each of which has its own mark."""
    marked = {**content, **({_MARKS_PARTS: True} if whole else {})}
    (Path(folder) / _MARK).write_text(json.dumps(marked) + "\n", encoding="utf-8")


def read_mark(folder: Path) -> dict[str, Any] | None:
    """What a marked folder was made from; None where the folder itself has no mark."""
    path = Path(folder) / _MARK
    if not path.is_file():
        return None
    try:
        content = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def is_generated(path: Path) -> bool:
    """Whether ``path`` is, or lies within, a folder that the sample generator made.

    A real data set that a user put among the parts of a sample is not.
    """
    start = Path(os.path.abspath(path))
    for folder in (start, *start.parents):
        mark = read_mark(folder)
        if mark is not None:
            return folder == start or _MARKS_PARTS not in mark
    return False


def text_digests(folder: Path) -> dict[str, str]:
    """Path within a folder -> digest of each of its files that holds texts."""
    return {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.name.lower().endswith(_TEXTS) and path.is_file()
    }


def _is_as_generated(folder: Path) -> bool:
    """Whether the texts of a marked folder are still those that were generated: who copies a sample and puts texts of a
    ward into it has data of a ward. Early marks hold no digests, and count.
    """
    start = Path(os.path.abspath(folder))
    marked = next((one for one in (start, *start.parents) if read_mark(one) is not None), start)
    digests = (read_mark(marked) or {}).get(TEXTS_KEY)
    return digests is None or digests == text_digests(marked)


def data_origin(storage: str | Path) -> str:
    """Origin of a release, or of what ``pefomed prepare`` or ``pefomed shard`` wrote, wherever on this disk it lies.

    What is on a server counts as real until it is here.
    """
    if is_remote(storage):
        return REAL
    folder = data_folder(storage)
    for name in (MANIFEST, SHARD_INDEX):
        if (folder / name).is_file():
            content = read_json(folder / name)
            if isinstance(content, dict) and any(key in content for key in ORIGIN_KEYS):
                return manifest_origin(content)
    return GENERATED if is_generated(folder) and _is_as_generated(folder) else REAL


def data_folder(storage: str | Path) -> Path:
    """The folder of ``build_info.storage``, where shards may be named one by one."""
    return Path(storage) if Path(storage).is_dir() else Path(storage).parent


def configured_origins(llama: str | None, storages: Mapping[str, str | None]) -> Origins:
    """Origins of what a configuration names, its references to the environment resolved.

    Args:
        llama: ``model.llama_model``.
        storages: data set -> ``build_info.storage``.
    """
    return Origins(
        {name: data_origin(storage) for name, storage in storages.items() if storage},
        TINY if llama and is_generated(Path(str(llama))) else REAL,
    )
