"""Ratings that came back, on sheets or by the page: all their problems in one report, or one list of scores a rater."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...records import Prediction, Score
from ...rubrics import Rubric
from ...scoring.pairing import NO_PREDICTION
from ...scoring.ratings import human_spec
from .plan import PLAN, RatingPlan, exact_matches, rating_pairs, shown_texts
from .session import rated_rows
from .sheets import SheetRow, read_sheet
from .store import STORE

VERSION = "1"
NOT_RATED, MATCHED = "not among the rated", "exact match, not rated"
_SHOWN_CHARACTERS = 40


def import_ratings(
    folder: Path, plan: RatingPlan, predictions: Sequence[Prediction], may_be_missing: bool = False
) -> list[list[Score]]:
    """Scores of every rater, one per prediction in their order.

    Under the scope ``failures`` what matched exactly scores 1 (or the top of the scale) without a rating, as in the
    paper; under ``random`` what was not drawn has no value. ``may_be_missing``: nor has a rating left empty.

    Raises:
        DataError: sheets are missing or unreadable, ratings are missing, no whole number or out of range, texts were
            edited, rows are doubled, foreign or gone: all of them.
    """
    problems: list[str] = []
    rated: list[dict[str, int | None]] = []
    for rater in plan.raters:
        found, wrong = _read_rater(Path(folder), plan, rater, predictions, may_be_missing)
        problems += wrong
        rated.append(found)
    if problems:
        raise DataError(
            f"{len(problems)} problem(s) in the ratings of {folder}; correct them and import again", problems
        )
    matched = exact_matches(predictions) if plan.scope == "failures" else set()
    return [[_score(prediction, plan, ratings, matched) for prediction in predictions] for ratings in rated]


def _score(prediction: Prediction, plan: RatingPlan, ratings: dict[str, int | None], matched: set[str]) -> Score:
    scorer = human_spec(plan.rubric, VERSION).name
    if prediction.id in ratings:
        value = ratings[prediction.id]
        return Score(
            prediction.id,
            scorer,
            VERSION,
            None if value is None else float(value),
            "left empty" if value is None else None,
        )
    if prediction.prediction is None:
        return Score(prediction.id, scorer, VERSION, float(plan.rubric.lowest), NO_PREDICTION)
    if prediction.id in matched:
        return Score(prediction.id, scorer, VERSION, float(plan.rubric.highest), MATCHED)
    return Score(prediction.id, scorer, VERSION, None, NOT_RATED)


def _read_rater(
    folder: Path, plan: RatingPlan, rater: str, predictions: Sequence[Prediction], may_be_missing: bool
) -> tuple[dict[str, int | None], list[str]]:
    if (folder / STORE).exists():
        rows = rated_rows(folder, plan, rater, predictions)
        found, problems = _check_rows(rows, plan, rater, predictions, True)
        left = sum(not _is_filled(row) for row in rows)
        if left and not may_be_missing:
            problems.append(
                f"{rater}: {left:,} of {len(rows):,} items are not rated yet; rate them (pefomed rate serve), or give "
                "--allow-missing"
            )
        return found, problems
    sheets = [path for path in (folder / (rater + suffix) for suffix in (".xlsx", ".csv")) if path.is_file()]
    try:
        read = [read_sheet(path) for path in sheets] or _renamed(folder, plan, rater)
    except DataError as error:
        return {}, [error.summary]
    if not read:
        return {}, [f"{rater}.xlsx: no such file, nor {rater}.csv, nor another sheet with this rater's items"]
    filled = [rows for rows in read if any(_is_filled(row) for row in rows)]
    if len(filled) > 1:
        return {}, [f"{rater}.xlsx and {rater}.csv are both filled in; move one of them to another folder"]
    return _check_rows((filled or read)[0], plan, rater, predictions, may_be_missing)


def _renamed(folder: Path, plan: RatingPlan, rater: str) -> list[list[SheetRow]]:
    """Sheets under other names than the plan's raters that hold this rater's items."""
    others = [path for path in sorted(folder.iterdir()) if path.suffix in (".xlsx", ".csv")]
    found = [read_sheet(path) for path in others if path.stem not in plan.raters]
    codes = plan.codes(rater)
    return [rows for rows in found if any(row.item.strip() in codes for row in rows)]


def _code_of(item: str, expected: Mapping[str, Prediction]) -> str:
    """The code that an item cell holds, also where a spreadsheet made a number of it: ``1.234E+13``."""
    item = item.strip()
    if item in expected:
        return item
    number = _number(item)
    found = [code for code in expected if number is not None and _number(code) == number]
    return found[0] if len(found) == 1 else item


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _check_rows(
    rows: Sequence[SheetRow], plan: RatingPlan, rater: str, predictions: Sequence[Prediction], may_be_missing: bool
) -> tuple[dict[str, int | None], list[str]]:
    others = sorted({row.rubric for row in rows if row.rubric.strip() not in ("", plan.rubric.tag)})
    if others:
        return {}, [
            f"{rater}: these ratings were made under the rubric {' and '.join(others)}, this import uses "
            f"{plan.rubric.tag}; import them with the {PLAN} of their own export"
        ]
    expected = dict(rating_pairs(plan, rater, predictions))
    codes = [_code_of(row.item, expected) for row in rows]
    times = Counter(codes)
    problems = [f"{rater}: the row of item {code} is gone" for code in expected if not times[code]]
    problems += [
        f"{rater}: item {code} stands there {count} times; leave the row that counts"
        for code, count in times.items()
        if count > 1 and code in expected
    ]
    ratings: dict[str, int | None] = {}
    for code, row in zip(codes, rows):
        prediction = expected.get(code)
        if prediction is None:
            problems.append(f"{row.place}: item {row.item[:_SHOWN_CHARACTERS]!r} is of another sheet; move it there")
            continue
        original = SheetRow("", *shown_texts(prediction)).texts
        problems += [
            f"{row.place}: the {name} was edited; restore it from the exported sheet"
            for name, now, before in zip(("question", "reference", "answer"), row.texts, original)
            if now != before
        ]
        value, problem = _read_rating(row.rating, plan.rubric)
        if problem and not (may_be_missing and not _is_filled(row)):
            problems.append(f"{row.place}: {problem}")
        ratings[prediction.id] = value
    return ratings, problems


def _is_filled(row: SheetRow) -> bool:
    return row.rating is not None and str(row.rating).strip() != ""


def _read_rating(cell: Any, rubric: Rubric) -> tuple[int | None, str]:
    """The rating, and what is wrong with it."""
    if cell is None or not str(cell).strip():
        return None, f"no rating; choose one of {rubric.scale}"
    try:
        number = math.nan if isinstance(cell, bool) else float(str(cell).strip())
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number != int(number):
        return None, f"the rating {str(cell)[:_SHOWN_CHARACTERS]!r} is not a whole number; choose one of {rubric.scale}"
    if int(number) not in rubric.values:
        return None, f"the rating {number:g} is out of range; choose one of {rubric.scale}"
    return int(number), ""
