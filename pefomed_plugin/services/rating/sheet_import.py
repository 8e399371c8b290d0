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
from ..console import say_once
from .plan import PLAN, RatingPlan, exact_matches, rating_pairs, shown_texts
from .session import rated_rows
from .sheets import SheetRow, read_sheet
from .store import STORE

VERSION = "1"
NOT_RATED, MATCHED = "not among the rated", "exact match, not rated"
_SHOWN_CHARACTERS = 40
_SHEETS = (".xlsx", ".csv")


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
    sheets, problems = _read_sheets(Path(folder), plan)
    rated: list[dict[str, int | None]] = []
    for rater in plan.raters:
        found, wrong = _read_rater(Path(folder), sheets, plan, rater, predictions, may_be_missing)
        problems += wrong
        rated.append(found)
    if problems:
        raise DataError(
            f"{len(problems)} problem(s) in the ratings of {folder}; correct them and import again", problems
        )
    matched = exact_matches(predictions) if plan.scope == "failures" else set()
    return [[_score(prediction, plan, ratings, matched) for prediction in predictions] for ratings in rated]


def who_rated(plan: RatingPlan, imported: Sequence[list[Score]]) -> tuple[dict[str, list[Score]], list[str]]:
    """Scores by rater, and the names of those who rated nothing: their exact matches are no ratings."""
    chosen = set(plan.sample_ids)
    runs = {
        rater: scores
        for rater, scores in zip(plan.raters, imported)
        if any(score.value is not None for score in scores if score.sample_id in chosen)
    }
    return runs, [rater for rater in plan.raters if rater not in runs]


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
    folder: Path,
    sheets: Mapping[Path, list[SheetRow]],
    plan: RatingPlan,
    rater: str,
    predictions: Sequence[Prediction],
    may_be_missing: bool,
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
    mine, codes = [], plan.codes(rater)
    for path, rows in sheets.items():
        if path.stem == rater or any(row.item.strip() in codes for row in rows):
            mine.append(path)
    if not mine and any((folder / (rater + suffix)).is_file() for suffix in _SHEETS):
        return {}, []  # it could not be read, and has been named
    if not mine:
        return {}, [f"{rater}.xlsx: no such file, nor {rater}.csv, nor another sheet with this rater's items"]
    filled = [path for path in mine if any(_is_filled(row) for row in sheets[path])]
    if len(filled) > 1:
        names = " and ".join(path.name for path in filled)
        return {}, [f"{names} are both filled in, by {rater}; move one of them to another folder"]
    return _check_rows(sheets[(filled or mine)[0]], plan, rater, predictions, may_be_missing)


def _read_sheets(folder: Path, plan: RatingPlan) -> tuple[dict[Path, list[SheetRow]], list[str]]:
    """Every sheet of a folder, those first that have a rater's name, and what is wrong with some.

    A sheet may have another name (``rater01 (1).xlsx``): it is known by the codes of its items. One that holds nobody's
    is named and left alone.
    """
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in _SHEETS and path.name[0] not in "~."]
    if (folder / STORE).exists():
        return {}, [
            f"{path.name}: the ratings of this folder are the page's, and a sheet beside them is not read; move it to "
            "the folder that it was exported to, and import that one as well"
            for path in paths
        ]
    sheets: dict[Path, list[SheetRow]] = {}
    problems: list[str] = []
    known = {code for rater in plan.raters for code in plan.codes(rater)}
    for path in sorted(paths, key=lambda path: (path.stem not in plan.raters, path.suffix != ".xlsx", path.name)):
        try:
            rows = read_sheet(path)
        except DataError as error:
            problems.append(error.summary)
            continue
        if path.stem in plan.raters or any(row.item.strip() in known for row in rows):
            sheets[path] = rows
        else:
            say_once(f"{path}: not read, it holds no item of this export")
    return sheets, problems


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
