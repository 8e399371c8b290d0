"""One file a data set: official layout -> ``Release`` of samples. ``READERS`` maps registry names to functions.

Other packages add theirs through the entry point group ``pefomed_plugin.readers`` (docs/extending.md).

A reader takes the folder of a release, and options of its own; what it found is recognised, not configured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from ..errors import DataError
from ..plugins import Registry
from .clef2022 import read_clef2022
from .custom import read_custom
from .iu_xray import read_iu_xray
from .layouts import Layout, Release, Skip
from .medicat import read_medicat
from .mimic_cxr import read_mimic_cxr
from .path_vqa import read_path_vqa
from .prepared import is_prepared, read_prepared
from .roco import read_roco
from .slake import read_slake
from .vqa_rad import read_vqa_rad

READERS: Registry[Callable[..., Release]] = Registry(
    "reader",
    object,
    {
        "roco": read_roco,
        "clef2022": read_clef2022,
        "medicat": read_medicat,
        "mimic_cxr": read_mimic_cxr,
        "vqa_rad": read_vqa_rad,
        "slake": read_slake,
        "path_vqa": read_path_vqa,
        "iu_xray": read_iu_xray,
        "medical_custom": read_custom,
    },
)


def read_data(dataset: str, root: Path, **options: Any) -> Release:
    """Samples of one data set, from its release or from a folder that ``pefomed prepare`` wrote.

    Raises:
        DataError: neither is there, or it is damaged; or the folder was prepared from another data set.
        PluginError: the reader is another package's, and cannot be used.
        TypeError: an option that the data set's reader does not have.
    """
    root = Path(root)
    if not is_prepared(root):
        release = READERS[dataset](root, **options)
        if release.dataset != dataset:
            raise DataError(
                f"the reader of {dataset} gives samples of {release.dataset!r}; a reader is registered under the name "
                "of its data "
                "set"
            )
        return release
    release = read_prepared(root)
    if release.dataset != dataset:
        raise DataError(f"{root} was prepared from {release.dataset}, not from {dataset}")
    return release


__all__ = ["READERS", "Layout", "Release", "Skip", "read_data"]
