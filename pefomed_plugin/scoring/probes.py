"""Answers whose worth is known: what a scorer is tried with by ``pefomed audit``. Pure functions of a test set."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from ..records import CLOSED, Prediction, Sample
from .known import share_no_word

Answers = list[Optional[str]]
_OPTIONS = 10
"""Options that are listed for a question, its reference among them."""
_ALL = ("vqa", "report", "caption")
_REPORTS = ("report", "caption")


@dataclass(frozen=True)
class Probe:
    """One way to answer a whole test set, by rule."""

    name: str
    title: str
    """In words."""
    answer: Callable[[Sequence[Sample]], Answers]
    """An answer for each sample, which may look at the references."""
    tasks: tuple[str, ...]
    """``Sample.task`` that can be answered so."""

    def predictions(self, samples: Sequence[Sample]) -> list[Prediction]:
        """The answers as predictions; none where there is nothing to say (no two references differ)."""
        answers = self.answer(samples)
        if len(answers) != len(samples):
            return []
        return [Prediction.of(sample, text, {"probe": self.name}) for sample, text in zip(samples, answers)]


def _constant(text: str | None) -> Callable[[Sequence[Sample]], Answers]:
    return lambda samples: [text] * len(samples)


def _perfect(samples: Sequence[Sample]) -> Answers:
    return [sample.answer for sample in samples]


def _echo(samples: Sequence[Sample]) -> Answers:
    return [sample.question or "" for sample in samples]


def _others(samples: Sequence[Sample], fits: Callable[[str, str], bool]) -> list[str]:
    """For each sample the next different reference in the set that fits its own; nothing where one has none.

    Of the distinct references, so that a thousand times ``no`` is looked at once.
    """
    different = list(dict.fromkeys(sample.answer for sample in samples))
    chosen: dict[str, str] = {}
    for place, own in enumerate(different):
        later = (different[(place + step) % len(different)] for step in range(1, len(different)))
        found = next((other for other in later if fits(own, other)), None)
        if found is None:
            return []
        chosen[own] = found
    return [chosen[sample.answer] for sample in samples]


def _swapped(samples: Sequence[Sample]) -> Answers:
    """Of reports, which share words, just another one."""
    fits = share_no_word if samples[0].task == "vqa" else lambda own, other: own.split() != other.split()
    return list(_others(samples, fits))


def _retracted(samples: Sequence[Sample]) -> Answers:
    others = _others(samples, share_no_word)
    return [f"{sample.answer}. No, sorry: {_opposite(sample) or other}" for sample, other in zip(samples, others)]


def _opposite(sample: Sample) -> str:
    return {"yes": "no", "no": "yes"}.get(sample.answer.strip().lower(), "")


def _every_option(samples: Sequence[Sample]) -> Answers:
    """Sorted, so that the place gives nothing away."""
    kinds = {kind: [s for s in samples if s.answer_type == kind] for kind in {s.answer_type for s in samples}}
    common = {
        kind: [answer for answer, _ in Counter(sample.answer.strip().lower() for sample in found).most_common(_OPTIONS)]
        for kind, found in kinds.items()
    }
    answers: Answers = []
    for sample in samples:
        least = ["no", "yes"] if sample.answer_type == CLOSED else ["cannot be told"]
        options = dict.fromkeys((*common[sample.answer_type], *least))
        options.pop(sample.answer.strip().lower(), None)
        listed = sorted([sample.answer.strip(), *list(options)[: _OPTIONS - 1]], key=str.lower)
        answers.append(", ".join(listed))
    return answers


def _most_common(samples: Sequence[Sample]) -> Answers:
    (text, count), *_ = Counter(sample.answer for sample in samples).most_common(1)
    return [text] * len(samples) if count < len(samples) else []


_NEGATION = re.compile(r"\b(?:no|not|without)\b ?", re.IGNORECASE)
_SIDE = re.compile(r"\b(?:left|right)\b", re.IGNORECASE)


def _without_negations(samples: Sequence[Sample]) -> Answers:
    return [_NEGATION.sub("", sample.answer) for sample in samples]


def _other_side(samples: Sequence[Sample]) -> Answers:
    return [_SIDE.sub(_mirror, sample.answer) for sample in samples]


def _mirror(found: re.Match[str]) -> str:
    word = found.group()
    other = "right" if word.lower() == "left" else "left"
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other


PERFECT, EMPTY, MISSING, SWAPPED = "perfect", "empty", "none given", "another's"
YES_OR_NO, OPTIONS, RETRACTED = '"yes or no"', "every option", "retracted"
YES, NO, ECHO = "always yes", "always no", "echo"
MOST_COMMON, NOT_NEGATED, OTHER_SIDE = "always the same", "not negated", "other side"
PROBES = {
    probe.name: probe
    for probe in (
        Probe(PERFECT, "the reference itself", _perfect, _ALL),
        Probe(YES, "yes to everything", _constant("yes"), ("vqa",)),
        Probe(NO, "no to everything", _constant("no"), ("vqa",)),
        Probe(YES_OR_NO, "yes or no to everything", _constant("yes or no"), ("vqa",)),
        Probe(ECHO, "the question once more", _echo, ("vqa",)),
        Probe(OPTIONS, f"the reference among {_OPTIONS - 1} other answers of the set", _every_option, ("vqa",)),
        Probe(RETRACTED, "the reference, taken back for another answer", _retracted, ("vqa",)),
        Probe(
            SWAPPED, "the reference of another question, without a word in common; of another report", _swapped, _ALL
        ),
        Probe(MOST_COMMON, "the most frequent reference, for each", _most_common, _REPORTS),
        Probe(NOT_NEGATED, "the reference without its words no, not and without", _without_negations, _REPORTS),
        Probe(OTHER_SIDE, "the reference with left for right", _other_side, _REPORTS),
        Probe(EMPTY, "an empty text", _constant(""), _ALL),
        Probe(MISSING, "no answer at all", _constant(None), _ALL),
    )
}
"""Name -> probe, in the order in which they are shown."""
QUESTION_PROBES = tuple(name for name, probe in PROBES.items() if "vqa" in probe.tasks)
"""Those of questions."""
