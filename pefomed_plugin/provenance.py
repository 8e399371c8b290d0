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
from .origins import REAL, Origins, data_origin, read_origins
from .readers.textfiles import read_json, read_json_object
from .storage import write_json

FILE = "provenance.json"
SCHEMA = 2
"""Of ``provenance.json``. 1 had no image roots, no weights files and one flag ``embedded`` for everything."""


# -- generated folders -------------------------------------------------------------------------------------------------


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
        elif dataset in roots:
            problems.append(f"--image-root {value}: {dataset} has {roots[dataset]} already; give one folder each")
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
