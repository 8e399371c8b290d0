"""One file per data set, from its official layout to a ``Release`` of samples. ``DATASETS`` holds what they declare.

A data set of this package is a module here with a ``DatasetSpec``, and ``configs/datasets/<name>.yaml``. Other packages
declare theirs in the entry point group ``pefomed_plugin.datasets`` (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError
from ..plugins import Registry, declared_in
from .layouts import Layout, Release, Skip
from .prepared import is_prepared, read_manifest, read_prepared
from .shared import is_shared, read_shared, read_shared_manifest
from .spec import PERMISSION, PUBLIC, DatasetSpec, Field, Option

DATASETS: Registry[DatasetSpec] = Registry(
    "data set", DatasetSpec, sorted(declared_in(__name__, DatasetSpec), key=lambda spec: (spec.stage or 9, spec.name))
)
"""Registry name -> what is declared of the data set, in the order of the paper's stages, own data last. Those of other
packages are loaded when asked for."""


def describe(name: str) -> DatasetSpec:
    """What is declared of a data set. Of an unknown one nothing is: it needs permission, and has no licence.

    Raises:
        PluginError: it is another package's, and cannot be used.
    """
    return DATASETS[name] if name in DATASETS else DatasetSpec(name, name)


def need_permission(names: Iterable[str]) -> list[str]:
    """Which of these data sets may not be sent to a service elsewhere without the user's word, sorted."""
    return sorted(name for name in set(names) if describe(name).needs_permission)


def read_data(dataset: str, root: Path, **options: Any) -> Release:
    """Samples of one data set, from its release or from a folder that ``pefomed prepare`` or ``share`` wrote.

    Raises:
        ConfigError: there is no such data set, or it has no such option or value; or the folder was prepared with
            other options.
        DataError: neither is there, or it is damaged; or the folder was prepared from another data set.
        PluginError: the data set is another package's, and cannot be used.
    """
    root, spec = Path(root), DATASETS.find(dataset)
    shared = is_shared(root)
    if not shared and not is_prepared(root):
        return spec.read(root, **options)
    manifest = read_shared_manifest(root) if shared else read_manifest(root)
    if manifest["dataset"] != dataset:
        raise DataError(f"{root} was prepared from {manifest['dataset']}, not from {dataset}")
    spec.complete_options(options)
    prepared = spec.complete_options(manifest.get("options") or {})
    wrong = [
        f"{name}: prepared with {prepared[name]!r}, asked for {value!r}"
        for name, value in options.items()
        if prepared[name] != value
    ]
    if wrong:
        raise ConfigError(
            f"{root} was prepared with other options; set datasets.{dataset}.options as it was, or prepare it again",
            wrong,
        )
    return read_shared(root) if shared else read_prepared(root)


__all__ = [
    "DATASETS",
    "PERMISSION",
    "PUBLIC",
    "DatasetSpec",
    "Field",
    "Layout",
    "Option",
    "Release",
    "Skip",
    "describe",
    "need_permission",
    "read_data",
]
