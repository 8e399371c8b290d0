"""``pefomed import-predictions``: other people's result files as our predictions."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

from ..errors import ConfigError, DataError, bullets, near_names
from ..origins import Origins, data_origin
from ..readers import DATASETS, describe, read_data
from ..records import SPLITS, Prediction, Sample
from ..scoring.metrics_file import set_stale_aside
from ..services.importers import join_answers
from ..services.private_files import keep_private
from ..services.result_files import FORMATS, Answer, read_llava_questions
from ..storage import write_records
from ..text import without_reasoning
from .prepare import dataset_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("format", metavar="FORMAT", help=f"{', '.join(FORMATS)} (the authors')")
    parser.add_argument("file", type=Path, metavar="FILE", help="the project's result file")
    parser.add_argument("--dataset", required=True, metavar="NAME", help=", ".join(DATASETS))
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="release of the data set")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of the data set, for example language=all; may be repeated",
    )
    parser.add_argument("--split", default="test", choices=SPLITS)
    parser.add_argument(
        "--questions",
        type=Path,
        metavar="FILE",
        help="llava_med: the question file, where its ids are not the data set's",
    )
    parser.add_argument("--model", default="", help="name of the model, for the record")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of predictions.jsonl")
    parser.epilog = (
        "example: pefomed import-predictions llava_med answers.jsonl --dataset vqa_rad "
        "--data data/vqa_rad --out output/llava_med"
    )


def run(arguments: argparse.Namespace) -> int:
    """Read the answers, join them with the data set's samples, write predictions and what training has of them."""
    from ..services.data.sample_leaks import note_leaks  # late: loads PIL

    if arguments.format not in FORMATS:
        raise ConfigError(f"unknown format {arguments.format!r}; {near_names(arguments.format, FORMATS)}")
    if not arguments.file.is_file():
        raise ConfigError(f"no file {arguments.file}")
    answers = FORMATS[arguments.format](arguments.file)
    if arguments.questions:
        answers = _asked_by(answers, arguments.questions)
    answers, thinking = _without_reasoning(answers)
    producer = {
        "imported_from": arguments.format,
        "file": arguments.file.name,
        "model": arguments.model or None,
        "origin": Origins({arguments.dataset: data_origin(arguments.data)}).to_json(),
    }
    keep_private([arguments.dataset], {arguments.dataset: data_origin(arguments.data)})
    predictions = _join(answers, arguments, producer)
    write_records(arguments.out / "predictions.jsonl", predictions)
    stale = set_stale_aside(predictions, arguments.out)
    if stale:
        print("what was scored and judged there is about other answers, and is set aside:")
        print("\n".join(bullets(stale)))
    if thinking:
        print(f"{thinking:,} answers without their reasoning; one that ends within it counts as missing")
    missing = sum(prediction.prediction is None for prediction in predictions)
    without = f", {missing:,} without a text," if missing else ""
    print(f"{len(predictions):,} predictions{without} written to {arguments.out}")
    print(
        note_leaks(
            arguments.out, predictions, _split(arguments, "train", dataset_options(arguments.option)), arguments.data
        )
    )
    return 0


def _asked_by(answers: Sequence[Answer], path: Path) -> list[Answer]:
    """The answers with question and image in place of the ids of a question file."""
    questions = read_llava_questions(path)
    strangers = [f"{answer.where}: the id {answer.key!r}" for answer in answers if answer.key not in questions]
    if strangers:
        raise DataError(f"{path} is not the question file of these answers: it lacks their ids", strangers)
    asked = [questions[answer.key or ""] for answer in answers]
    return [
        replace(answer, key=None, question=question, image=image) for answer, (question, image) in zip(answers, asked)
    ]


def _without_reasoning(answers: Sequence[Answer]) -> tuple[list[Answer], int]:
    """What was said after the thinking, and of how many answers that is less than the whole."""
    said = [
        replace(answer, text=without_reasoning(answer.text)) if answer.text and "<" in answer.text else answer
        for answer in answers
    ]
    pairs = zip(answers, said)
    return said, sum((before.text or "").strip() != (after.text or "").strip() for before, after in pairs)


def _join(answers: Sequence[Answer], arguments: argparse.Namespace, producer: Mapping[str, Any]) -> list[Prediction]:
    """The answers as predictions; where they fit the data set read with all its rows, the error says how to."""
    options, every_row = dataset_options(arguments.option), describe(arguments.dataset).every_row

    def read(given: Mapping[str, Any]) -> list[Sample]:
        return _split(arguments, arguments.split, given)

    try:
        return join_answers(answers, read(options), producer)
    except DataError as error:
        if not every_row or every_row.items() <= options.items() or not _fit_better(answers, read, every_row, error):
            raise
        wanted = " ".join(f"--option {name}={value}" for name, value in every_row.items())
        raise DataError(
            f"the answers are about more rows than {arguments.dataset} was read with; add {wanted}"
        ) from error


def _split(arguments: argparse.Namespace, split: str, options: Mapping[str, Any]) -> list[Sample]:
    return read_data(arguments.dataset, arguments.data, **options).splits().get(split, [])


def _fit_better(
    answers: Sequence[Answer], read: Callable[..., list[Sample]], options: Mapping[str, Any], error: DataError
) -> bool:
    try:
        join_answers(answers, read(options), {})
    except ConfigError:  # a folder that was prepared without these rows: nothing is known of them here
        return False
    except DataError as other:
        return len(other.problems) < len(error.problems)
    return True
