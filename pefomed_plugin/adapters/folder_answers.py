"""A model's answers about a folder of images: written as they come, continued where an earlier start stopped.

Images that cannot be used are collected and listed together, never a reason to stop.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import naming
from ..json_text import as_json
from ..readers.layouts import Skip
from ..records import CONFIDENCE, Prediction, Sample
from ..services.console import progress, say
from ..services.images.decoding import open_image
from ..services.images.faults import UnusableImage
from ..storage import drop_half_line, line_of, read_predictions, set_aside, write_records, write_text
from .evaluation import without_prompt
from .medical_model import MAX_NEW_TOKENS, MedicalModel, Request


@dataclass(frozen=True)
class FolderAnswers:
    """What became of the questions."""

    predictions: Sequence[Prediction]
    """In the order of the samples."""
    reused: int
    """Of them from an earlier start."""
    unusable: Mapping[str, str]
    """Image -> what is wrong with it."""
    unanswered: int
    """Samples of unusable images."""


def answer_folder(
    model: MedicalModel,
    root: Path,
    samples: Sequence[Sample],
    out: Path,
    max_new_tokens: int = 0,
    confidence: bool = False,
) -> FolderAnswers:
    """Answer ``samples`` about the images below ``root`` and write ``out`` (``predictions.jsonl``).

    Answers stand in ``<out>.part`` until all are there. What an earlier start with the same weights and questions
    answered is kept; another file of that name is set aside. Samples of unusable images are in
    ``<out>.skipped.jsonl``.

    Args:
        confidence: ask of each answer how probable the model holds it (``MedicalModel.confidences``).

    Raises:
        DataError: an earlier file is damaged, or nothing can be written.
    """
    producer = {**model.facts, "images": "own", "max_new_tokens": max_new_tokens or MAX_NEW_TOKENS[samples[0].task]}
    part = out.with_name(out.name + ".part")
    known = _earlier(out, part, samples, producer, confidence)
    left = [sample for sample in samples if sample.id not in known]
    unusable: dict[str, str] = {}
    reused = len(known)
    out.parent.mkdir(parents=True, exist_ok=True)
    with naming(part), open(part, "a", encoding="utf-8") as file, progress("answering", len(left)) as advance:
        answers = _answers(model, root, left, producer, unusable)
        for prediction, _ in _with_confidence(model, answers) if confidence else answers:
            known[prediction.id] = prediction
            file.write(line_of(prediction)[0])
            file.flush()
            advance(1)
        advance(sum(sample.id not in known for sample in left))
    predictions = [known[sample.id] for sample in samples if sample.id in known]
    skips = [
        Skip(f"{image} ({sample.id})", unusable[image])
        for sample in samples
        if sample.id not in known
        for image in sample.images
        if image in unusable
    ]
    skipped = out.with_name(out.name + ".skipped.jsonl")
    if skips:
        write_text(skipped, "".join(json.dumps(vars(skip), ensure_ascii=False) + "\n" for skip in skips))
    elif skipped.exists():
        skipped.unlink()
    if predictions:
        write_records(out, predictions)
    part.unlink()
    return FolderAnswers(predictions, reused, unusable, len(samples) - len(predictions))


def _answers(
    model: MedicalModel, root: Path, samples: Sequence[Sample], producer: Mapping[str, Any], unusable: dict[str, str]
) -> Iterator[tuple[Prediction, Request]]:
    """As they end; the images that cannot be used are put into ``unusable``."""
    asked: dict[int, tuple[Sample, str, Request]] = {}

    numbers = count()

    def requests() -> Iterator[Request]:
        opened: dict[str, Image.Image] = {}
        for sample in samples:
            opened = {name: image for name, image in opened.items() if name in sample.images}
            for name in (name for name in sample.images if name not in opened and name not in unusable):
                try:
                    opened[name] = open_image(root, name, policy=model.policy)
                except UnusableImage as error:
                    unusable[name] = str(error)
            if any(name in unusable for name in sample.images):
                continue
            shown = [opened[name] for name in sample.images]
            given = shown[0] if len(shown) == 1 else dict(zip(sample.image_names, shown))
            request = Request(given, sample.task, sample.question)
            asked[next(numbers)] = (sample, model.prompt(request), request)
            yield request

    for place, text in model.answers(requests(), min(model.batch_size, len(samples)), producer["max_new_tokens"]):
        sample, prompt, request = asked.pop(place)
        yield Prediction.of(sample, text, {**producer, "prompt": prompt}), request


def _with_confidence(
    model: MedicalModel, answers: Iterator[tuple[Prediction, Request]]
) -> Iterator[tuple[Prediction, Request]]:
    """The same, each with how probable the model holds it; so many are asked together as are answered together."""
    while several := list(islice(answers, model.batch_size)):
        texts = [prediction.prediction or "" for prediction, _ in several]
        found = model.confidences([request for _, request in several], texts)
        for (prediction, request), value in zip(several, found):
            yield replace(prediction, producer={**prediction.producer, CONFIDENCE: value}), request


def _earlier(
    out: Path, part: Path, samples: Sequence[Sample], producer: Mapping[str, Any], confidence: bool
) -> dict[str, Prediction]:
    """Answers of earlier starts that are still valid, by id; a file with any other answer is set aside."""
    wanted = {sample.id: _plain(sample.to_json()) for sample in samples}
    known: dict[str, Prediction] = {}
    if part.is_file():
        drop_half_line(part)
    for path in (out, part):
        if not path.is_file():
            continue
        found = read_predictions(path, may_be_empty=True)
        good = [
            prediction
            for prediction in found
            if wanted.get(prediction.id) == _plain(prediction.sample.to_json())
            and without_prompt(prediction.producer) == _plain(producer)
            and (not confidence or CONFIDENCE in prediction.producer)
        ]
        if len(good) < len(found):
            say(f"{path} holds answers of other weights, settings, questions or images; it is now {set_aside(path)}")
        known.update({prediction.id: prediction for prediction in good})
    return known


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    return as_json(content)
