"""Collects the record of a run: what its parts are, and with what command, packages and machine it was made.

No environment variable gets in but those that say where the weights and data are; what looks like a secret in the
command line is blanked out.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ... import __version__
from ...digests import file_sha256, folder_sha256
from ...environment import VARIABLES, cache_folder
from ...errors import DataError
from ...json_text import parse_json
from ...origins import REAL, Origins, data_folder, data_origin
from ...provenance import DataPart, ModelPart, RunRecord, WeightsFile, samples_sha256
from ...readers.prepared import MANIFEST, SHARD_INDEX, is_remote
from ...readers.textfiles import read_json_object
from ...services.console import say
from ...storage import write_text
from ...toolkit import NAME as TOOLKIT

PACKAGES = (
    "torch",
    "torchvision",
    "transformers",
    "peft",
    "accelerate",
    "timm",
    "bitsandbytes",
    "sentencepiece",
    "safetensors",
    "numpy",
    "pillow",
    "omegaconf",
    "pycocoevalcap",
)
"""Packages whose versions can change a result."""
PATHS = (*VARIABLES, "PEFOMED_SAMPLE", "PEFOMED_TOOLKIT", "MINIGPT4_HOME")
"""Environment variables that are written down: those that the configuration is resolved with."""
_LARGE_BYTES = 500_000_000
_SECRET = re.compile(r"secret|password|credential|(?:key|token)$", re.IGNORECASE)


def record_run(
    cfg: Any, origins: Origins, datasets: Mapping[str, Mapping[str, Any]], checkpoint: str, processes: int
) -> RunRecord:
    """The record of a run, made once its data and model are loaded.

    Args:
        cfg: the toolkit's configuration, with ``model_cfg`` and ``datasets_cfg``.
        datasets: name -> split -> data set with ``samples``.
        checkpoint: file that training starts from, or that answers.
    """
    storages = storages_of(cfg)
    return RunRecord(
        data={name: _data_part(name, origins, storages.get(name), splits) for name, splits in datasets.items()},
        model=_model_part(cfg.model_cfg, origins.model, checkpoint),
        config=cfg.to_dict(),
        written_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=without_secrets(sys.argv),
        plugin={"version": __version__, "toolkit": TOOLKIT, "git": git_state()},
        packages=versions(),
        host=host_facts(),
        processes=processes,
        variables={name: os.environ[name] for name in PATHS if os.environ.get(name)},
    )


def storages_of(cfg: Any) -> dict[str, str | None]:
    """Data set -> ``build_info.storage`` of the toolkit's configuration."""
    sections = getattr(cfg, "datasets_cfg", None) or {}
    found = {name: ((section or {}).get("build_info") or {}).get("storage") for name, section in sections.items()}
    return {name: None if storage is None else str(storage) for name, storage in found.items()}


def _data_part(name: str, origins: Origins, storage: str | None, splits: Mapping[str, Any]) -> DataPart:
    """What is known of a data set by the manifest that ``pefomed prepare`` or ``pefomed shard`` wrote, else by its
    samples as they were read."""
    folder = _folder(storage, splits)
    manifests = [folder / file for file in (MANIFEST, SHARD_INDEX) if storage and (folder / file).is_file()]
    if (folder / SHARD_INDEX) in manifests:
        image_root = read_json_object(folder / SHARD_INDEX, {"image_root": "str | None"}).get("image_root")
    else:
        roots = [split.image_root for split in splits.values() if hasattr(split, "image_root")]
        image_root = os.path.abspath(roots[0]) if roots else None
    return DataPart(
        name,
        origins.data.get(name, REAL),
        storage=storage,
        image_root=image_root,
        samples={split: len(dataset) for split, dataset in splits.items()},
        digests={manifest.name: file_sha256(manifest) for manifest in manifests}
        or {split: samples_sha256(dataset.samples) for split, dataset in splits.items() if hasattr(dataset, "samples")},
    )


def fetched_origins(cfg: Any, datasets: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Origins of the data sets whose shards were fetched from a server, by what was fetched."""
    remote = {name: storage for name, storage in storages_of(cfg).items() if is_remote(storage)}
    return {name: data_origin(_folder(storage, datasets.get(name, {}))) for name, storage in remote.items()}


def _folder(storage: str | None, splits: Mapping[str, Any]) -> Path:
    """Where a data set lies on this disk; of shards from a server, where they were fetched to."""
    if is_remote(storage):
        return next((Path(split.image_root) for split in splits.values() if hasattr(split, "image_root")), Path())
    return data_folder(storage) if storage else Path()


def _model_part(model: Mapping[str, Any], origin: str, checkpoint: str) -> ModelPart:
    paths = {"llama": model.get("llama_model"), "vit": model.get("vit_weights"), "checkpoint": checkpoint}
    return ModelPart(origin, {role: weights_file(str(path)) for role, path in paths.items() if path})


def weights_file(path: str) -> WeightsFile:
    """A file or folder of weights with its digest; None where it is not on this machine."""
    place = Path(path)
    if place.is_dir():
        return WeightsFile(os.path.abspath(path), folder_sha256(place, _remembered_sha256))
    return WeightsFile(os.path.abspath(path), _remembered_sha256(place) if place.is_file() else None)


def _remembered_sha256(path: Path) -> str:
    """Digest of a file. That of a large, unchanged file is taken from the cache of an earlier run.

    Frozen weights take longer to read than a short run takes: their digests are kept in the user's cache.
    """
    state = path.stat()
    if state.st_size < _LARGE_BYTES:
        return file_sha256(path)
    memory = cache_folder() / "digests.json"
    known, name, seen = _read_memory(memory), os.path.abspath(path), [state.st_size, state.st_mtime_ns]
    noted = known.get(name)
    if isinstance(noted, list) and noted[:2] == seen and isinstance(noted[-1], str):
        return noted[-1]
    say(f"reading {path} for its digest ({state.st_size / 1e9:,.1f} GB); it is remembered for later runs")
    digest = file_sha256(path)
    with suppress(DataError):  # a cache that cannot be written costs time, nothing else
        write_text(memory, json.dumps({**_read_memory(memory), name: [*seen, digest]}))
    return digest


def _read_memory(path: Path) -> dict[str, list[Any]]:
    try:
        content = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def without_secrets(arguments: Sequence[str]) -> list[str]:
    """A command line in which the values of what is called a key, token, secret or password are ``***``."""
    shown: list[str] = []
    hidden = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        is_secret = bool(_SECRET.search(name.split("://")[0]))
        if hidden:
            shown.append("***")
        elif is_secret and equals:
            shown.append(name + "=***")
        else:
            shown.append(re.sub(r"://[^/@\s]+@", "://***@", argument))
        hidden = not hidden and is_secret and not equals and bool(re.match(r"--?\w|(run|model|datasets)\.", argument))
    return shown


def git_state(folder: Path | None = None) -> dict[str, Any] | None:
    """Commit of the git checkout that this package runs from, and whether files differ from it; None without one."""
    folder = folder or Path(__file__).resolve().parents[3]
    if not (folder / ".git").exists():
        return None
    commit, status = (
        _output_of(["git", "-C", str(folder), *arguments])
        for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
    )
    return None if commit is None else {"commit": commit.strip(), "dirty": None if status is None else bool(status)}


def versions() -> dict[str, str]:
    """Versions of Python and of the installed ones of ``PACKAGES``."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def host_facts() -> dict[str, Any]:
    """System, cores, GPUs and CUDA; not the host's name."""
    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "gpus": gpus,
        "cuda": torch.version.cuda if gpus else None,
    }


def _output_of(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
