"""Answers of other projects joined with the samples they answer: our ``predictions.jsonl`` from their result files.

A join is by id, by question and image, or by question and reference; never by position alone. Whatever a record says
besides (question, image) must agree with the sample it is joined with.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ..errors import DataError
from ..records import Prediction, Sample
from .result_files import Answer


def join_answers(answers: Sequence[Answer], samples: Sequence[Sample], producer: Mapping[str, Any]) -> list[Prediction]:
    """One prediction a sample, in the order of the samples.

    Raises:
        DataError: answers that fit no sample or several, samples answered twice or not at all: all in one message.
    """
    index = _Index(samples)
    found: dict[str, Answer] = {}
    problems: list[str] = []
    in_order = _in_order(answers, samples)
    for number, answer in enumerate(answers):
        fitting = [samples[number]] if in_order else _one_of_alike(index.candidates(answer), found)
        if len(fitting) != 1:
            problems.append(f"{answer.where}: {_why(answer, fitting)}")
            continue
        sample, problem = fitting[0], _contradiction(answer, fitting[0])
        if problem:
            problems.append(f"{answer.where}: {problem}")
        elif sample.id in found:
            problems.append(
                f"{answer.where}: {sample.id} was already answered by {found[sample.id].where}; delete one of the two"
            )
        else:
            found[sample.id] = answer
    problems += [f"{sample.id}: no answer for it" for sample in samples if sample.id not in found]
    if problems:
        raise DataError(
            "the answers do not fit the samples of {} ({} answers, {} samples)".format(
                samples[0].dataset if samples else "an empty split", len(answers), len(samples)
            ),
            problems,
        )
    return [Prediction.of(sample, found[sample.id].text, producer) for sample in samples]


class _Index:
    """Samples by everything an answer may name them by."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._by_key: dict[str, list[Sample]] = defaultdict(list)
        self._by_image: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
        self._by_reference: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
        for sample in samples:
            for key in {sample.id, str(sample.metadata.get("source_id", sample.id))}:
                self._by_key[key].append(sample)
            for image in sample.images:
                parts = PurePosixPath(image).parts
                for start in range(len(parts)):
                    self._by_image[parts[start:]].append(sample)
            self._by_reference[plain(sample.answer)][plain(sample.question)].append(sample)

    def candidates(self, answer: Answer) -> list[Sample]:
        """Samples that the answer may be about: one, if the file is what it should be."""
        if answer.key is not None and answer.key in self._by_key:
            return self._by_key[answer.key]
        if answer.image is not None:
            of_image = self._of_image(answer.image)
            if answer.question is None:
                return of_image
            exact = [sample for sample in of_image if plain(sample.question) == plain(answer.question)]
            asked = exact or [sample for sample in of_image if _same_question(answer.question, sample)]
            of_reference = [sample for sample in asked if plain(sample.answer) == plain(answer.reference)]
            return of_reference or asked
        if answer.key is None and answer.question is not None and answer.reference is not None:
            return self._of_reference(plain(answer.question), plain(answer.reference))
        return []

    def _of_reference(self, question: str, reference: str) -> list[Sample]:
        """Those that ask ``question``, or else the longest question that stands in it: it may be a whole prompt."""
        by_question = self._by_reference.get(reference, {})
        within = [asked for asked in by_question if asked and f" {asked} " in f" {question} "]
        return by_question.get(question) or (by_question[max(within, key=len)] if within else [])

    def _of_image(self, image: str) -> list[Sample]:
        """By the longest end of the path that any sample's image shares; roots differ between machines."""
        parts = PurePosixPath(image.replace("\\", "/")).parts
        for start in range(len(parts)):
            if parts[start:] in self._by_image:
                return self._by_image[parts[start:]]
        return []


def _one_of_alike(fitting: list[Sample], found: Mapping[str, Answer]) -> list[Sample]:
    """Of samples that repeat image, question and reference (VQA-RAD holds some), the first without an answer."""
    alike = {(sample.images, plain(sample.question), plain(sample.answer)) for sample in fitting}
    if len(alike) != 1:
        return fitting
    return [next((sample for sample in fitting if sample.id not in found), fitting[0])]


def plain(text: str | None) -> str:
    """Words in lower case: projects change case and punctuation of questions before they write them."""
    return " ".join(re.findall(r"\w+", (text or "").casefold()))


def _in_order(answers: Sequence[Answer], samples: Sequence[Sample]) -> bool:
    """Whether a file without ids and images repeats the questions and references of the samples one by one."""
    return len(answers) == len(samples) and all(
        answer.key is None
        and answer.image is None
        and answer.question is not None
        and answer.reference is not None
        and plain(answer.reference) == plain(sample.answer)
        and _same_question(answer.question, sample)
        for answer, sample in zip(answers, samples)
    )


def _same_question(question: str, sample: Sample) -> bool:
    return plain(sample.question) in plain(question)  # a prompt may stand around it


def _contradiction(answer: Answer, sample: Sample) -> str:
    """What the answer's record says that is not so of the sample; empty where nothing is."""
    if sample.question is None:
        return ""  # reports are joined by image; their references are often cleaned before they are written
    if answer.question is not None and not _same_question(answer.question, sample):
        return f"asks {answer.question!r}, but {sample.id} asks {sample.question!r}: ids of another release?"
    if answer.reference is not None and plain(answer.reference) != plain(sample.answer):
        return (
            f"has the reference {answer.reference!r}, but {sample.id} has {sample.answer!r}: references of "
            "another version?"
        )
    return ""


def _why(answer: Answer, fitting: Sequence[Sample]) -> str:
    if fitting:
        known: set[str] = {sample.id for sample in fitting}
        return f"fits {len(known)} samples ({min(known)}, ...) and the file is not in their order"
    if answer.key is not None:
        return f"no sample has the id {answer.key!r}; if ids are the project's own, give its question file"
    return (
        f"no sample has image {answer.image!r} and question {answer.question!r}"
        if answer.image
        else f"no sample has question {answer.question!r} with reference {answer.reference!r}"
    )
