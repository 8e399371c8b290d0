"""``pefomed import-predictions``: other people's result files as our predictions."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from ..errors import ConfigError, near_names
from ..provenance import Origins, data_origin
from ..readers import DATASETS, read_data
from ..records import SPLITS
from ..services.importers import join_answers
from ..services.result_files import FORMATS, read_llava_questions
from ..storage import write_records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("format", metavar="FORMAT", help="llava_med, medevalkit, vlmevalkit or pefomed (the authors')")
    parser.add_argument("file", type=Path, metavar="FILE", help="the project's result file")
    parser.add_argument("--dataset", required=True, metavar="NAME", help=", ".join(DATASETS))
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="release of the data set")
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
    """Read, join, write."""
    if arguments.format not in FORMATS:
        raise ConfigError(f"unknown format {arguments.format!r}; {near_names(arguments.format, FORMATS)}")
    if not arguments.file.is_file():
        raise ConfigError(f"no file {arguments.file}")
    answers = FORMATS[arguments.format](arguments.file)
    if arguments.questions:
        questions = read_llava_questions(arguments.questions)
        answers = [
            replace(answer, key=None, question=questions[answer.key][0], image=questions[answer.key][1])
            if answer.key in questions
            else answer
            for answer in answers
        ]
    samples = read_data(arguments.dataset, arguments.data).splits().get(arguments.split, [])
    producer = {
        "imported_from": arguments.format,
        "file": arguments.file.name,
        "model": arguments.model or None,
        "origin": Origins({arguments.dataset: data_origin(arguments.data)}).to_json(),
    }
    predictions = join_answers(answers, samples, producer)
    write_records(arguments.out / "predictions.jsonl", predictions)
    missing = sum(prediction.prediction is None for prediction in predictions)
    without = f", {missing:,} without a text," if missing else ""
    print(f"{len(predictions):,} predictions{without} written to {arguments.out}")
    return 0
