"""A rating page's side of the work: what one rater sees, and what may be saved.

Blinded as sheets are: codes and orders are those of ``plan`` for the rater's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...errors import DataError, ImageError
from ...records import Prediction
from ...rubrics import CANNOT_JUDGE
from ..images.decoding import locate
from .folder import choice_of, progress_of
from .plan import RatingPlan, rating_pairs, visible
from .sheets import SIDE_LABELS
from .store import RatingStore

COMMENT_LIMIT = 2000
"""Characters of a comment."""
SIDE_KEYS = {2: "a", 1: "t", 0: "b"}
"""Keys of the page side by side, by the rating that is kept: 2 is for the text shown first, 0 for the second."""


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
        text = "answer" if rubric.task == "vqa" else "report"
        return {
            "rater": rater,
            "study": self.study,
            "title": "Answer to rate" if rubric.task == "vqa" else "Report to rate",
            "text": text,
            "asked": f"Which {text} is better?" if self.plan.models else f"How good is this {text}?",
            "images": self.image_roots is not None,
            "levels": self._levels(),
            "cannotJudge": CANNOT_JUDGE,
            "commentLimit": COMMENT_LIMIT,
            "round": number,
            "rounds": self.plan.round,
            "sideBySide": bool(self.plan.models),
            "items": items,
        }

    @property
    def study(self) -> str:
        """Which study this is: its store, answers and scale. Items have the same codes in another one about the same
        samples, whose page may still be open when this one is served at its address.
        """
        named = (str(Path(self.store.path).resolve()), self.plan.digest, self.plan.rubric.digest)
        return hashlib.sha256("\0".join(named).encode()).hexdigest()[:16]

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
            ``undo``; ``replaced``: the answer that stood until now, as it is called, or None; ``comment``: the one that
            stands, if it is not the comment given; after ``undo``, ``rating`` and ``cannot`` as they stand.

        Raises:
            DataError: a page of another study (``study``), unknown item or round, or a value that is none; nothing is
                kept then.
            StoreError: it could not be written.
        """
        if said.get("study", self.study) != self.study:
            raise DataError("this page shows another study than the one that is served here now; load it again")
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
        replaced = None
        if kept.before is not None and kept.before.is_answer:
            replaced = CANNOT_JUDGE if kept.before.cannot else str(choice_of(self.plan, kept.before.rating))
        rated = {"rated": self.store.counts(number).get(rater, 0), "saved": kept.number, "replaced": replaced}
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


@lru_cache(maxsize=64)
def _codes(plan: RatingPlan, rater: str, number: int) -> dict[str, str]:
    """Kept, because every rating and every image asks for them."""
    return plan.codes(rater, number)
