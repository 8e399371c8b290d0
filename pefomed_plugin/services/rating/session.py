"""A rating page's side of the work: begin or go on, what one rater sees, what may be saved, rows as a sheet has them.

Blinded as sheets are: codes and orders are those of ``plan`` for the rater's name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError, ImageError
from ...records import Prediction
from ...rubrics import CANNOT_JUDGE, Rubric, require_same_rubric
from ..images.decoding import locate
from .plan import PLAN, RatingPlan, make_plan, next_round, rating_pairs, read_plan, visible, write_plan
from .sheets import SIDE_LABELS, SheetRow
from .store import STORE, Progress, RatingStore

COMMENT_LIMIT = 2000
"""Characters of a comment."""
_NAME_LIMIT = 40
SIDE_KEYS = {2: "a", 1: "t", 0: "b"}
"""Keys of the page side by side, by the rating that is kept: 2 is for the text shown first, 0 for the second."""
_NAME = re.compile(r"\w(?:[\w .-]*\w)?")


class RatingSession:
    """One plan, its predictions and the store, as the page needs them.

    ``image_roots``: data set -> folder that its images are below; None: no images are shown.
    """

    def __init__(
        self,
        plan: RatingPlan,
        predictions: Sequence[Prediction],
        store: RatingStore,
        image_roots: Mapping[str, Path] | None = None,
    ) -> None:
        self.plan, self.store, self.image_roots = plan, store, image_roots
        chosen = set(plan.sample_ids)
        self._predictions = {prediction.id: prediction for prediction in predictions if prediction.id in chosen}
        self.no_image = self._find_missing_images()
        """Why an image of the plan cannot be shown, by sample id."""

    def _find_missing_images(self) -> dict[str, str]:
        problems: dict[str, str] = {}
        for prediction in self._predictions.values() if self.image_roots is not None else ():
            try:
                paths = [locate(self.image_root(prediction), image) for image in prediction.images]
                gone = [str(path) for path in paths if not path.is_file()]
                if gone:
                    problems[prediction.id] = f"{', '.join(gone)}: no such file"
            except ImageError as error:
                problems[prediction.id] = str(error)
        return problems

    def image_root(self, prediction: Prediction) -> Path:
        """Folder that a prediction's image is below."""
        assert self.image_roots is not None
        return self.image_roots[prediction.dataset]

    def describe(self, rater: str, number: int | None = None) -> dict[str, Any]:
        """Everything a rater's page shows, in their order: texts and what they have said; no id, model or score.

        Args:
            number: of the round; None: the one that is going on.

        Raises:
            DataError: there is no such round.
        """
        number = self.round_of(number)
        said, rubric = self.store.ratings_of(rater, number), self.plan.rubric
        items = []
        for code, prediction in rating_pairs(self.plan, rater, list(self._predictions.values()), number):
            question, reference, answer, second = self.plan.texts(rater, prediction, number)
            stored = said.get(prediction.id)
            items.append(
                {
                    "item": code,
                    "question": question,
                    "reference": reference,
                    "answer": answer,
                    "images": len(prediction.images)
                    if self.image_roots is not None and prediction.id not in self.no_image
                    else 0,
                    "views": prediction.image_names if len(prediction.images) > 1 else [],
                    "rating": stored.rating if stored else None,
                    "cannot": bool(stored and stored.cannot),
                    "comment": stored.comment if stored else "",
                    **({"second": second} if self.plan.models else {}),
                }
            )
        return {
            "rater": rater,
            "title": "Answer to rate" if rubric.task == "vqa" else "Report to rate",
            "text": "answer" if rubric.task == "vqa" else "report",
            "images": self.image_roots is not None,
            "levels": self._levels(),
            "cannotJudge": CANNOT_JUDGE,
            "commentLimit": COMMENT_LIMIT,
            "round": number,
            "rounds": self.plan.round,
            "sideBySide": bool(self.plan.models),
            "items": items,
        }

    def _levels(self) -> list[dict[str, Any]]:
        rubric = self.plan.rubric
        keys = SIDE_KEYS if self.plan.models else dict(zip(rubric.values, rubric.keys()))
        return [
            {
                "value": level.value,
                "key": keys[level.value],
                "label": SIDE_LABELS[level.value] if self.plan.models else str(level.value),
                "word": level.word,
                "when": level.description,
            }
            for level in reversed(rubric.levels)
        ]

    def round_of(self, number: int | None) -> int:
        """A round that there is. Raises DataError for another."""
        if number is None:
            return self.plan.round
        if type(number) is not int or not 1 <= number <= self.plan.round:
            raise DataError(f"no such round; there are {self.plan.round}")
        return number

    def prediction(self, rater: str, code: Any, number: int | None = None) -> Prediction:
        """The prediction behind a rater's code.

        Raises:
            DataError: it is none of theirs.
        """
        codes = _codes(self.plan, rater, self.round_of(number))
        sample_id = codes.get(code) if isinstance(code, str) else None
        if sample_id is None:
            raise DataError(f"no such item for {rater}; load the page again")
        return self._predictions[sample_id]

    def save(self, rater: str, code: Any, said: Mapping[str, Any]) -> dict[str, Any]:
        """Keep ``rating`` or ``cannot``, ``comment``, or both; or take a rating back (``undo``).

        A comment comes with the one that the page showed before (``seen``): where another window has changed it since,
        that one is kept and goes back as ``comment``, so that a page left open wipes nothing.

        Returns:
            ``rated``: how many items of this round this rater has done now; ``saved``: number of what was said, for
            ``undo``; ``comment``: the one that stands, if it is not the comment given; after ``undo``, ``rating`` and
            ``cannot`` as they stand.

        Raises:
            DataError: unknown item or round, or a value that is none; nothing is kept then.
            StoreError: it could not be written.
        """
        number = self.round_of(said.get("round"))
        prediction = self.prediction(rater, code, number)
        if "undo" in said:
            if type(said["undo"]) is not int:
                raise DataError("what is undone has a number")
            stands = self.store.undo(rater, prediction.id, said["undo"], number)
            found = {"rating": stands.rating, "cannot": stands.cannot, "saved": stands.number}
            return {"rated": self.store.counts(number).get(rater, 0), **found}
        rating, comment, seen = self._checked(said)
        words = visible(comment) if comment is not None else None
        kept = self.store.save(
            rater,
            prediction.id,
            rating,
            words,
            visible(seen) if seen is not None else None,
            cannot="cannot" in said,
            number=number,
        )
        rated = {"rated": self.store.counts(number).get(rater, 0), "saved": kept.number}
        return rated if words in (None, kept.comment) else {**rated, "comment": kept.comment}

    def _checked(self, said: Mapping[str, Any]) -> tuple[int | None, str | None, str | None]:
        """Rating, comment and the comment seen before. Raises DataError where one is none."""
        if not {"rating", "comment", "cannot"} & set(said):
            raise DataError("neither a rating nor a comment")
        if "cannot" in said and (said["cannot"] is not True or "rating" in said):
            raise DataError("an item is rated, or it cannot be judged: one of the two")
        rating, comment = said.get("rating"), said.get("comment")
        if "rating" in said and (
            type(rating) is not int or rating not in self.plan.rubric.values
        ):  # True is an int to isinstance
            raise DataError(f"no such rating; choose one of {self.plan.rubric.scale}")
        if "comment" in said and (not isinstance(comment, str) or len(comment) > COMMENT_LIMIT):
            raise DataError(f"a comment is a text of at most {COMMENT_LIMIT:,} characters")
        seen = said.get("seen", "") if comment is not None else None
        if seen is not None and not isinstance(seen, str):
            raise DataError("the comment seen before is a text")
        return rating, comment, seen

    def progress(self) -> dict[str, Any]:
        """How far everybody is, for who runs the study: counts, and nothing of what was said."""
        return progress_of(self.plan, self.store)


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


@lru_cache(maxsize=64)
def _codes(plan: RatingPlan, rater: str, number: int) -> dict[str, str]:
    """Kept, because every rating and every image asks for them."""
    return plan.codes(rater, number)


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
        keep: write it down at once; a caller that does more first, and may fail, writes a new round itself.
        models, same: of a comparison of two models; ``predictions`` are pairs then.

    Raises:
        ConfigError: the folder holds ratings of another choice of answers, or ratings without their plan, or there is
            nothing to add a round to.
        DataError: it was begun with other predictions or another rubric, or its plan is damaged.
    """
    folder = Path(folder)
    given = [prediction for prediction in predictions if prediction.id not in set(same)]
    if not (folder / PLAN).exists():
        if new_round:
            raise ConfigError(f"{folder} holds no study to add a round to; leave --new-round out to begin one")
        plan = replace(make_plan(given, rubric, 1, seed or 0, scope, count), raters=())
        plan = replace(plan, models=tuple(models), same=tuple(same))
        with RatingStore(folder / STORE, rubric) as store:  # there before the plan: what is killed can be begun again
            if store.counts():
                raise ConfigError(f"{folder / STORE} holds ratings, but {PLAN} is gone; put it back")
        write_plan(plan, folder)
        return plan
    before = read_plan(folder, predictions)
    require_same_rubric(before.rubric, rubric, f"the ratings in {folder}")
    if models and before.models != tuple(models):
        raise ConfigError(f"{folder} compares {' and '.join(before.models)}, not {' and '.join(models)}; see --label")
    if new_round:
        if seed not in (None, before.seed):
            raise ConfigError(f"the seed of {folder} is {before.seed}; leave --seed out of a new round")
        plan = next_round(before, given, scope, count)
        if keep:
            write_plan(plan, folder)
        return plan
    if seed is None and scope is None:
        return before
    seed = before.seed if seed is None else seed
    scope, count = (scope, count) if scope else (before.scope, len(before.sample_ids))
    plan = replace(make_plan(given, rubric, 1, seed, scope, count), raters=(), models=before.models, same=before.same)
    if plan == replace(before, raters=(), rounds=()):
        return before
    with RatingStore(folder / STORE, rubric) as store:
        if store.counts() or before.raters or before.rounds:
            raise ConfigError(
                f"{folder} holds ratings or sheets of another choice of answers or another seed; leave --all, --random "
                "and --seed out to go on with it, give --new-round for a further one, or choose another --out"
            )
    write_plan(plan, folder)
    return plan


def read_any_plan(folder: Path, predictions: Sequence[Prediction]) -> RatingPlan:
    """The plan of a study with everybody who was given a sheet or has rated on its page.

    Raises:
        DataError: as ``read_plan``, or there are no raters yet.
    """
    plan = read_plan(folder, predictions)
    if (Path(folder) / STORE).exists():
        with RatingStore(Path(folder) / STORE, plan.rubric) as store:
            plan = replace(plan, raters=tuple(dict.fromkeys((*plan.raters, *store.counts()))))
    if not plan.raters:
        raise DataError(f"nobody has rated yet in {folder}; run pefomed rate serve")
    return plan


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
