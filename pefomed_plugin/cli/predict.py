"""``pefomed predict``: a model behind an API answers a test set (a baseline), or yours a folder of images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..errors import ConfigError, bullets
from ..origins import data_origin
from ..readers import DATASETS, read_data
from ..records import Prediction
from ..scoring.metrics_file import set_stale_aside
from ..services.answer_files import lines_of, refuse_out
from ..services.judge.asking import ask_all
from ..services.judge.ledger import Ledger
from ..services.judge.openai_chat import OpenAIChat
from ..services.judge.prices import estimate_tokens
from ..services.judge.server import server_url
from ..services.judge.settling import take_stock
from ..services.judge.ways import Way
from ..services.outbound import ANSWERS
from ..services.private_files import keep_private
from ..storage import write_records
from ._answers import set_other_answers_aside
from ._predict_folder import add_folder_arguments, answer_images, refuse_folder_arguments, write_table
from .arguments import add_permission, count_from_0, from_0, pixels, whole_number
from .judge import add_asking_arguments, asking_limits, explain_unfinished
from .next_step import NextStep, again, page_of, pefomed, scoring, task_of
from .parsing import flags_of

LEDGER = "predict.ledger.jsonl"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("dataset", nargs="?", metavar="DATASET", help=", ".join(DATASETS))
    parser.add_argument(
        "root", nargs="?", type=Path, metavar="FOLDER", help="its release, or what pefomed prepare wrote"
    )
    parser.add_argument("--api", dest="model", metavar="MODEL", help="vision model, as the server names it")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="PATH",
        help="folder of predictions.jsonl; or the file itself: .jsonl, or .csv or .xlsx with the JSON lines beside it",
    )
    parser.add_argument("--split", default="test", choices=("train", "val", "test"))
    parser.add_argument("--seed", type=whole_number, default=0)
    parser.add_argument("--temperature", type=from_0, help="default: the server's own")
    parser.add_argument("--max-tokens", type=count_from_0, default=1024, help="limit of an answer; 0: the server's own")
    parser.add_argument("--image-size", type=pixels, default=448, metavar="PX", help="side of the square that is sent")
    add_permission(parser, "send images and texts of a data set that is not public to a server elsewhere")
    add_asking_arguments(parser)
    of_a_server = [flag for flag in flags_of(parser) if flag not in ("--help", "--out")]
    of_a_folder = flags_of(add_folder_arguments(parser))
    parser.set_defaults(of_a_server=of_a_server, of_a_folder=of_a_folder)
    parser.epilog = (
        "examples:\n  pefomed predict vqa_rad data/vqa_rad --api NAME --out output/baseline\n"
        "  pefomed predict --images scans --task report --ckpt output/stage2/checkpoint_last.pth "
        "--out output/scans.jsonl"
    )


def run(arguments: argparse.Namespace) -> int:
    """Ask, and write the predictions once all are there."""
    return answer_images(arguments) if arguments.images else _answer_test_set(arguments)


def next_step(arguments: argparse.Namespace, exit_code: int) -> NextStep:
    """Score the answers of a test set; look at those about a folder."""
    if not arguments.images:
        if arguments.dry_run or exit_code:
            return again(arguments, without=["--dry-run"])
        return scoring(lines_of(arguments.out) or arguments.out / "predictions.jsonl", task_of(arguments.dataset))
    lines = lines_of(arguments.out)
    if lines is None:
        return page_of(arguments.out, more=["--image-root", arguments.images])
    return pefomed("report", lines, "--image-root", arguments.images, "--out", lines.with_suffix(".html"))


def _answer_test_set(arguments: argparse.Namespace) -> int:
    from ..services.judge.api_baseline import baseline_questions, collect_predictions, is_answer  # late: loads PIL

    if not (arguments.dataset and arguments.root and arguments.model):
        raise ConfigError(
            "give DATASET FOLDER --api MODEL, a test set for a model behind an API; or --images FOLDER "
            "--task TASK --ckpt PATH, a folder for a model of yours"
        )
    refuse_folder_arguments(arguments)
    limits = asking_limits(arguments)
    release = read_data(arguments.dataset, arguments.root)
    samples = release.splits().get(arguments.split, [])
    if not samples:
        raise ConfigError(f"{arguments.root} has no split {arguments.split}")
    refuse_out(arguments.out, len(samples))
    keep_private([arguments.dataset], {arguments.dataset: data_origin(arguments.root)})
    if not arguments.dry_run:
        chat = OpenAIChat(arguments.timeout, leave_out=arguments.leave_out)
        chat.clear([arguments.dataset], origins={arguments.dataset: data_origin(arguments.root)}, way=ANSWERS)
        chat.require(arguments.endpoint)
    optional = {"temperature": arguments.temperature, "max_tokens": arguments.max_tokens or None}
    parameters = {
        "model": arguments.model,
        "seed": arguments.seed,
        **{name: value for name, value in optional.items() if value is not None},
        **Way(arguments.endpoint, arguments.reasoning_effort).parameters(),
    }
    questions = baseline_questions(
        samples, release.image_root, parameters, arguments.image_size, server_url(), arguments.endpoint
    )
    lines = lines_of(arguments.out)
    path = arguments.ledger or (arguments.out / LEDGER if lines is None else lines.with_suffix("." + LEDGER))
    with Ledger(path) as ledger:
        if arguments.dry_run:
            left = take_stock(questions, ledger, is_answer, limits).open
            print(
                f"{len(questions):,} questions, {len(left):,} not in the ledger yet; about "
                f"{sum(estimate_tokens(questions[place].messages) for place in left):,} tokens to send"
            )
            return 0
        asked = ask_all(questions, chat, ledger, is_answer, limits, what="answering")
        if not asked.is_complete:
            return explain_unfinished(asked, path)
        asked.require_use()
        predictions = collect_predictions(samples, questions, ledger, data_origin(arguments.root))
    _write(arguments.out, predictions)
    return 0


def _write(out: Path, predictions: Sequence[Prediction]) -> None:
    """Write the answers; others that are there, and what is about them, are set aside."""
    lines = lines_of(out)
    answers = lines or out / "predictions.jsonl"
    stale = set_other_answers_aside(answers, predictions)
    write_records(answers, predictions)
    write_table(out, predictions)
    stale += set_stale_aside(predictions, out) if lines is None else []
    if stale:
        print("there were other answers, and what is about them is set aside:")
        print("\n".join(bullets(stale)))
    absent = sum(prediction.prediction is None for prediction in predictions)
    print(f"{len(predictions):,} answers, {absent:,} of them missing (refused, cut off or empty); written to {out}")
