"""A study's folder: begun or gone on with, who has done how much in it, and what they said as rows of sheets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError
from ...records import Prediction
from ...rubrics import CANNOT_JUDGE, Rubric, require_same_rubric
from .plan import PLAN, RatingPlan, make_plan, next_round, rating_pairs, read_plan, write_plan
from .sheets import SIDE_LABELS, SheetRow
from .store import STORE, Progress, RatingStore

_NAME_LIMIT = 40
_NAME = re.compile(r"\w(?:[\w .-]*\w)?")


def begin_plan(
    folder: Path,
    predictions: Sequence[Prediction],
    rubric: Rubric,
    seed: int | None,
    scope: str | None,
    count: int,
    *,
    new_round: bool = False,
    keep: bool = True,
    models: Sequence[str] = (),
    same: Sequence[str] = (),
) -> RatingPlan:
    """The plan of a study in ``folder``, new or as it was begun on a page or with sheets; else as for ``make_plan``.

    An earlier plan is kept when neither ``seed`` nor ``scope`` is given, or when they give the same; ``new_round`` adds
    a round to it.

    Args:
        keep: write it down at once; a caller that does more first, and may fail, writes it itself.
        models, same: of a comparison of two models; ``predictions`` are pairs then.

    Raises:
        ConfigError: the folder holds ratings of another choice of answers, or ratings without their plan, or there is
            nothing to add a round to.
        DataError: it was begun with other predictions or another rubric, or its plan is damaged.
    """
    folder, alike = Path(folder), set(same)
    given = [prediction for prediction in predictions if prediction.id not in alike]
    before = _plan_before(folder, predictions, rubric, models)
    if before is None:
        if new_round:
            raise ConfigError(f"{folder} holds no study to add a round to; leave --new-round out to begin one")
        if _answered(folder, rubric):
            raise ConfigError(f"{folder / STORE} holds ratings, but {PLAN} is gone; put it back")
        plan = replace(make_plan(given, rubric, 1, seed or 0, scope, count), raters=())
        plan = replace(plan, models=tuple(models), same=tuple(same))
    elif new_round:
        if seed not in (None, before.seed):
            raise ConfigError(f"the seed of {folder} is {before.seed}; leave --seed out of a new round")
        plan = next_round(before, given, scope, count)
    elif seed is None and scope is None:
        return before
    else:
        seed = before.seed if seed is None else seed
        scope, count = (scope, count) if scope else (before.scope, len(before.sample_ids))
        plan = make_plan(given, rubric, 1, seed, scope, count)
        plan = replace(plan, raters=(), models=before.models, same=before.same)
        if plan == replace(before, raters=(), rounds=()):
            return before
        if before.raters or before.rounds or _answered(folder, rubric):
            raise ConfigError(
                f"{folder} holds ratings or sheets of another choice of answers or another seed; leave --all, --random "
                "and --seed out to go on with it, give --new-round for a further one, or choose another --out"
            )
    if keep:
        write_plan(plan, folder)
    return plan


def _plan_before(
    folder: Path, predictions: Sequence[Prediction], rubric: Rubric, models: Sequence[str]
) -> RatingPlan | None:
    """The plan that the folder has, if it is of this rubric and these models. Raises as ``begin_plan``."""
    if not (folder / PLAN).exists():
        return None
    before = read_plan(folder, predictions)
    require_same_rubric(before.rubric, rubric, f"the ratings in {folder}")
    if models and before.models != tuple(models):
        raise ConfigError(f"{folder} compares {' and '.join(before.models)}, not {' and '.join(models)}; see --label")
    return before


def _answered(folder: Path, rubric: Rubric) -> tuple[str, ...]:
    """Who has answered anything that the folder's store holds."""
    if not (folder / STORE).exists():
        return ()
    with RatingStore(folder / STORE, rubric) as store:
        return tuple(store.counts())


def read_any_plan(folder: Path, predictions: Sequence[Prediction]) -> RatingPlan:
    """The plan of a study with everybody who was given a sheet or has rated on its page.

    Raises:
        DataError: as ``read_plan``, or there are no raters yet.
    """
    plan = read_plan(folder, predictions)
    plan = replace(plan, raters=raters_of(folder, plan))
    if not plan.raters:
        raise DataError(f"nobody has rated yet in {folder}; run pefomed rate serve")
    return plan


def raters_of(folder: Path, plan: RatingPlan) -> tuple[str, ...]:
    """Who was given a sheet or has rated on the page."""
    return tuple(dict.fromkeys((*plan.raters, *_answered(Path(folder), plan.rubric))))


def clean_rater(name: Any) -> str:
    """A rater's name as it is kept: small letters and single spaces, so that one person is not two; a file name too.

    Raises:
        DataError: not a name of letters, digits, spaces, dots, hyphens and underscores.
    """
    clean = " ".join(unicodedata.normalize("NFKC", name).casefold().split()) if isinstance(name, str) else ""
    if not _NAME.fullmatch(clean) or len(clean) > _NAME_LIMIT:
        raise DataError(
            f"a rater's name begins and ends with a letter or digit, and has at most {_NAME_LIMIT} letters, digits, "
            "spaces, dots, hyphens and underscores"
        )
    return clean


def progress_of(plan: RatingPlan, store: RatingStore | None) -> dict[str, Any]:
    """Who has done how many items in each round, without verdicts; also those who were given sheets and did nothing."""
    found = {(row.rater, row.round): row for row in (store.progress() if store is not None else ())}
    raters = list(dict.fromkeys((*plan.raters, *(rater for rater, _ in found))))
    rows = []
    for number in range(1, plan.round + 1):
        for rater in raters:
            row = found.get((rater, number), Progress(rater, number, 0, 0, 0, 0, 0, ""))
            rows.append({**row._asdict(), "of": len(plan.ids_of(number))})
    return {
        "rounds": [len(plan.ids_of(number)) for number in range(1, plan.round + 1)],
        "raters": rows,
        "same": len(plan.same),
        "side_by_side": bool(plan.models),
    }


def rated_rows(
    folder: Path, plan: RatingPlan, rater: str, predictions: Sequence[Prediction], number: int = 1
) -> list[SheetRow]:
    """A rater's ratings of a round as rows of a sheet, in their order; items not rated yet have no rating."""
    said = {}
    if (Path(folder) / STORE).exists():
        with RatingStore(Path(folder) / STORE, plan.rubric) as store:
            said = store.ratings_of(rater, number)
    rows = []
    for place, (code, prediction) in enumerate(rating_pairs(plan, rater, predictions, number), 1):
        question, reference, answer, second = plan.texts(rater, prediction, number)
        stored = said.get(prediction.id)
        rating: Any = None
        if stored and stored.is_answer:
            rating = CANNOT_JUDGE if stored.cannot else choice_of(plan, stored.rating)
        rows.append(
            SheetRow(
                code,
                question,
                reference,
                answer,
                rating,
                stored.comment if stored else "",
                plan.rubric.tag,
                f"{rater}, item {place}",
                second,
            )
        )
    return rows


def choice_of(plan: RatingPlan, rating: int | None) -> Any:
    """A rating as it stands in a sheet: the level, or A, tie or B."""
    return SIDE_LABELS[rating] if plan.models and rating is not None else rating
