"""The answers of a page, a row each, made when it is looked at. Opens no image and writes no HTML.

Rows are plain lists, their columns named once, so that thousands of them stay small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ...origins import GENERATED
from ...readers import describe
from ...records import CONFIDENCE, Prediction
from ...scoring.breakdown import groups_of
from ..results import Answered, Run
from .explorer_reliance import SampleReliance, occlusion_of

COLUMNS = (
    "id",
    "set",
    "images",
    "files",
    "views",
    "task",
    "question",
    "answer",
    "groups",
    "runs",
    "ratings",
    "looked",
    "map",
)
"""``id``: the sample's, or, of data that are not public, its line in the file of answers, which names no patient.
``files``: the images' file names, without folders where the data are not public. ``views``: what each image is called,
where there are several. ``groups``: what the sample belongs to, by the place of a field. ``runs``: prediction and
scores of each run, and how probable it held it where it was asked; None where it has none. ``ratings``: what every run
of a judge, or every rater, gave the first run's answer, by the place of the scorer. ``looked``: what was said about
other images (``explorer_reliance``). ``map``: what the answer leans on, ``occlusion_of``."""


_OfRun = tuple[Answered, Optional[dict[str, int]]]
"""A run's answers, and where each sample's stands."""


class SampleRows(Sequence[list[Any]]):
    """A row of ``COLUMNS`` for each answer of the first run, made when it is looked at: a page is streamed."""

    def __init__(
        self,
        runs: Sequence[Run],
        scorers: Sequence[str],
        images: Mapping[tuple[str, str], int],
        fields: Sequence[str],
        texts: bool,
    ) -> None:
        self._scorers, self._images, self._fields, self._texts = scorers, images, fields, texts
        self._public = public_sets(runs[0])
        self._sets = [
            (
                answered,
                [
                    (run.answered[key], _places(answered, run.answered[key])) if key in run.answered else None
                    for run in runs
                ],
            )
            for key, answered in runs[0].answered.items()
        ]
        self._looked = [SampleReliance(answered, texts) for answered in runs[0].answered.values()]

    def __len__(self) -> int:
        return sum(len(answered.predictions) for answered, _ in self._sets)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [self[single] for single in range(*place.indices(len(self)))]
        for number, (answered, of_runs) in enumerate(self._sets):
            if 0 <= place < len(answered.predictions):
                return self._row(number, answered, place, of_runs)
            place -= len(answered.predictions)
        raise IndexError("no such sample")

    def _row(self, number: int, answered: Answered, place: int, of_runs: Sequence[_OfRun | None]) -> list[Any]:
        prediction = answered.predictions[place]
        return [
            self._name(answered, place),
            number,
            [self._images[(prediction.dataset, image)] for image in prediction.images],
            self._files(prediction),
            prediction.image_names if len(prediction.images) > 1 else [],
            prediction.task,
            prediction.question if self._texts else None,
            prediction.answer if self._texts else None,
            [groups_of(prediction, field) for field in self._fields],
            [self._said(of_run, place, prediction.id) for of_run in of_runs],
            {
                self._scorers.index(name): [scores[place].value for scores in runs]
                for name, runs in answered.runs.items()
            },
            self._looked[number].of(place),
            occlusion_of(answered.occlusion.get(prediction.id)),
        ]

    def _name(self, answered: Answered, place: int) -> str:
        """What names a sample and no patient."""
        prediction = answered.predictions[place]
        return prediction.id if prediction.dataset in self._public else f"{answered.key}#{place + 1}"

    def _files(self, prediction: Prediction) -> list[str]:
        is_public = prediction.dataset in self._public
        return [shown_file(image, is_public) for image in prediction.images] if is_public or self._texts else []

    def _said(self, of_run: _OfRun | None, place: int, name: str) -> list[Any] | None:
        """Prediction and scores of one run; None where it did not answer this."""
        if of_run is None:
            return None
        answered, places = of_run
        found = place if places is None else places.get(name)
        if found is None:
            return None
        by_scorer = (answered.scores.get(scorer) for scorer in self._scorers)
        prediction = answered.predictions[found]
        confidence = prediction.producer.get(CONFIDENCE)
        return [
            prediction.prediction if self._texts else None,
            [_rounded(scores[found].value) if scores else None for scores in by_scorer],
            *([_rounded(float(confidence))] if isinstance(confidence, (int, float)) else []),
        ]


def public_sets(run: Run) -> set[str]:
    """Data sets whose ids and paths name no patient that is not named in public: public ones, and generated ones."""
    origins = run.origins.data
    return {name for name in run.datasets if origins.get(name) == GENERATED or not describe(name).needs_permission}


def shown_file(image: str, is_public: bool) -> str:
    """An image's file as the page calls it: without its folders, which name patients, where data are not public."""
    return image if is_public else image.rsplit("/", 1)[-1]


def _places(shown: Answered, other: Answered) -> dict[str, int] | None:
    """Where the answers of another run stand, by sample; None where they stand where those shown do."""
    if len(shown.predictions) == len(other.predictions) and all(
        one.id == two.id for one, two in zip(shown.predictions, other.predictions)
    ):
        return None
    return {prediction.id: place for place, prediction in enumerate(other.predictions)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
