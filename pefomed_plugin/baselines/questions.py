"""Predictors of answers to questions: by what training answers most often, or answers to the nearest question."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Callable

from ..records import Sample
from .counting import Neighbours, group_places, most_frequent, plain, words_of
from .predictor import Answers, Predictor


def _most_frequent_by(key: Callable[[Sample], Hashable]) -> Callable[[Sequence[Sample], Sequence[Sample]], Answers]:
    def predict(train: Sequence[Sample], asked: Sequence[Sample]) -> Answers:
        places = group_places(map(key, train))
        answers = {group: most_frequent(train[place].answer for place in found) for group, found in places.items()}
        return [answers.get(key(sample)) for sample in asked]

    return predict


def _answer_type(sample: Sample) -> str:
    return (sample.answer_type or "").strip().upper()


def _question(sample: Sample) -> str:
    return plain(sample.question)


class _Nearest:
    """The answer to the same question where training has it, else to the questions nearest by their words."""

    def __init__(self, train: Sequence[Sample], by_rarity: bool = True) -> None:
        self._train = train
        self._same = group_places(map(_question, train))
        self._neighbours = Neighbours([words_of(sample.question) for sample in train], by_rarity)

    def answer(self, sample: Sample) -> str | None:
        """None where no question shares a word with it."""
        places = self._same.get(_question(sample)) or self._neighbours.nearest(words_of(sample.question))
        return most_frequent(self._train[place].answer for place in places)


def _nearest_question(train: Sequence[Sample], asked: Sequence[Sample]) -> Answers:
    return list(map(_Nearest(train).answer, asked))


def _most_like_question(train: Sequence[Sample], asked: Sequence[Sample]) -> Answers:
    return list(map(_Nearest(train, by_rarity=False).answer, asked))


def _nearest_question_of_image(train: Sequence[Sample], asked: Sequence[Sample]) -> Answers:
    by_image = group_places(sample.images for sample in train)
    shown = {sample.images for sample in asked} & by_image.keys()
    nearest = {images: _Nearest([train[place] for place in by_image[images]]) for images in shown}
    return [nearest[sample.images].answer(sample) if sample.images in shown else None for sample in asked]


def _framed_twin(train: Sequence[Sample], asked: Sequence[Sample]) -> Answers:
    twins = {sample.metadata["frame_of"]: sample.answer for sample in train if "frame_of" in sample.metadata}
    return [twins.get(sample.id) for sample in asked]


QUESTIONS = (
    Predictor("most_frequent", "most frequent answer", _most_frequent_by(lambda sample: "")),
    Predictor(
        "most_frequent_of_type",
        "most frequent answer of the answer type",
        _most_frequent_by(_answer_type),
        falls_back_on="most_frequent",
    ),
    Predictor(
        "most_frequent_of_question",
        "most frequent answer to the same question",
        _most_frequent_by(_question),
        falls_back_on="most_frequent_of_type",
    ),
    Predictor(
        "nearest_question",
        "answer to the nearest training question",
        _nearest_question,
        falls_back_on="most_frequent_of_type",
    ),
    Predictor(
        "most_like_question",
        "answer to the nearest training question, rare words counting no more",
        _most_like_question,
        falls_back_on="most_frequent_of_type",
    ),
    Predictor(
        "nearest_question_of_image",
        "answer to the nearest training question about the same image",
        _nearest_question_of_image,
        falls_back_on="nearest_question",
    ),
    Predictor(
        "framed_twin",
        "answer of the question's framed version in training",
        _framed_twin,
        falls_back_on="nearest_question",
    ),
)
