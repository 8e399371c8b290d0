"""Answers of other projects joined with the samples they answer: our ``predictions.jsonl`` from their result files.

A join is by id, by question and image, or by question and reference; never by position alone. Whatever a record says
besides (question, image) must agree with the sample it is joined with.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Any

from ...errors import DataError, quoted
from ...readers.iu_studies import DATASET as IU_XRAY
from ...readers.iu_studies import open_i_name
from ...records import Prediction, Sample
from ...scoring.tokens import UNKNOWN, cut_report
from .answers import IMAGE_TOKEN, Answer

_SHOWN = 10
"""Problems whose near ids are looked for: as many as a message shows."""
_QUOTED = 120
"""Characters of a question in a message."""
IN_ORDER, BY_ID, BY_IMAGE, BY_IMAGE_AND_QUESTION, BY_REFERENCE = (
    "by the order of the split, every question and reference checked",
    "by id",
    "by image",
    "by image and question",
    "by question and reference",
)


def join_answers(
    answers: Sequence[Answer],
    samples: Sequence[Sample],
    producer: Mapping[str, Any],
    ways: Counter[str] | None = None,
) -> list[Prediction]:
    """One prediction a sample, in the order of the samples.

    Args:
        ways: gets how many were joined how.

    Raises:
        DataError: answers that fit no sample or several, samples answered twice or not at all: all in one message.
    """
    found, problems = _fit(answers, samples, Counter() if ways is None else ways)
    if problems:
        raise DataError(
            f"the answers do not fit the samples of {samples[0].dataset if samples else 'an empty split'} "
            f"({len(answers):,} answers, {len(samples):,} samples){_letters(answers)}",
            problems,
        )
    return [Prediction.of(sample, found[sample.id].text, producer) for sample in samples]


def count_fitting(answers: Sequence[Answer], samples: Sequence[Sample]) -> tuple[int, int]:
    """How many answers fit a sample each, and how many of answers and samples are left, as a number below 0."""
    found, problems = _fit(answers, samples, Counter(), shown=0)
    return len(found), -len(problems)


def _fit(
    answers: Sequence[Answer], samples: Sequence[Sample], ways: Counter[str], shown: int = _SHOWN
) -> tuple[dict[str, Answer], list[str]]:
    """Sample -> its answer, and what does not fit; near ids of the first ``shown``."""
    index = _Index(samples)
    found: dict[str, Answer] = {}
    problems: list[str] = []
    in_order = _in_order(answers, samples)
    for number, answer in enumerate(answers):
        way, fitting = (IN_ORDER, [samples[number]]) if in_order else index.candidates(answer)
        fitting = _one_of_alike(fitting, found)
        if len(fitting) != 1:
            near = index.near(answer) if not fitting and len(problems) < shown else ""
            problems.append(f"{answer.where}: {_why(answer, fitting)}{near}")
            continue
        sample, problem = fitting[0], "" if in_order else _contradiction(answer, fitting[0])
        if problem:
            problems.append(f"{answer.where}: {problem}")
        elif sample.id in found:
            problems.append(
                f"{answer.where}: {sample.id} was already answered by {found[sample.id].where}; delete one of the two"
            )
        else:
            found[sample.id] = answer
            ways[way] += 1
    problems += [f"{sample.id}: no answer for it" for sample in samples if sample.id not in found]
    return found, problems


def _letters(answers: Sequence[Answer]) -> str:
    """A word where the references are letters of choices, of which no data set of ours has any."""
    is_choice = bool(answers) and all(re.fullmatch(r"\(?[A-H][).]?", answer.reference or "") for answer in answers)
    return "; their references are letters of choices: answers in words are needed" if is_choice else ""


class _Index:
    """Samples by everything an answer may name them by."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples
        self._by_key: dict[str, list[Sample]] = defaultdict(list)
        self._by_image: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
        self._by_reference: dict[str, dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
        for sample in samples:
            for key in {sample.id, str(sample.metadata.get("source_id", sample.id)), *_others_names(sample)}:
                self._by_key[_composed(key)].append(sample)
            # of a study that is shown by one image, others may name another one
            for image in dict.fromkeys((*sample.images, *sample.metadata.get("images", ()))):
                parts = PurePosixPath(_composed(image)).parts
                for start in range(len(parts)):
                    self._by_image[parts[start:]].append(sample)
            self._by_reference[plain(sample.answer)][plain(sample.question)].append(sample)

    def candidates(self, answer: Answer) -> tuple[str, list[Sample]]:
        """How an answer names its sample, and the samples that it may be about: one, if the file is as it should be."""
        if answer.key is not None and _composed(answer.key) in self._by_key:
            return BY_ID, self._by_key[_composed(answer.key)]
        if answer.image is not None:
            of_image = self._of_image(answer.image)
            if answer.question is None:
                return BY_IMAGE, of_image
            exact = [sample for sample in of_image if plain(sample.question) == plain(answer.question)]
            asked = exact or _longest([sample for sample in of_image if _same_question(answer.question, sample)])
            of_reference = [sample for sample in asked if plain(sample.answer) == plain(answer.reference)]
            return BY_IMAGE_AND_QUESTION, of_reference or asked
        if answer.key is None and answer.reference is not None:
            return BY_REFERENCE, self._of_reference(plain(answer.question), plain(answer.reference))
        return "", []

    def near(self, answer: Answer) -> str:
        """What the sample of a stranger may be: near ids, near images, or the questions that are asked of its image."""
        if answer.key is not None:
            return _near(answer.key, self._by_key)
        of_image = self._of_image(answer.image) if answer.image is not None else []
        if answer.image is not None and not of_image:
            parts = PurePosixPath(answer.image.replace("\\", "/")).parts
            known = {"/".join(end) for end in self._by_image if len(end) in (1, len(parts))}
            return _near("/".join(parts), known) or _near(parts[-1] if parts else "", known)
        questions = {sample.question: sample for sample in of_image or self._samples if sample.question}
        asked = get_close_matches(answer.question or "", questions, n=1, cutoff=0.6)
        return f"; near: {questions[asked[0]].id}, which asks {_quoted(asked[0])}" if asked else ""

    def _of_reference(self, question: str, reference: str) -> list[Sample]:
        """Those that ask ``question``, or else the longest question that stands in it: it may be a whole prompt.

        Of reports nothing is asked.
        """
        by_question = self._by_reference.get(reference, {})
        within = [asked for asked in by_question if asked and f" {asked} " in f" {question} "]
        if question in by_question:
            return by_question[question]
        return by_question[max(within, key=len)] if within else by_question.get("", [])

    def _of_image(self, image: str) -> list[Sample]:
        """By the longest end of the path that any sample's image shares; roots differ between machines."""
        parts = PurePosixPath(_composed(image).replace("\\", "/")).parts
        for start in range(len(parts)):
            if parts[start:] in self._by_image:
                return self._by_image[parts[start:]]
        return []


def _others_names(sample: Sample) -> list[str]:
    """What lists of others call its study."""
    name = open_i_name(str(sample.metadata.get("study"))) if sample.dataset == IU_XRAY else None
    return [name] if name else []


def _longest(samples: list[Sample]) -> list[Sample]:
    """Of samples whose questions stand in one prompt those with the longest: it may hold another's question."""
    most = max((len(plain(sample.question)) for sample in samples), default=0)
    return [sample for sample in samples if len(plain(sample.question)) == most]


def _near(name: str, known: Iterable[str]) -> str:
    lower = {other.casefold(): other for other in known}
    found = [lower[other] for other in get_close_matches(name.casefold(), lower, n=3, cutoff=0.6)]
    return f"; near: {', '.join(quoted(other, bare=True, limit=80) for other in found)}" if found else ""


def _quoted(text: str | None) -> str:
    return quoted(text, limit=_QUOTED)


def _one_of_alike(fitting: list[Sample], found: Mapping[str, Answer]) -> list[Sample]:
    """Of samples that repeat image, question and reference (VQA-RAD holds some), the first without an answer."""
    alike = {(sample.images, plain(sample.question), plain(sample.answer)) for sample in fitting}
    if len(alike) != 1:
        return fitting
    return [next((sample for sample in fitting if sample.id not in found), fitting[0])]


def plain(text: str | None) -> str:
    """Words in lower case, ``<image>`` is none: projects change case, punctuation and marks before they write them."""
    return " ".join(re.findall(r"\w+", _composed((text or "").casefold().replace(IMAGE_TOKEN, " "))))


def _composed(text: str) -> str:
    """Letters and their accents as one character each (NFC): macOS and some tokenizers write them as two."""
    return unicodedata.normalize("NFC", text)


def _in_order(answers: Sequence[Answer], samples: Sequence[Sample]) -> bool:
    """Whether a file without ids and images repeats the questions and references of the samples one by one."""
    return len(answers) == len(samples) and all(
        answer.key is None
        and answer.image is None
        and answer.reference is not None
        and (answer.question is not None or sample.question is None)
        and _same_reference(answer.reference, sample)
        and _same_question(answer.question or "", sample)
        for answer, sample in zip(answers, samples)
    )


def _same_reference(reference: str, sample: Sample) -> bool:
    """By its words; of a report also as R2Gen writes it: cleaned, cut, and rare words unknown."""
    if plain(reference) == plain(sample.answer):
        return True
    if sample.question is not None:
        return False
    said, wanted = reference.split(), cut_report(sample.answer).split()
    return len(said) == len(wanted) and all(one in (UNKNOWN, other) for one, other in zip(said, wanted))


def _same_question(question: str, sample: Sample) -> bool:
    asked = plain(sample.question)
    return not asked or f" {asked} " in f" {plain(question)} "  # a prompt may stand around it


def _contradiction(answer: Answer, sample: Sample) -> str:
    """What the answer's record says that is not so of the sample; empty where nothing is."""
    if sample.question is None:
        return ""  # reports are joined by image; their references are often cleaned before they are written
    if answer.question is not None and not _same_question(answer.question, sample):
        return (
            f"asks {_quoted(answer.question)}, but {sample.id} asks {_quoted(sample.question)}: ids of another release?"
        )
    if answer.reference is not None and plain(answer.reference) != plain(sample.answer):
        return (
            f"has the reference {_quoted(answer.reference)}, but {sample.id} has {_quoted(sample.answer)}: references "
            "of another version?"
        )
    return ""


def _why(answer: Answer, fitting: Sequence[Sample]) -> str:
    if fitting:
        known: set[str] = {sample.id for sample in fitting}
        return f"fits {len(known)} samples ({min(known)}, ...) and the file is not in their order"
    if answer.key is not None:
        return f"no sample has the id {quoted(answer.key, limit=_QUOTED)}"
    if answer.image is not None:
        asked = f" and question {_quoted(answer.question)}" if answer.question is not None else ""
        return f"no sample has image {quoted(answer.image, limit=_QUOTED)}{asked}"
    if answer.reference is None:
        return "has neither id, image nor reference, so that nothing tells its sample"
    if answer.question is not None:
        return f"no sample has question {_quoted(answer.question)} with reference {_quoted(answer.reference)}"
    return "no sample has its reference"
