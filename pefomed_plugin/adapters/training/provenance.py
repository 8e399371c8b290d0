"""``provenance.json`` beside every result: with what it was made. Knows no model and no metric.

No environment variable gets in but those that say where the weights and data are; what looks like a secret in the
command line is blanked out.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ... import __version__
from ...digests import file_sha256
from ...environment import VARIABLES
from ...readers.textfiles import read_json
from ...services.data.shards import INDEX
from ...storage import write_json
from ...toolkit import NAME as TOOLKIT

FILE = "provenance.json"
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
"""Whose versions can change a number."""
PATHS = (*VARIABLES, "PEFOMED_SAMPLE", "PEFOMED_TOOLKIT", "MINIGPT4_HOME")
"""Environment variables that are written down: those that the configuration is resolved with."""
_MANIFESTS = ("manifest.json", INDEX)
"""What ``pefomed prepare`` and ``pefomed shard`` say of the data that they wrote."""
_SECRET = re.compile(r"secret|password|credential|(?:key|token)$", re.IGNORECASE)


def write_provenance(
    folder: Path,
    *,
    config: Mapping[str, Any],
    datasets: Mapping[str, Mapping[str, Any]],
    storage: Mapping[str, str],
    processes: int,
    embedded: bool,
) -> Path:
    """Write ``folder/provenance.json``; what was there, of the run that is resumed, stays in it under ``earlier``.

    Args:
        config: the whole configuration, environment variables unresolved.
        datasets: name -> split -> data set with ``samples``.
        storage: name -> where it was read from.

    Raises:
        DataError: the folder cannot be written.
    """
    path = Path(folder) / FILE
    before = read_json(path) if path.is_file() else {}
    earlier = [*before.pop("earlier", []), before] if before else []
    write_json(
        path,
        {
            "written_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "embedded": embedded,
            "command": without_secrets(sys.argv),
            "plugin": {"version": __version__, "toolkit": TOOLKIT, "git": git_state()},
            "packages": versions(),
            "host": host_facts(),
            "processes": processes,
            "variables": {name: os.environ[name] for name in PATHS if os.environ.get(name)},
            "config": config,
            "data": {name: describe_data(storage.get(name), splits) for name, splits in datasets.items()},
            "earlier": earlier,
        },
    )
    return path


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
    """Commit of the checkout that this package runs from, and whether files differ from it; None outside of one."""
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


def describe_data(storage: str | None, splits: Mapping[str, Any]) -> dict[str, Any]:
    """Where a data set was read from, and a digest of what was read.

    It is the digest of the manifest that ``pefomed prepare`` or ``pefomed shard`` wrote, or else, for each split, that
    of its samples as they were read.
    """
    found: dict[str, Any] = {"storage": storage, "samples": {split: len(each) for split, each in splits.items()}}
    folder = Path(storage or "")
    folder = folder if folder.is_dir() else folder.parent  # shards may be named one by one
    manifests = [folder / name for name in _MANIFESTS if storage and (folder / name).is_file()]
    if manifests:
        return {**found, "manifest_sha256": {manifest.name: file_sha256(manifest) for manifest in manifests}}
    return {
        **found,
        "samples_sha256": {
            split: samples_sha256(each.samples) for split, each in splits.items() if hasattr(each, "samples")
        },
    }


def samples_sha256(samples: Sequence[Any]) -> str:
    """Digest of records, in their order."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(json.dumps(sample.to_json(), sort_keys=True, ensure_ascii=False).encode("utf-8") + b"\n")
    return digest.hexdigest()


def _output_of(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
