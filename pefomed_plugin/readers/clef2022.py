"""ImageCLEFmedical Caption 2022 as downloaded from AIcrowd.

The files end in ``.csv`` but are separated by TABs and not quoted. Opened as comma CSV and saved again, every caption
is cut at its first comma, which is refused here. The test images have no captions.
"""

from __future__ import annotations

import re
from pathlib import Path

from .captions import add_caption, existing_name, file_names
from .expectations import WARNING, Expectation, kept
from .layouts import Layout, Release, find
from .spec import DatasetSpec
from .tables import read_tab_pairs

DATASET = "clef2022"
_SPLITS = {"train": "train", "valid": "val"}
_ID = re.compile(r"[\w-]+")
_DAMAGED = "probably read as comma CSV and saved again, which cuts captions; fetch the original file again"


def _read_aicrowd(root: Path) -> Release:
    """``<UUID>_..._caption_prediction_{train,valid}.csv``: header ``ID<TAB>caption``, IDs without ``.jpg``."""
    release = Release(DATASET, "AIcrowd", root)
    for part in _SPLITS:
        paths = find(root, f"*caption_prediction_{part}.csv")
        if len(paths) > 1:
            release.problems.append(
                f"{root}: {len(paths)} files for {part}; keep one of {', '.join(path.name for path in paths)}"
            )
        for path in paths[:1]:
            release.files.append(path)
            _read_part(path, part, release)
    return release


def _read_part(path: Path, part: str, release: Release) -> None:
    rows = read_tab_pairs(path)
    number, *header = next(rows, (1, "", None))
    if [str(name).lower() for name in header] != ["id", "caption"]:
        release.problems.append(f"{path.name}, line {number}: the header is not ID<TAB>caption; {_DAMAGED}")
        return
    folders = _image_folders(release.image_root, part)
    present = frozenset(folder + name for folder in folders for name in file_names(release.image_root / folder))
    for number, key, caption in rows:
        where = f"{path.name}, line {number}"
        if caption is None:
            release.problems.append(f"{where}: only one column; {_DAMAGED}")
        elif not _ID.fullmatch(key):
            release.problems.append(f"{where}: ID {key!r} is not a file name without ending; {_DAMAGED}")
        else:
            image = existing_name([f"{folder}{key}.jpg" for folder in folders], present)
            add_caption(
                release, where, key=key, split=_SPLITS[part], image=image, caption=caption, metadata={"source_id": key}
            )


def _image_folders(root: Path, part: str) -> list[str]:
    """Where a part's images may lie below the root, the usual place first: ``train/``, as unpacked, flat."""
    unpacked = [path.relative_to(root).as_posix() + "/" for path in find(root, f"*_{part}_images/{part}")]
    return [part + "/", *unpacked, ""]


CLEF2022 = DatasetSpec(
    DATASET,
    "ImageCLEFmedical Caption 2022",
    layouts=(Layout("AIcrowd", ("*caption_prediction_{train,valid}.csv",), _read_aicrowd),),
    tasks=("caption",),
    stage=1,
    splits={"train": 83_275, "val": 7_645},
    expectations=(Expectation("rows by split", WARNING, ((83_275, 7_645, 0),), kept),),
    licence="AIcrowd, after signing an agreement",
    passing_on="The agreement forbids passing the data on.",
    citation="Rückert et al., Overview of ImageCLEFmedical 2022: Caption Prediction and Concept Detection, CLEF 2022 "
    "Working Notes",
    url="https://www.imageclef.org/2022/medical/caption",
    quirks=(
        "The test images have no captions.",
        "The images are a subset of an extended ROCO: the two share images.",
    ),
    specialty="radiology",
    languages=lambda options: ("en",),
    sample_writer="pefomed_plugin.embedded.releases_caption:write_clef2022",
    page="docs/data/clef2022.md",
)
"""The release's ``valid`` is val."""
