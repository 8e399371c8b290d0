"""Sheets and page of a study brought together: what stands for each rater, what was replaced, and what contradicts.

Everything goes into the store and stays there; of what one rater said about one item the last word counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError
from ...records import Prediction, Score
from ...rubrics import CANNOT_JUDGE
from ...scoring.pairing import NO_PREDICTION
from ...scoring.ratings import human_spec
from .plan import RatingPlan, exact_matches
from .sheet_import import Given, Key, SheetAnswers, offered, read_sheets, shown
from .sheets import sheet_name
from .store import PAGE, STORE, UNDONE, RatingStore, Said, StoredRating

VERSION = "1"
NOT_RATED, MATCHED, LEFT_EMPTY = "not among the rated", "exact match, not rated", "left empty"
SHEET = "sheet"
"""With ``PAGE``: which of two contradictory answers counts, where somebody says so."""

History = Mapping[Key, Sequence[StoredRating]]


@dataclass(frozen=True)
class Imported:
    """A study as it stands."""

    said: Mapping[str, Mapping[str, StoredRating]]
    """Rater -> sample id -> the last word, of whatever round."""
    history: History
    """All words."""
    new: int
    """Answers that came from sheets this time."""
    replaced: list[str]
    """Earlier answers of the same rater that have given way, in words."""


def import_study(
    folder: Path,
    plan: RatingPlan,
    predictions: Sequence[Prediction],
    may_be_missing: bool = False,
    prefer: str | None = None,
) -> Imported:
    """Read the sheets of a study into its store, beside what the page has kept.

    A sheet that was changed since it was imported, or a later word on the page, takes the place of what was said
    before. A sheet that contradicts the page is a problem, because nobody knows which of them came later.

    Args:
        may_be_missing: an item that was not answered has no value.
        prefer: ``PAGE`` or ``SHEET``, which counts where they contradict.

    Raises:
        DataError: sheets are missing or unreadable, ratings are missing, no whole number or out of range, texts were
            edited, rows are doubled, foreign or gone, answers contradict: all of them, and nothing was kept.
    """
    folder = Path(folder)
    sheets = read_sheets(folder, plan, predictions)
    before: History = {}
    if (folder / STORE).exists():
        with RatingStore(folder / STORE, plan.rubric) as store:
            before = store.history()
    answers, replaced, contradictions = _meet(plan, sheets, before, prefer)
    problems = [*sheets.problems, *contradictions, *_missing(plan, sheets, before, answers, may_be_missing)]
    if problems:
        raise DataError(
            f"{len(problems)} problem(s) in the ratings of {folder}; correct them and import again", problems
        )
    if answers:
        with RatingStore(folder / STORE, plan.rubric) as store:
            store.keep(answers)
            before = store.history()
    return Imported(_last_words(before), before, sum(a.rating is not None or a.cannot for a in answers), replaced)


def _meet(
    plan: RatingPlan, sheets: SheetAnswers, before: History, prefer: str | None
) -> tuple[list[Said], list[str], list[str]]:
    """What is to be kept of the sheets, which earlier words give way, and which contradict."""
    answers, replaced, contradictions = [], [], []
    for key, given in sheets.given.items():
        rater, number, sample_id = key
        words = before.get(key, ())
        last = words[-1] if words else None
        is_known = any((word.rating, word.cannot) == (given.rating, given.cannot) and _is_sheet(word) for word in words)
        rating, cannot = given.rating, given.cannot
        is_same = last is not None and (last.rating, last.cannot) == (rating, cannot)
        if last is not None and last.is_answer and not is_same:
            if not given.is_answer or (is_known and not _is_sheet(last)):
                rating, cannot = last.rating, last.cannot  # an empty cell takes nothing away, nor does an old one
            elif not _is_sheet(last) and prefer != SHEET:
                text = (
                    f"{given.place}: {rater} says {shown(plan, given)} here and said {shown(plan, last)} on the page "
                    f"({last.at})"
                )
                if prefer is None:
                    contradictions.append(f"{text}; correct one of them, or give --prefer page or --prefer sheet")
                    continue
                replaced.append(f"{text}; the page counts")
                rating, cannot = last.rating, last.cannot
            else:
                replaced.append(
                    f"{rater}, {given.place}: {shown(plan, given)} takes the place of {shown(plan, last)} "
                    f"({'the page' if not _is_sheet(last) else last.origin}, {last.at})"
                )
        comment = _joined(last.comment if last else "", given)
        if last is None or (rating, cannot, comment) != (last.rating, last.cannot, last.comment):
            answers.append(Said(rater, sample_id, number, rating, cannot, comment, given.sheet))
    return answers, replaced, contradictions


def _joined(before: str, given: Given) -> str:
    """Both comments where there are two."""
    if not before or not given.comment.strip():
        return before or given.comment
    return before if given.comment in before else f"{before} / {given.comment}"


def _is_sheet(word: StoredRating) -> bool:
    return word.origin not in (PAGE, UNDONE)


def _missing(
    plan: RatingPlan, sheets: SheetAnswers, before: History, answers: Sequence[Said], may_be_missing: bool
) -> list[str]:
    """What nobody has answered yet, in words: a line of a sheet each, of the page one a rater."""
    if may_be_missing:
        return []
    done = {(rater, sample_id) for (rater, _, sample_id), words in before.items() if words[-1].is_answer}
    done |= {(said.rater, said.sample_id) for said in answers if said.rating is not None or said.cannot}
    done |= {(rater, sample_id) for (rater, _, sample_id), given in sheets.given.items() if given.is_answer}
    problems = []
    on_page = {rater for rater, *_ in before}
    for rater in plan.raters:
        open_ids = [sample_id for sample_id in plan.sample_ids if (rater, sample_id) not in done]
        rounds = [number for number in range(1, plan.round + 1) if (rater, number) in sheets.seen]
        is_named = any(each == rater for each, _ in sheets.unread) or any(
            problem.startswith(f"{rater}:") for problem in sheets.problems
        )
        places = {sample_id: place for (each, _, sample_id), place in sheets.empty.items() if each == rater}
        named = [place for sample_id, place in places.items() if sample_id in set(open_ids)]
        problems += [f"{place}: no rating; choose one of {offered(plan)}" for place in named]
        left = len(open_ids) - len(named)
        if left and not rounds and rater not in on_page and not is_named:
            problems.append(f"{rater}.xlsx: no such file, nor {rater}.csv, nor another sheet with this rater's items")
        elif left and not rounds and not is_named:
            problems.append(
                f"{rater}: {left:,} of {len(plan.sample_ids):,} items are not rated yet; rate them (pefomed rate "
                "serve), or give --allow-missing"
            )
        elif left and not is_named and not _has_wrong_rows(sheets, rater):
            gone = ", ".join(sheet_name(rater, number) for number in range(1, plan.round + 1) if number not in rounds)
            problems.append(
                f"{rater}: {left:,} of {len(plan.sample_ids):,} items are not rated, neither on a sheet here "
                f"({gone or 'a sheet'} is missing) nor on the page; or give --allow-missing"
            )
    return problems


def _has_wrong_rows(sheets: SheetAnswers, rater: str) -> bool:
    """Whether a sheet of this rater holds cells that were named as wrong: they are open, and need no second word."""
    names = {given.sheet for (each, *_), given in sheets.given.items() if each == rater} | {rater}
    return any(problem.startswith(name) for problem in sheets.problems for name in names)


def _last_words(history: History) -> dict[str, dict[str, StoredRating]]:
    """The last answer of each rater on each item: of the latest round that has one."""
    said: dict[str, dict[str, StoredRating]] = {}
    for (rater, _, sample_id), words in sorted(history.items(), key=lambda item: item[0][1]):
        mine = said.setdefault(rater, {})
        if words[-1].is_answer or sample_id not in mine:
            mine[sample_id] = words[-1]
    return said


def scores_of(plan: RatingPlan, predictions: Sequence[Prediction], imported: Imported) -> list[list[Score]]:
    """Scores of every rater of the plan, one per prediction in their order.

    Under the scope ``failures`` what matched exactly scores 1 (or the top of the scale) without a rating, as in the
    paper; under ``random`` what was not drawn has no value. Nor has what somebody cannot judge.
    """
    matched = exact_matches(predictions) if plan.scope == "failures" else set()
    given = set(plan.sample_ids)
    return [
        [_score(each, plan, imported.said.get(rater, {}), each.id in given, each.id in matched) for each in predictions]
        for rater in plan.raters
    ]


def _score(
    prediction: Prediction, plan: RatingPlan, said: Mapping[str, StoredRating], is_given: bool, is_matched: bool
) -> Score:
    value: float | None = None
    reason: str | None = NOT_RATED
    if is_given:
        word = said.get(prediction.id)
        value = None if word is None or word.rating is None else float(word.rating)
        reason = CANNOT_JUDGE if word is not None and word.cannot else None if value is not None else LEFT_EMPTY
    elif prediction.prediction is None:
        value, reason = float(plan.rubric.lowest), NO_PREDICTION
    elif is_matched:
        value, reason = float(plan.rubric.highest), MATCHED
    return Score(prediction.id, human_spec(plan.rubric, VERSION).name, VERSION, value, reason)


def who_rated(plan: RatingPlan, imported: Imported, scores: Sequence[list[Score]]) -> dict[str, list[Score]]:
    """Scores by rater, of those who answered something: of the others exact matches are no ratings."""
    said = {rater for rater, words in imported.said.items() if any(word.is_answer for word in words.values())}
    return {rater: given for rater, given in zip(plan.raters, scores) if rater in said}


def cannot_judge(imported: Imported) -> dict[str, int]:
    """How many items each rater cannot judge; who can judge all is not named."""
    counts = {rater: sum(word.cannot for word in words.values()) for rater, words in imported.said.items()}
    return {rater: count for rater, count in counts.items() if count}


def again(imported: Imported) -> dict[str, dict[str, list[float | None]]]:
    """Of each rater who rated items in several rounds, every round's ratings of these, by the round's name."""
    by_rater: dict[str, dict[int, dict[str, int]]] = {}
    for (rater, number, sample_id), words in imported.history.items():
        if words[-1].rating is not None:
            by_rater.setdefault(rater, {}).setdefault(number, {})[sample_id] = words[-1].rating
    found = {}
    for rater, rounds in by_rater.items():
        ids = sorted({each for ids in rounds.values() for each in ids})
        twice = [each for each in ids if sum(each in said for said in rounds.values()) > 1]
        if twice:
            found[rater] = {f"round {n}": [_float(rounds[n].get(each)) for each in twice] for n in sorted(rounds)}
    return found


def _float(value: int | None) -> float | None:
    return None if value is None else float(value)
