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
from ...rubrics import Rubric, require_same_rubric
from ..images.decoding import locate
from .plan import PLAN, RatingPlan, make_plan, rating_pairs, read_plan, shown_texts, visible, write_plan
from .sheets import SheetRow
from .store import STORE, RatingStore

COMMENT_LIMIT = 2000
"""Characters of a comment."""
_NAME_LIMIT = 40
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

    def describe(self, rater: str) -> dict[str, Any]:
        """Everything a rater's page shows, in their order: texts and what they have said; no id, model or score."""
        said, rubric = self.store.ratings_of(rater), self.plan.rubric
        items = []
        for code, prediction in rating_pairs(self.plan, rater, list(self._predictions.values())):
            question, reference, answer = shown_texts(prediction)
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
                    "comment": stored.comment if stored else "",
                }
            )
        return {
            "rater": rater,
            "title": "Answer to rate" if rubric.task == "vqa" else "Report to rate",
            "images": self.image_roots is not None,
            "levels": [
                {"value": level.value, "key": key, "word": level.word, "when": level.description}
                for level, key in zip(reversed(rubric.levels), reversed(rubric.keys()))
            ],
            "commentLimit": COMMENT_LIMIT,
            "items": items,
        }

    def prediction(self, rater: str, code: Any) -> Prediction:
        """The prediction behind a rater's code.

        Raises:
            DataError: it is none of theirs.
        """
        sample_id = _codes(self.plan, rater).get(code) if isinstance(code, str) else None
        if sample_id is None:
            raise DataError(f"no such item for {rater}; load the page again")
        return self._predictions[sample_id]

    def save(self, rater: str, code: Any, said: Mapping[str, Any]) -> dict[str, Any]:
        """Keep ``rating``, ``comment`` or both.

        A comment comes with the one that the page showed before (``seen``): where another window has changed it since,
        that one is kept and goes back as ``comment``, so that a page left open wipes nothing.

        Returns:
            ``rated``: how many items this rater has rated now; ``comment``: the one that stands, if it is not the
            comment given.

        Raises:
            DataError: unknown item, or a value that is none; nothing is kept then.
            StoreError: it could not be written.
        """
        prediction = self.prediction(rater, code)
        if not {"rating", "comment"} & set(said):
            raise DataError("neither a rating nor a comment")
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
        words = visible(comment) if comment is not None else None
        kept = self.store.save(rater, prediction.id, rating, words, visible(seen) if seen is not None else None)
        rated = {"rated": self.store.counts().get(rater, 0)}
        return rated if words in (None, kept) else {**rated, "comment": kept}


@lru_cache(maxsize=64)
def _codes(plan: RatingPlan, rater: str) -> dict[str, str]:
    """Kept, because every rating and every image asks for them."""
    return plan.codes(rater)


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
    folder: Path, predictions: Sequence[Prediction], rubric: Rubric, seed: int | None, scope: str | None, count: int
) -> RatingPlan:
    """The plan of a rating page in ``folder``, new or as it was begun; arguments as for ``make_plan``.

    An earlier plan is kept when neither ``seed`` nor ``scope`` is given, or when they give the same.

    Raises:
        ConfigError: the folder holds sheets, or ratings of another choice of answers, or ratings without their plan.
        DataError: it was begun with other predictions or another rubric, or its plan is damaged.
    """
    folder = Path(folder)
    before = None
    if (folder / PLAN).exists():
        if not (folder / STORE).exists():
            raise ConfigError(f"{folder} holds sheets of pefomed rate export; choose another --out")
        before = read_plan(folder, predictions)
        require_same_rubric(before.rubric, rubric, f"the ratings in {folder}")
        if seed is None and scope is None:
            return before
        seed = before.seed if seed is None else seed
        scope, count = (scope, count) if scope else (before.scope, len(before.sample_ids))
    plan = replace(make_plan(predictions, rubric, 1, seed or 0, scope, count), raters=())
    with RatingStore(
        folder / STORE, rubric
    ) as store:  # there before the plan: what is killed in between can be begun again
        if plan != before and store.counts():
            raise ConfigError(
                f"{folder} holds ratings of another choice of answers or another seed; leave --all, --random "
                "and --seed out to go on with it, or choose another --out"
                if before
                else f"{folder / STORE} holds ratings, but {PLAN} is gone; put it back"
            )
    write_plan(plan, folder)
    return plan


def read_any_plan(folder: Path, predictions: Sequence[Prediction]) -> RatingPlan:
    """The plan of a folder of sheets or of a rating page; of a page, with everybody who has rated.

    Raises:
        DataError: as ``read_plan``, or there are no ratings yet.
    """
    plan = read_plan(folder, predictions)
    if not (Path(folder) / STORE).exists():
        return plan
    with RatingStore(Path(folder) / STORE, plan.rubric) as store:
        raters = tuple(store.counts())
    if not raters:
        raise DataError(f"nobody has rated yet in {folder}; run pefomed rate serve")
    return replace(plan, raters=raters)


def rated_rows(folder: Path, plan: RatingPlan, rater: str, predictions: Sequence[Prediction]) -> list[SheetRow]:
    """A rater's ratings of the page as rows of a sheet, in their order; items not rated yet have no rating."""
    with RatingStore(Path(folder) / STORE, plan.rubric) as store:
        said = store.ratings_of(rater)
    rows = []
    for number, (code, prediction) in enumerate(rating_pairs(plan, rater, predictions), 1):
        stored = said.get(prediction.id)
        rows.append(
            SheetRow(
                code,
                *shown_texts(prediction),
                stored.rating if stored else None,
                stored.comment if stored else "",
                plan.rubric.tag,
                f"{rater}, item {number}",
            )
        )
    return rows
