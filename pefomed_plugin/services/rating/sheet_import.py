"""What raters wrote into the sheets of a study: every answer, or all that is wrong with the sheets in one report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ...records import Prediction
from ...rubrics import CANNOT_JUDGE
from .plan import PLAN, RatingPlan, rating_pairs
from .sheet_files import in_other_formats, read_files
from .sheets import SIDE_LABELS, SheetRow, sheet_name

_SHOWN_CHARACTERS = 40


class Given(NamedTuple):
    """What one row of a sheet says."""

    rating: int | None
    cannot: bool
    comment: str
    sheet: str
    """Name of the file."""
    place: str
    """File and line."""

    @property
    def is_answer(self) -> bool:
        """Whether something was chosen, and not only commented."""
        return self.rating is not None or self.cannot


Key = tuple[str, int, str]
"""Rater, round, sample id."""


@dataclass
class SheetAnswers:
    """What all sheets of a folder say together."""

    given: dict[Key, Given] = field(default_factory=dict)
    """Answers and comments."""
    empty: dict[Key, str] = field(default_factory=dict)
    """Place of rows without an answer."""
    unread: set[tuple[str, int]] = field(default_factory=set)
    """Rater and round of sheets that could not be read."""
    seen: set[tuple[str, int]] = field(default_factory=set)
    """Rater and round of the sheets that were read."""
    problems: list[str] = field(default_factory=list)


def read_sheets(folder: Path, plan: RatingPlan, predictions: Sequence[Prediction]) -> SheetAnswers:
    """Every sheet of a study, whatever it is called: it is known by the codes of its items.

    A rater's copies of one sheet are put together; where two of them answer an item differently, that is a problem. A
    file that holds nobody's items is named and left alone.
    """
    found, sheets = SheetAnswers(), read_files(folder, plan)
    for rater in plan.raters:
        for number in range(1, plan.round + 1):
            codes = plan.codes(rater, number)
            names = {sheet_name(rater, number), *((rater,) if number == 1 else ())}
            mine = [
                (path, rows)
                for path, rows in sheets.items()
                if isinstance(rows, list) and (path.stem in names or any(row.item.strip() in codes for row in rows))
            ]
            if any(isinstance(rows, str) and path.stem in names for path, rows in sheets.items()):
                found.unread.add((rater, number))
            mine = [each for each in mine if any(map(_is_filled, each[1]))] or mine[:1]
            for path, rows in mine:
                found.seen.add((rater, number))
                _take(found, path, rows, plan, rater, number, predictions)
    unread = [rows for rows in sheets.values() if isinstance(rows, str)]
    found.problems = [*unread, *in_other_formats(folder, plan), *found.problems]
    return found


def _take(
    found: SheetAnswers,
    path: Path,
    rows: Sequence[SheetRow],
    plan: RatingPlan,
    rater: str,
    number: int,
    predictions: Sequence[Prediction],
) -> None:
    """Add what one sheet says; contradictions with an earlier one are problems."""
    given, empty, problems = _check_rows(path, rows, plan, rater, number, predictions)
    found.problems += problems
    for sample_id, place in empty.items():
        found.empty.setdefault((rater, number, sample_id), place)
    for sample_id, new in given.items():
        key = rater, number, sample_id
        old = found.given.get(key)
        if old is None or not old.is_answer:
            found.given[key] = new
        elif new.is_answer and (old.rating, old.cannot) != (new.rating, new.cannot):
            found.problems.append(
                f"{rater} answered an item twice and differently: {old.place}: {shown(plan, old)}, and {new.place}: "
                f"{shown(plan, new)}; leave the one that counts"
            )
        elif new.comment.strip() and new.comment not in old.comment:
            found.given[key] = old._replace(comment=f"{old.comment} / {new.comment}" if old.comment else new.comment)


def shown(plan: RatingPlan, answer: Any) -> str:
    """An answer in words: a level, A, tie, B, ``cannot judge``; of what has neither, ``nothing``."""
    if answer.cannot:
        return CANNOT_JUDGE
    if answer.rating is None:
        return "nothing"
    return SIDE_LABELS[answer.rating] if plan.models else str(answer.rating)


def _check_rows(
    path: Path,
    rows: Sequence[SheetRow],
    plan: RatingPlan,
    rater: str,
    number: int,
    predictions: Sequence[Prediction],
) -> tuple[dict[str, Given], dict[str, str], list[str]]:
    """By sample id what the rows say, the place of empty ones, and what is wrong."""
    others = sorted({row.rubric for row in rows if row.rubric.strip() not in ("", plan.rubric.tag)})
    if others:
        return (
            {},
            {},
            [
                f"{rater}: these ratings were made under the rubric {' and '.join(others)}, this import uses "
                f"{plan.rubric.tag}; import them with the {PLAN} of their own export"
            ],
        )
    expected = dict(rating_pairs(plan, rater, predictions, number))
    codes = [_code_of(row.item, expected) for row in rows]
    times = Counter(codes)
    problems = [f"{rater}: the row of item {code} is gone" for code in expected if not times[code]]
    problems += [
        f"{rater}: item {code} stands there {count} times; leave the row that counts"
        for code, count in times.items()
        if count > 1 and code in expected
    ]
    given: dict[str, Given] = {}
    empty: dict[str, str] = {}
    for code, row in zip(codes, rows):
        prediction = expected.get(code)
        if prediction is None and not code:
            problems.append(
                f"{row.place}: no item stands there; move its words into an item's comment, or clear the line"
            )
            continue
        if prediction is None:
            problems.append(f"{row.place}: item {row.item[:_SHOWN_CHARACTERS]!r} is of another sheet; move it there")
            continue
        problems += _edited(row, plan, rater, prediction, number)
        if not _is_filled(row):
            empty[prediction.id] = row.place
            if row.comment.strip():
                given[prediction.id] = Given(None, False, row.comment, path.name, row.place)
            continue
        value, problem = _read_rating(row.rating, plan)
        if problem:
            problems.append(f"{row.place}: {problem}")
        else:
            given[prediction.id] = Given(value, value is None, row.comment, path.name, row.place)
    return given, empty, problems


def _edited(row: SheetRow, plan: RatingPlan, rater: str, prediction: Prediction, number: int) -> list[str]:
    """Which texts of a row are no longer those that were exported."""
    question, reference, answer, second = plan.texts(rater, prediction, number)
    original = SheetRow("", question, reference, answer, second=second).texts
    names = ("question", "reference", *(("answer A", "answer B") if plan.models else ("answer",)))
    return [
        f"{row.place}: the {name} was edited; restore it from the exported sheet"
        for name, now, before in zip(names, row.texts, original)
        if now != before
    ]


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


def _is_filled(row: SheetRow) -> bool:
    return row.rating is not None and str(row.rating).strip() != ""


def _read_rating(cell: Any, plan: RatingPlan) -> tuple[int | None, str]:
    """The rating, None for ``cannot judge``, and what is wrong with it."""
    text = " ".join(str(cell).split())
    if text.casefold() == CANNOT_JUDGE:
        return None, ""
    if plan.models:
        sides = {label.casefold(): value for value, label in SIDE_LABELS.items()}
        if text.casefold() in sides:
            return sides[text.casefold()], ""
        return None, f"the choice {text[:_SHOWN_CHARACTERS]!r} is none; choose one of {offered(plan)}"
    try:
        number = math.nan if isinstance(cell, bool) else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number != int(number):
        return None, f"the rating {text[:_SHOWN_CHARACTERS]!r} is not a whole number; choose one of {offered(plan)}"
    if int(number) not in plan.rubric.values:
        return None, f"the rating {number:g} is out of range; choose one of {offered(plan)}"
    return int(number), ""


def offered(plan: RatingPlan) -> str:
    """What a rater may choose, in words."""
    return f"{'A, B, tie' if plan.models else plan.rubric.scale} or {CANNOT_JUDGE}"
