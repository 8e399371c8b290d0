"""``pefomed rate status``: who has rated how many; no verdict is read, so that who runs the study stays blinded."""

from __future__ import annotations

import argparse

from ..reporting.table import COUNT, Column, Table
from ..rubrics import CANNOT_JUDGE
from ..services.rating.plan import load_plan
from .output import Output


def show_status(arguments: argparse.Namespace) -> Output:
    """How far every rater is in every round; what lies in sheets is counted when it is imported."""
    from ..services.rating.folder import progress_of  # late: loads sqlite3
    from ..services.rating.store import STORE, RatingStore  # late: loads sqlite3

    folder = arguments.folder
    plan = load_plan(folder)
    if (folder / STORE).exists():
        with RatingStore(folder / STORE, plan.rubric) as store:
            found = progress_of(plan, store)
    else:
        found = progress_of(plan, None)
    several = len(found["rounds"]) > 1
    table = Table(
        f"Who has rated how many, {folder}",
        [
            Column("rater", lambda row: row["rater"]),
            *([Column("round", lambda row: row["round"], COUNT)] if several else []),
            Column("of", lambda row: row["of"], COUNT),
            Column("done", lambda row: row["rated"] + row["cannot"], COUNT),
            Column(CANNOT_JUDGE, lambda row: row["cannot"], COUNT),
            Column("comments", lambda row: row["commented"], COUNT),
            Column("on page", lambda row: row["on_page"], COUNT),
            Column("sheets", lambda row: row["on_sheets"], COUNT),
            Column("last (UTC)", lambda row: row["last"][:16].replace("T", " ")),
        ],
        found["raters"],
    )
    lines = ["Nobody has begun, and no sheet was given out."] if not found["raters"] else []
    waiting = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in (".xlsx", ".csv"))
    if waiting:
        lines.append(
            f"{len(waiting):,} sheet(s) lie here; what was written into them since the last pefomed rate import is not "
            "counted."
        )
    if found["same"]:
        lines.append(f"{found['same']:,} item(s) with the same answer from both models are not shown: ties.")
    return Output(found, [*([table] if found["raters"] else []), *lines])
