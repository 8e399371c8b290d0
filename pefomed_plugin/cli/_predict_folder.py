"""``pefomed predict --images``: a model of yours answers questions about every image of a folder."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, bullets
from ..services.answer_files import lines_of, refuse_out, write_answer_table
from ..services.private_files import keep_private
from ._model import add_model_arguments, load_model
from .arguments import count_from_1
from .parsing import refuse_flags

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..adapters.folder_answers import FolderAnswers
    from ..records import Prediction


def add_folder_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """What is asked, about which images, of which weights; the group."""
    group = parser.add_argument_group("a model of yours, about a folder of images")
    group.add_argument("--images", type=Path, metavar="FOLDER", help="every image below it, DICOM too")
    group.add_argument("--task", choices=("vqa", "report", "caption"), help="what is asked for")
    group.add_argument("--question", metavar="TEXT", help="asked about every image")
    group.add_argument(
        "--questions",
        type=Path,
        metavar="FILE.csv",
        help="column question, and image where not every question is for every image, or images, several that are "
        "shown together: frontal=a.png; lateral=b.png; optional: answer, answer_type, id",
    )
    group.add_argument(
        "--studies",
        type=Path,
        metavar="FILE.csv",
        help="column images, those that are shown together: frontal=a.png; lateral=b.png; in place of every image by "
        "itself; optional: answer, id",
    )
    group.add_argument(
        "--confidence", action="store_true", help="also ask how probable it holds each answer, 0 to 1 (not calibrated)"
    )
    group.add_argument("--batch-size", type=count_from_1, default=8, metavar="N", help="questions at once (default 8)")
    group.add_argument("--allow-truncated", action="store_true", help="use what there is of images that are cut short")
    add_model_arguments(group, required=False)
    return group


def answer_images(arguments: argparse.Namespace) -> int:
    """Answer, and write; 1 if an image could not be used."""
    from ..adapters.folder_answers import answer_folder  # late: loads torch
    from ..services.images.image_folder import (  # late: loads PIL
        find_images,
        make_samples,
        read_questions,
        read_studies,
    )

    refuse_flags(arguments, arguments.of_a_server, "of a model behind an API, which --images does not ask; leave out")
    _check(arguments)
    found = find_images(arguments.images)
    if arguments.studies:
        samples = read_studies(arguments.studies, arguments.task, arguments.question)
    elif arguments.questions:
        samples = read_questions(arguments.questions, found.images)
    else:
        samples = make_samples(found.images, arguments.task, arguments.question)
    about = len({image for sample in samples for image in sample.images})
    what = "studies" if arguments.studies else "questions" if arguments.questions else ""
    questions = f"; {len(samples):,} {what}" if what else ""
    print(f"{len(found.images):,} images below {found.root}, {about:,} to be asked about{questions}")
    if found.others:
        print(
            "left alone, no images by their ending: "
            + ", ".join(f"{count:,} {kind}" for kind, count in found.others.items())
        )
    refuse_out(arguments.out, len(samples), (arguments.questions, arguments.studies))
    out = lines_of(arguments.out) or arguments.out / "predictions.jsonl"
    keep_private({sample.dataset for sample in samples})
    out.parent.mkdir(parents=True, exist_ok=True)  # what cannot be written is told before a model is loaded
    model = load_model(arguments)
    model.batch_size = arguments.batch_size
    model.policy = replace(model.policy, allow_truncated=arguments.allow_truncated)
    done = answer_folder(model, arguments.images, samples, out, arguments.max_new_tokens, arguments.confidence)
    _show(done, out)
    if done.predictions:
        write_table(arguments.out, done.predictions)
    return 1 if done.unusable else 0


def write_table(out: Path, predictions: Sequence[Prediction]) -> None:
    """CSV or XLSX beside the JSON lines, where ``--out`` asks for it."""
    if lines_of(out) in (None, out):
        return
    written = write_answer_table(out, predictions)
    if written.aside:
        print(f"{out} was there with other content, and is now {written.aside}")
    print(f"as a table for people: {out}; programs read {lines_of(out)}")
    if written.marked:
        print(
            f"{written.marked:,} cell(s) begin with ' there: a spreadsheet would take them for a formula, a number or "
            "a date"
        )
    if written.cut:
        print(
            f"warning: {written.cut:,} text(s) are longer than a cell holds and are cut there; not in {lines_of(out)}"
        )


def refuse_folder_arguments(arguments: argparse.Namespace) -> None:
    """Raises ConfigError: what belongs to a model of yours was given beside a test set for a model behind an API."""
    refuse_flags(arguments, arguments.of_a_folder, "of a model of yours, about --images FOLDER; leave out, or name one")


def _check(arguments: argparse.Namespace) -> None:
    problems: list[str] = []
    if arguments.dataset or arguments.root or arguments.model:
        problems.append("DATASET, FOLDER and --api belong to the other use of this command; leave them out")
    if not arguments.task:
        problems.append("--task is missing: vqa, report or caption")
    if not arguments.ckpt:
        problems.append("--ckpt is missing: a checkpoint, an exported folder, or embedded")
    if arguments.question is not None and not arguments.question.strip():
        problems.append("--question is empty; ask something")
    if arguments.question and arguments.questions:
        problems.append("--question and --questions: give one of them")
    if arguments.studies and arguments.questions:
        problems.append("--studies and --questions: give one of them; questions name images in a column images, too")
    if arguments.task == "vqa" and not (arguments.question or arguments.questions):
        problems.append("--task vqa needs --question TEXT or --questions FILE.csv")
    if arguments.task in ("report", "caption") and arguments.questions:
        problems.append("--questions goes with --task vqa")
    if problems:
        raise ConfigError("--images cannot be used so", problems)


def _show(done: FolderAnswers, out: Path) -> None:
    if done.unusable:
        print(
            f"{len(done.unusable):,} image(s) could not be used, {done.unanswered:,} question(s) stay open:",
            file=sys.stderr,
        )
        print("\n".join(bullets(list(done.unusable.values()))), file=sys.stderr)
        print(f"all of them are in {out.with_name(out.name + '.skipped.jsonl')}", file=sys.stderr)
    reused = f", {done.reused:,} of them from an earlier start" if done.reused else ""
    print(
        f"{len(done.predictions):,} answers{reused}; {f'written to {out}' if done.predictions else 'nothing written'}"
    )
