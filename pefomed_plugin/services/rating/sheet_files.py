"""Which files of a study's folder are sheets: what they hold, and those that nobody reads though a rater saved them."""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import DataError
from ..console import say_once
from .plan import RatingPlan
from .sheets import SheetRow, read_sheet, sheet_name

_SHEETS = (".xlsx", ".csv")
_OTHER_SHEETS = (".ods", ".fods", ".xls", ".xlsm", ".xlsb", ".numbers", ".tsv")
"""What spreadsheets save as well, and nobody reads here."""


def in_other_formats(folder: Path, plan: RatingPlan) -> list[str]:
    """Sheets that somebody saved in a format that is not read: what stands in them would be lost."""
    others = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in _OTHER_SHEETS and path.name[0] not in "~."
    )
    of_rater = re.compile(rf"(?:{'|'.join(map(re.escape, plan.raters))})(?!\w)", re.IGNORECASE)  # also "anna (1)"
    mine = [path for path in others if of_rater.match(path.stem)]
    for path in others:
        if path not in mine:
            say_once(f"{path}: not read; sheets are XLSX or CSV")
    return [f"{path.name}: not read; save it as XLSX or CSV (UTF-8), or move it away" for path in mine]


def read_files(folder: Path, plan: RatingPlan) -> dict[Path, list[SheetRow] | str]:
    """Rows of every sheet of a folder, those first that have a rater's name, or what is wrong with it."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in _SHEETS and path.name[0] not in "~."]
    sheets: dict[Path, list[SheetRow] | str] = {}
    rounds = range(1, plan.round + 1)
    names = {sheet_name(rater, number) for rater in plan.raters for number in rounds}
    known = {code for rater in plan.raters for number in rounds for code in plan.codes(rater, number)}
    for path in sorted(paths, key=lambda path: (path.stem not in names, path.suffix.lower() != ".xlsx", path.name)):
        try:
            rows = read_sheet(path)
        except DataError as error:
            sheets[path] = error.summary
            continue
        if path.stem in names or any(row.item.strip() in known for row in rows):
            sheets[path] = rows
        else:
            say_once(f"{path}: not read, it holds no item of this export")
    return sheets
