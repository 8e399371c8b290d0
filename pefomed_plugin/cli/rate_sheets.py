"""``pefomed rate export`` and ``rate sheets``: sheets of a study, blank or filled in."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DataError, ImageError
from ..services.rating.plan import PLAN, SCOPES, numbered_raters, rating_pairs, write_plan
from ..services.rating.sheets import SheetRow, sheet_name, write_csv
from ..services.rating.workbook import Thumbnails, instructions, write_workbook
from ..storage import write_text
from .rate_study import plan_of, read_rated, scope_of

if TYPE_CHECKING:
    from ..records import Prediction
    from ..services.rating.plan import RatingPlan

INSTRUCTIONS = "INSTRUCTIONS.txt"
"""Beside CSV files, which hold a table alone."""


def export_sheets(arguments: argparse.Namespace) -> int:
    """Blank sheets of a study that is new, has a new round, or was begun on a page."""
    from ..services.rating.folder import begin_plan, rated_rows  # late: loads sqlite3

    if arguments.csv and arguments.image_root is not None:
        raise ConfigError("--image-root is for XLSX: CSV holds no images; leave one of --csv and --image-root out")
    rated, folder = read_rated(arguments), arguments.out
    plan = begin_plan(
        folder,
        rated.predictions,
        rated.rubric,
        arguments.seed,
        *scope_of(arguments),
        new_round=arguments.new_round,
        keep=False,
        **rated.pairing,
    )
    names = _raters(arguments, plan)
    paths = [folder / (sheet_name(name, plan.round) + suffix) for name in names for suffix in (".xlsx", ".csv")]
    there = [path.name for path in paths if path.exists()]
    if there:
        raise ConfigError(
            f"{folder} holds sheets of this round already ({', '.join(there[:3])}); they are not overwritten: give "
            "--raters for others, --new-round for a further round, or another --out"
        )
    plan = replace(plan, raters=tuple(dict.fromkeys((*plan.raters, *names))))
    for name in names:
        rows = rated_rows(folder, plan, name, rated.predictions, plan.round)
        pairs = rating_pairs(plan, name, rated.predictions, plan.round)
        thumbnails = {} if arguments.csv else _thumbnails(arguments.image_root, pairs)
        _write(folder, plan, name, plan.round, rows, True, not arguments.csv, thumbnails)
    write_plan(plan, folder)
    ids = plan.ids_of(plan.round)
    which = f", round {plan.round}" if plan.round > 1 else ""
    print(
        f"{len(ids):,} of {len(rated.predictions):,} answers for {len(names)} rater(s) in {folder}{which} "
        f"({SCOPES[plan.scope]})"
    )
    rated.say()
    print("Raters may also answer on the page (pefomed rate serve) under the name of their sheet.")
    _say_keep(folder)
    return 0


def _raters(arguments: argparse.Namespace, plan: RatingPlan) -> tuple[str, ...]:
    """Names of those who get a sheet. Raises DataError for a name that is none, ConfigError for no raters."""
    from ..services.rating.folder import clean_rater, raters_of  # late: loads sqlite3

    if arguments.raters:
        names = tuple(clean_rater(name) for name in arguments.raters.split(","))
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise ConfigError(f"--raters names {', '.join(twice)} twice (capitals make no other rater); name each once")
        return names
    before = raters_of(arguments.out, plan) if plan.round > 1 else ()
    return before or numbered_raters(arguments.annotators)


def write_rated_sheets(arguments: argparse.Namespace) -> int:
    """Everything that was rated, on filled-in sheets: of the page, and of sheets that were imported."""
    from ..services.rating.folder import rated_rows  # late: loads sqlite3
    from ..services.rating.store import STORE  # late: loads sqlite3

    predictions = read_rated(arguments).predictions
    if not (arguments.folder / STORE).exists():
        raise ConfigError(
            f"{arguments.folder} holds no ratings of a page ({STORE}); give the --out of pefomed rate serve"
        )
    folder = arguments.out or arguments.folder / "sheets"
    if (folder / PLAN).exists():
        raise ConfigError(f"{folder} holds sheets already; choose another folder, ratings are not overwritten")
    plan = plan_of(arguments, predictions)
    for rater in plan.raters:
        for number in range(1, plan.round + 1):
            rows = rated_rows(arguments.folder, plan, rater, predictions, number)
            # One file each: which of two would hold?
            _write(folder, plan, rater, number, rows, arguments.csv, not arguments.csv, {})
    write_plan(plan, folder)
    print(f"the ratings of {len(plan.raters)} rater(s) in {folder}")
    _say_keep(folder)
    return 0


def _thumbnails(root: Path | None, pairs: Iterable[tuple[str, Prediction]]) -> Thumbnails:
    """The images of each item, named where there are several. Raises DataError with all that cannot be opened."""
    if root is None:
        return {}
    from ..services.images.decoding import open_image  # late: loads PIL

    found: dict[str, list[tuple[str, Any]]] = {}
    problems = []
    for code, prediction in pairs:
        found[code] = []
        for name, image in zip(prediction.image_names, prediction.images):
            try:
                found[code].append((name if len(prediction.images) > 1 else "", open_image(root, image)))
            except ImageError as error:
                problems.append(str(error))
    if problems:
        raise DataError(
            f"{len(problems):,} image(s) cannot be put into the sheets; correct --image-root, or leave it out",
            sorted(set(problems)),
        )
    return found


def _write(
    folder: Path,
    plan: RatingPlan,
    rater: str,
    number: int,
    rows: Sequence[SheetRow],
    csv: bool,
    workbook: bool,
    thumbnails: Thumbnails,
) -> None:
    path, sides = folder / sheet_name(rater, number), bool(plan.models)
    rounds = f"; round {number} of {plan.round}" if plan.round > 1 else ""
    about = [f"For {rater}: {len(rows):,} items{rounds}."]
    if csv:
        write_csv(path.with_name(path.name + ".csv"), rows, sides)
        write_text(folder / INSTRUCTIONS, instructions(plan.rubric, sides) + "\n")
    if workbook:
        target = path.with_name(path.name + ".xlsx")
        write_workbook(target, rows, plan.rubric, thumbnails, is_side_by_side=sides, about=about)


def _say_keep(folder: Path) -> None:
    print(f"keep {folder / PLAN} to yourself: it says which answer is which")
