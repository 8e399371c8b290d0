"""Which door a user's own files come in by, and through it. ``prepare`` examines and writes what comes out."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ...errors import ConfigError, DataError
from ...readers.custom import MEDICAL_CUSTOM
from ...readers.shared import is_shared
from ...readers.tables import read_lines
from ...records import SPLITS
from ..images.image_folder import may_hold_images
from .columns import split_of
from .dicom_reports import read_dicom_folder
from .hub_folders import is_hub_folder, is_saved, read_hub_folder
from .own_tables import read_tables
from .tables import SUFFIXES
from .wishes import OwnData, Wishes

_READ_ME = ".txt"
"""Of a table, and of what lies beside data of other kinds to be read by people."""


def is_plain(source: Path) -> bool:
    """Whether a folder is in the layout of ``medical_custom`` itself, or as ``pefomed share`` wrote it: training can
    read it without preparing."""
    if not source.is_dir():
        return False
    if is_shared(source):
        return True
    found = [layout for layout in MEDICAL_CUSTOM.layouts if layout.present(source)]
    tables = [path for path in source.iterdir() if path.suffix.lower() in SUFFIXES and split_of(path.stem)]
    if not found or any(path.suffix not in (".jsonl", ".csv") or path.stem not in SPLITS for path in tables):
        return False
    return all(path.suffix != ".csv" or _is_plain_csv(path) for path in tables)


def read_own(source: Path, wishes: Wishes, out: Path) -> OwnData:
    """Samples of own files in any form but the layout of ``medical_custom`` itself.

    Args:
        out: where they will be written; copies of DICOM films are made there.

    Raises:
        ConfigError: what the user said does not fit, or a choice is missing.
        DataError: files or records that cannot be used; all of them in one message.
    """
    if wishes.reports is not None:
        return read_dicom_folder(source, wishes, out)
    beside = {path.suffix.lower() for path in source.iterdir()} if source.is_dir() else set()
    has_tables = bool(beside & (SUFFIXES - {_READ_ME}))
    if is_hub_folder(source):
        if has_tables and not is_saved(source):
            raise ConfigError(
                f"{source} holds tables and parquet files; name the one to read, or its folder, as --source"
            )
        return read_hub_folder(source, wishes)
    if source.is_dir() and not has_tables and may_hold_images(source) and _holds_dicom(source):
        return read_dicom_folder(source, wishes, out)
    return read_tables(source, wishes)


def _holds_dicom(source: Path) -> bool:
    """Whether one of the first files is DICOM."""
    from ..images.dicom import looks_like_dicom  # late: loads PIL

    for number, path in enumerate(source.rglob("*")):
        if number > 1000:
            break
        if path.is_file() and not path.is_symlink():
            with open(path, "rb") as file:
                if looks_like_dicom(file.read(132)):
                    return True
    return False


def _is_plain_csv(path: Path) -> bool:
    """Whether a CSV is UTF-8, separated by commas, with the columns' own names."""
    try:
        lines = [line for _, line in read_lines(path)]
        header = [name.strip() for name in next(csv.reader(io.StringIO("".join(lines[:1]), newline="")), [])]
    except (DataError, csv.Error):
        return False
    return bool({"image", "images"} & set(header)) and bool({"answer", "report", "caption"} & set(header))
