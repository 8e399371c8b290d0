"""``pefomed baseline``: the answers of predictors that do not look at the image."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..baselines import PREDICTORS, Baseline, predict_all
from ..errors import DataError
from ..origins import Origins, data_origin
from ..readers import DATASETS, read_data
from ..records import SPLITS
from ..reporting.table import COUNT, FIGURE, HIGHER, Cell, Column, Table
from ..scoring.metrics_file import PREDICTIONS, set_stale_aside
from ..services.console import say
from ..services.private_files import keep_private
from ..storage import write_records
from .next_step import NextStep, again, scoring, task_of
from .output import Output, add_json_argument
from .prepare import dataset_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("dataset", metavar="DATASET", help=", ".join(DATASETS))
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="release of the data set, or a prepared folder"
    )
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the data set")
    parser.add_argument("--split", default="test", choices=[split for split in SPLITS if split != "train"])
    parser.add_argument(
        "--predictor", action="append", default=[], metavar="NAME", help=f"{', '.join(PREDICTORS)}; may be repeated"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write DIR/<predictor>/predictions.jsonl, which every other command takes (default: show figures only)",
    )
    add_json_argument(parser)
    parser.epilog = "example: pefomed baseline vqa_rad --data data/vqa_rad --out output/baselines"


def run(arguments: argparse.Namespace) -> Output:
    """Learn from the training texts, answer the split, say what strict exact match makes of it."""
    name = DATASETS.find(arguments.dataset).name
    origins = Origins({name: data_origin(arguments.data)})
    splits = read_data(name, arguments.data, **dataset_options(arguments.option)).splits()
    asked = splits.get(arguments.split, [])
    if not asked:
        raise DataError(f"{arguments.data}: no {arguments.split} split; it has {', '.join(splits)}")
    found = predict_all(splits.get("train", []), asked, origins, arguments.predictor)
    written = [baseline for baseline in found if baseline.predictions]
    if arguments.out:
        keep_private([name], origins.data)
        for baseline in written:
            folder = arguments.out / baseline.predictor.name
            for line in set_stale_aside(baseline.predictions, folder):
                say(line)
            write_records(folder / PREDICTIONS, baseline.predictions)
    data = {
        "dataset": name,
        "split": arguments.split,
        "baselines": [
            {"predictor": each.predictor.name, "n": len(each.predictions), "own": each.own, "strict": _strict(each)}
            for each in found
        ],
    }
    ending = [f"written to {arguments.out}, a folder for each"] if arguments.out else []
    return Output(data, [_table(f"{name}-{arguments.split}: without looking", found), *ending])


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Write the answers, or score the first ones that were written."""
    if not arguments.out:
        return again(arguments, "--out", f"output/baselines/{DATASETS.find(arguments.dataset).name}")
    chosen = next(iter(arguments.predictor), next(iter(PREDICTORS)))
    return scoring(arguments.out / chosen / PREDICTIONS, task_of(DATASETS.find(arguments.dataset).name))


def _strict(baseline: Baseline) -> float | None:
    """Share of answers that are the reference, letter case aside, in percent."""
    if not baseline.predictions:
        return None
    texts = [((found.prediction or "").strip(), found.answer.strip()) for found in baseline.predictions]
    same = sum(said.lower() == answer.lower() for said, answer in texts)
    return 100 * same / len(texts)


def _table(title: str, found: Sequence[Baseline]) -> Table:
    idle = [each.predictor.name for each in found if not each.predictions]
    return Table(
        title,
        [
            Column("predictor", lambda each: each.predictor.name),
            Column("what it says", lambda each: each.predictor.title),
            Column("own answers", lambda each: Cell(each.own, of=len(each.predictions)), COUNT),
            Column("else", lambda each: each.predictor.falls_back_on if each.own < len(each.predictions) else ""),
            Column("exact match", lambda each: Cell(_strict(each)), FIGURE, unit="%", better=HIGHER),
        ],
        [each for each in found if each.predictions],
        [
            "Exact match: the same text, letter case aside.",
            *(f"{name}: training holds nothing that it could go by; left out" for name in idle),
        ],
    )
