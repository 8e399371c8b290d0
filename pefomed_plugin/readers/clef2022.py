"""ImageCLEFmedical Caption 2022 as downloaded from AIcrowd. Text only; knows nothing of torch or pixels.

The files end in ``.csv`` but are separated by TABs and not quoted. Opened as comma CSV and saved again, every caption
is cut at its first comma, which is refused here. The test images have no captions.
"""

from __future__ import annotations

import re
from pathlib import Path

from .captions import add_caption, existing_name, file_names
from .layouts import Layout, Release, find, read_release
from .tables import read_tab_pairs

DATASET = "clef2022"
_SPLITS = {"train": "train", "valid": "val"}
_ID = re.compile(r"[\w-]+")
_DAMAGED = "probably read as comma CSV and saved again, which cuts captions; fetch the original file again"


def read_clef2022(root: Path) -> Release:
    """Samples of ImageCLEFmedical Caption 2022: 83,275 train and 7,645 val (the release's ``valid``).

    Raises:
        DataError: no layout recognised, or records that cannot be used, all in one message.
    """
    return read_release(DATASET, LAYOUTS, root, {})


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


LAYOUTS = (Layout("AIcrowd", ("*caption_prediction_{train,valid}.csv",), _read_aicrowd),)
