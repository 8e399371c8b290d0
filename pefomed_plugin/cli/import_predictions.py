"""``pefomed import-predictions``: other people's result files as our predictions."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..atomic import as_one, remove
from ..errors import ConfigError, DataError, bullets
from ..origins import REAL, Origins, data_origin
from ..provenance import FILE, DataPart, ModelPart, RunRecord, samples_sha256, write_record
from ..readers import DATASETS, Release, describe, read_data
from ..records import SPLITS, Prediction
from ..scoring.metrics_file import PREDICTIONS, set_stale_aside
from ..services.private_files import keep_private
from ..services.results_in import FORMATS, Answer, ResultFormat, count_fitting, find_format, join_answers, recognise
from ..services.results_in.inspect_logs import UNFINISHED
from ..services.results_in.json_formats import read_llava_questions
from ..storage import write_records
from ..text import without_reasoning
from ._answers import set_other_answers_aside
from .next_step import NextStep, scoring, task_of
from .prepare import dataset_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "format",
        nargs="?",
        metavar="FORMAT",
        help=f"name it where the file could be of several: {', '.join(FORMATS)} (the authors')",
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="the project's result file (R2Gen: the folder of its two), recognised by its content",
    )
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
        "example: pefomed import-predictions answers.jsonl --dataset vqa_rad --data data/vqa_rad --out output/llava_med"
    )


def run(arguments: argparse.Namespace) -> int:
    """Read the answers, join them with the data set's samples, write predictions and what training has of them."""
    from ..services.data.sample_leaks import note_leaks  # late: loads PIL

    file, out = arguments.file, arguments.out
    if (out / "config.yaml").is_file() or (out / "results").is_dir():
        raise ConfigError(f"--out {out} is the folder of a run of ours; choose another one")
    found = _format_of(arguments.format, file)
    answers = _read(found, file, is_named=arguments.format is not None)
    if arguments.questions:
        if found.name != "llava_med":
            raise ConfigError(f"--questions is of llava_med; {file} is of {found.name}, and names its samples itself")
        answers = _asked_by(answers, arguments.questions)
    answers, thinking = _without_reasoning(answers)
    origin = data_origin(arguments.data)
    producer = {
        "imported_from": found.name,
        "file": file.name,
        "model": arguments.model or None,
        "origin": Origins({arguments.dataset: origin}).to_json(),
    }
    keep_private([arguments.dataset], {arguments.dataset: origin})
    ways: Counter[str] = Counter()
    predictions, release = _join(answers, arguments, producer, ways)
    stale = set_other_answers_aside(out / PREDICTIONS, predictions)
    with as_one(out):
        write_records(out / PREDICTIONS, predictions)
        remove(out / FILE)  # else it would be kept as that of a run that goes on
        write_record(out, _record(arguments, release, predictions, origin))
    stale += set_stale_aside(predictions, out)
    if stale:
        print("there were other answers, and what is about them is set aside:")
        print("\n".join(bullets(stale)))
    _tell(found, answers, ways, thinking)
    missing = sum(prediction.prediction is None for prediction in predictions)
    without = f", {missing:,} without a text," if missing else ""
    print(f"{len(predictions):,} predictions{without} written to {out}")
    print(note_leaks(out, predictions, release.splits().get("train", []), arguments.data))
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Score them."""
    return scoring(arguments.out / "predictions.jsonl", task_of(arguments.dataset))


def _format_of(name: str | None, file: Path) -> ResultFormat:
    """The format that was named, else that of the file by its content."""
    named = None if name is None else find_format(name)
    if not file.exists():
        known = f"; {file} is the name of a format: give a file, too" if str(file) in FORMATS else ""
        raise ConfigError(f"no file {file}{known}")
    return named or recognise(file)


def _read(found: ResultFormat, file: Path, is_named: bool) -> list[Answer]:
    """The answers of a file; where it is not of the format that was named, the error says which it looks like."""
    try:
        return found.read(file)
    except DataError as error:
        if is_named:
            try:
                other = recognise(file)
            except (ConfigError, DataError):
                raise error from None
            if other is not found:
                raise DataError(f"{error.summary}; it looks like {other.name}", error.problems) from error
        raise


def _tell(found: ResultFormat, answers: Sequence[Answer], ways: Mapping[str, int], thinking: int) -> None:
    joined = "; ".join(f"{count:,} joined {way}" for way, count in ways.items())
    print(f"{len(answers):,} answers of {found.project} ({found.name}): {joined}")
    for note, count in Counter(note for answer in answers for note in answer.notes).items():
        print(f"{count:,} answer{'' if count == 1 else 's'}: {note}")
    if thinking:
        whose = "answer without its" if thinking == 1 else "answers without their"
        print(f"{thinking:,} {whose} reasoning and tags; one that ends within it counts as missing")


def _record(
    arguments: argparse.Namespace, release: Release, predictions: Sequence[Prediction], origin: str
) -> RunRecord:
    """What a page needs to show the images, and what the answers were joined with."""
    part = DataPart(
        arguments.dataset,
        origin,
        storage=os.path.abspath(arguments.data),
        image_root=os.path.abspath(release.image_root),
        samples={arguments.split: len(predictions)},
        digests={arguments.split: samples_sha256([prediction.sample for prediction in predictions])},
    )
    return RunRecord({arguments.dataset: part}, ModelPart(REAL))


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
    """What was said after the thinking, and of how many answers that is less; all others stay as they are."""
    said = [without_reasoning(answer.text) if answer.text else answer.text for answer in answers]
    less = [text != (answer.text or "").strip() and answer.text is not None for answer, text in zip(answers, said)]
    kept = [replace(answer, text=text) if is_less else answer for answer, text, is_less in zip(answers, said, less)]
    return kept, sum(less)


def _join(
    answers: Sequence[Answer], arguments: argparse.Namespace, producer: Mapping[str, Any], ways: Counter[str]
) -> tuple[list[Prediction], Release]:
    """The answers as predictions; where they fit the data set read in another way, the error says how to."""
    options = dataset_options(arguments.option)
    release = read_data(arguments.dataset, arguments.data, **options)
    samples = release.splits().get(arguments.split, [])
    try:
        return join_answers(answers, samples, producer, ways), release
    except DataError as error:
        other = _other_reading(answers, arguments, options, count_fitting(answers, samples))
        if other:
            raise DataError(f"the answers are about {other}") from error
        early = next((note for answer in answers for note in answer.notes if note.startswith(UNFINISHED)), "")
        if early:
            raise DataError(f"{error.summary}; {early}", error.problems) from error
        if any(answer.key is not None for answer in answers) and not arguments.questions and _is_llava(producer):
            summary = f"{error.summary}; if the ids are those of a question file, give it with --questions"
            raise DataError(summary, error.problems) from error
        raise


def _other_reading(
    answers: Sequence[Answer], arguments: argparse.Namespace, options: Mapping[str, Any], fitting: tuple[int, int]
) -> str:
    """What of the data set the answers fit better than what was asked for, and the arguments for it; empty: nothing."""
    spec = describe(arguments.dataset)
    per_study = {"per": "study"} if any(option.name == "per" for option in spec.options) else {}
    ways: dict[str, Mapping[str, Any]] = {
        "": {},
        f"more rows than {spec.name} was read with": spec.every_row,
        f"whole studies, and {spec.name} was read with a sample for each image": per_study,
    }
    best, found = fitting, ""
    for what, more in ways.items():
        if what and (not more or more.items() <= options.items()):
            continue
        try:
            splits = read_data(arguments.dataset, arguments.data, **{**options, **more}).splits()
        except (ConfigError, DataError):  # a folder that was prepared in another way: nothing is known of it here
            continue
        for split, samples in splits.items():
            fitting = count_fitting(answers, samples)
            if fitting > best:
                wanted = [f"--option {name}={value}" for name, value in more.items()]
                another = f"the split {split}" if split != arguments.split else ""
                wanted += [f"--split {split}"] if another else []
                best, found = fitting, f"{', and '.join(filter(None, (another, what)))}; add {' '.join(wanted)}"
    return found


def _is_llava(producer: Mapping[str, Any]) -> bool:
    return producer["imported_from"] == "llava_med"
