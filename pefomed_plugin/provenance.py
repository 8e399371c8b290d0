"""Where a run came from: each data set, the model and every weights file, recorded once by the run that used them.

``provenance.json`` beside a result holds a ``RunRecord``. Cards, the page, the comparison and the rating page read it
and ask nothing else. The standard library and text files only; facts that need torch are collected in
``adapters.training.recording``. What earlier versions wrote, one flag ``embedded`` for data and model together, is
understood here and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .errors import ConfigError, DataError, quoted
from .json_fields import fields_of, wrong_fields
from .json_text import parse_json
from .readers.prepared import MANIFEST, SHARD_INDEX, is_remote
from .readers.textfiles import read_json, read_json_object
from .records import Prediction
from .storage import write_json

FILE = "provenance.json"
SCHEMA = 2
"""Of ``provenance.json``. 1 had no image roots, no weights files and one flag ``embedded`` for everything."""

GENERATED, REAL, TINY = "generated", "real", "tiny"
"""Origins: data are ``generated`` or ``real``, a model is ``tiny`` or ``real``."""

_MARK = "EMBEDDED"
"""File that the sample generator writes into every folder it makes."""
_MARKS_PARTS = "parts_marked"
"""Key of the mark of a whole sample: each of its data sets carries a mark of its own."""
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
        """What of it makes the figures mean nothing, as in ``real data (slake) and the tiny model``; else empty."""
        named = [(kind, [name for name, origin in self.data.items() if origin == kind]) for kind in (GENERATED, REAL)]
        shown = [f"{kind} data ({', '.join(names)})" for kind, names in named if names]
        if self.model != TINY:
            return shown[0] if GENERATED in self.data.values() else ""
        return " and ".join([*shown, "the tiny model"])

    @property
    def notice(self) -> str:
        """``words`` as a warning of one sentence; empty where nothing is generated."""
        return f"Not a result: {self.words}. The figures say nothing about medicine." if self.words else ""


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


# -- generated folders -------------------------------------------------------------------------------------------------


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
    return GENERATED if is_generated(folder) else REAL


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


# -- the record of a run -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DataPart:
    """One data set of a run."""

    dataset: str
    """Registry name."""
    origin: str
    """``GENERATED`` or ``REAL``."""
    storage: str | None = None
    """What it was read from: a folder or shards."""
    image_root: str | None = None
    """Folder that ``Sample.images`` are below; of shards, where the images were that are in them."""
    samples: Mapping[str, int] = field(default_factory=dict)
    """Split -> how many."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 by file of the manifest that tells all others, or by split of the samples as they were read."""


@dataclass(frozen=True)
class WeightsFile:
    """One file or folder of weights."""

    path: str
    sha256: str | None
    """Of a folder: over the names and digests of its files."""


@dataclass(frozen=True)
class ModelPart:
    """The model of a run."""

    origin: str
    """``TINY`` or ``REAL``."""
    files: Mapping[str, WeightsFile] = field(default_factory=dict)
    """``llama``, ``vit`` and ``checkpoint``, which is what training starts from or answering uses."""


@dataclass(frozen=True)
class RunRecord:
    """With what a result was made."""

    data: Mapping[str, DataPart]
    model: ModelPart
    config: Mapping[str, Any] = field(default_factory=dict)
    """The whole configuration, references to the environment unresolved."""
    written_at: str = ""
    command: Sequence[str] = ()
    plugin: Mapping[str, Any] = field(default_factory=dict)
    """``version``, ``toolkit``, ``git``."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Package -> version."""
    host: Mapping[str, Any] = field(default_factory=dict)
    processes: int = 1
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that the configuration is resolved with."""
    earlier: Sequence[Mapping[str, Any]] = ()
    """Records of the run before it was resumed, as they were written."""

    @property
    def origins(self) -> Origins:
        """Of all its parts."""
        return Origins({name: part.origin for name, part in self.data.items()}, self.model.origin)

    def with_checkpoint(self, checkpoint: WeightsFile) -> RunRecord:
        """The same for another checkpoint: that of the answers, once training has made it."""
        return replace(self, model=replace(self.model, files={**self.model.files, "checkpoint": checkpoint}))

    def to_json(self) -> dict[str, Any]:
        """As ``provenance.json`` holds it."""
        return {"schema": SCHEMA, **asdict(self)}


def write_record(folder: Path, record: RunRecord) -> Path:
    """Write ``folder/provenance.json``; what was there, of the run that is resumed, stays in it under ``earlier``.

    Raises:
        DataError: the folder cannot be written.
    """
    path = Path(folder) / FILE
    kinds = {"earlier": "list[Mapping]"}
    before = read_json_object(path, kinds, what="a record of a run; delete it") if path.is_file() else {}
    earlier = [*before.pop("earlier", []), before] if before else []
    write_json(path, {**record.to_json(), "earlier": earlier})
    return path


def read_record(folder: Path) -> RunRecord | None:
    """The record of the answers in a run's folder, or of its training; None where there is none.

    Args:
        folder: of a run, of ``results``, or of one test set in it.

    Raises:
        DataError: the file is damaged, or of a later version.
    """
    folder = Path(os.path.abspath(folder))
    places = [folder / "results", folder, *(folder.parents[:1] if folder.parent.name == "results" else ())]
    path = next((place / FILE for place in places if (place / FILE).is_file()), None)
    return _read(path) if path else None


def read_training_record(folder: Path) -> RunRecord | None:
    """The record of the training in a run's folder. Raises DataError as ``read_record``."""
    path = Path(folder) / FILE
    return _read(path) if path.is_file() else None


def _read(path: Path) -> RunRecord:
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema") not in (1, SCHEMA):
        raise DataError(f"{path} is not a record of a run that this version reads; delete it, or use a newer version")
    if content["schema"] == 1:
        content = _from_schema_1(content)
    problems = _wrong_parts(content)
    if problems:
        raise DataError(f"{path} is damaged; delete it", [f"{path}: {problem}" for problem in problems])
    model = content["model"]
    return RunRecord(
        {name: _only_known(DataPart, part) for name, part in content["data"].items()},
        ModelPart(model["origin"], {role: _only_known(WeightsFile, file) for role, file in model["files"].items()}),
        **{key: content[key] for key in fields_of(RunRecord) if key in content and key not in ("data", "model")},
    )


def _only_known(kind: Any, content: Mapping[str, Any]) -> Any:
    return kind(**{name: value for name, value in content.items() if name in fields_of(kind)})


def _wrong_parts(content: Mapping[str, Any]) -> list[str]:
    """What is wrong in a ``provenance.json``, a line each."""
    kinds = {**fields_of(RunRecord), "data": "Mapping[str, Mapping]", "model": "Mapping"}
    found = wrong_fields(content, kinds, ("data", "model"))
    if not found:
        model = content["model"]
        found += wrong_fields(model, {"origin": "str", "files": "Mapping[str, Mapping]"}, ("origin", "files"))
    if found:
        return found
    parts = [
        *((f"data.{name}", part, DataPart, ("dataset", "origin")) for name, part in content["data"].items()),
        *((f"model.{role}", part, WeightsFile, ("path", "sha256")) for role, part in model["files"].items()),
    ]
    return [
        f"{quoted(where, bare=True)}: {problem}"
        for where, part, kind, needed in parts
        for problem in wrong_fields(part, fields_of(kind), needed)
    ]


def _from_schema_1(content: dict[str, Any]) -> dict[str, Any]:
    """A record of an earlier version: where its data came from is asked of the folders it names."""
    data = {}
    found = content.get("data")
    for name, part in found.items() if isinstance(found, dict) else ():
        if not isinstance(part, dict):
            continue
        storage = part.get("storage")
        digests = {**part.get("manifest_sha256", {}), **part.get("samples_sha256", {})}
        data[name] = {
            "dataset": name,
            "origin": data_origin(storage) if storage else REAL,
            "storage": storage,
            "samples": part.get("samples") or {},
            "digests": digests,
        }
    model = {"origin": read_origins(content).model, "files": {}}
    return {**content, "data": data, "model": model}


# -- images ------------------------------------------------------------------------------------------------------------


def find_image_roots(datasets: Iterable[str], record: RunRecord | None, given: Sequence[str] = ()) -> dict[str, Path]:
    """Data set -> folder that its ``Sample.images`` are below: as the user says, else as the run recorded it.

    Args:
        datasets: of which images are wanted.
        given: ``FOLDER`` (where there is one data set) or ``DATASET=FOLDER``.

    Raises:
        ConfigError: for a data set nothing says where its images are, or they are gone; every one is named.
    """
    datasets = sorted(set(datasets))
    roots: dict[str, Path] = {}
    problems: list[str] = []
    for value in given:
        dataset, separator, folder = value.partition("=")
        if not separator and len(datasets) == 1:
            dataset, folder = datasets[0], value
        if dataset not in datasets or not Path(folder).is_dir():
            problems.append(
                f"--image-root {value}: write DATASET=FOLDER with an existing folder and one of {', '.join(datasets)}"
            )
        roots[dataset] = Path(folder)
    for dataset in datasets:
        if dataset in roots:
            continue
        part = record.data.get(dataset) if record else None
        if part is None or part.image_root is None:
            why = "no record of a run" if record is None else f"the {FILE} of the run does not say where they are"
        elif Path(part.image_root).is_dir():
            roots[dataset] = Path(part.image_root)
            continue
        else:
            why = f"they were in {part.image_root}, which is gone"
        problems.append(f"{dataset}: {why}; give --image-root {dataset}=FOLDER, or --no-images")
    if problems:
        raise ConfigError("where are the images?", problems)
    return roots


# -- digests -----------------------------------------------------------------------------------------------------------


def samples_sha256(samples: Iterable[Any]) -> str:
    """Digest of records, in their order."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(json.dumps(sample.to_json(), sort_keys=True, ensure_ascii=False).encode("utf-8") + b"\n")
    return digest.hexdigest()
