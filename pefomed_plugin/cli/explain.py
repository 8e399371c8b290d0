"""``pefomed explain``: which parts of an image an answer leans on."""

from __future__ import annotations

import argparse
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, DataError, near_names
from ..provenance import find_image_roots
from ..records import Prediction
from ..reporting.results import Answered, Run, read_run
from ..scoring.metrics_file import OCCLUSION
from ..services.console import quote_words, say
from ..services.private_files import keep_private
from ..storage import refuse_place, write_bytes, write_json
from ._model import add_model_arguments, load_model
from .arguments import count_from_1, make_room
from .next_step import NextStep, page_of, pefomed

if TYPE_CHECKING:
    from ..adapters.medical_model import MedicalModel
    from ..adapters.occlusion import OcclusionMap


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("image", nargs="?", type=Path, metavar="IMAGE", help="of one question: any file, DICOM too")
    parser.add_argument("--question", metavar="TEXT", help="what is asked about IMAGE; left out: a report is")
    parser.add_argument("--answer", metavar="TEXT", help="which answer is looked at (default: what the model says)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="picture to write, .png or .jpg")
    parser.add_argument(
        "--run", dest="evaluation", type=Path, metavar="RUN", help="in place of IMAGE: an evaluation, for its page"
    )
    parser.add_argument("--samples", metavar="ID,ID", help="of --run: whose answers are explained")
    parser.add_argument(
        "--image-root",
        action="append",
        default=[],
        metavar="[DATASET=]FOLDER",
        help="of --run: where the images lie (default: as the run recorded it)",
    )
    parser.add_argument("--grid", type=count_from_1, default=7, metavar="N", help="cells a side (default 7)")
    add_model_arguments(parser, required=True)
    parser.epilog = (
        "examples:\n  pefomed explain chest.png --question 'Is there an effusion?' --ckpt output/stage2/"
        "checkpoint_last.pth --out where.png\n  pefomed explain --run output/eval --samples vqa_rad-3,vqa_rad-8 --ckpt "
        "output/stage2/checkpoint_last.pth\n\nfor research only, not for clinical use"
    )


def run(arguments: argparse.Namespace) -> int:
    """Cover parts of the image, and draw or write what became of the answer."""
    problems = _problems(arguments)
    if problems:
        raise ConfigError("pefomed explain cannot be used so", problems)
    return _explain_run(arguments) if arguments.evaluation else _explain_image(arguments)


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """The page shows the maps; of one image, ask more."""
    if arguments.evaluation:
        return page_of(arguments.evaluation)
    return pefomed("chat", "--ckpt", arguments.ckpt)


def _problems(arguments: argparse.Namespace) -> list[str]:
    from ..services.images.overlay import MOST_CELLS_A_SIDE  # late: loads PIL

    if bool(arguments.image) == bool(arguments.evaluation):
        return ["give IMAGE, or --run RUN --samples ID,ID; one of the two"]
    given = {name: getattr(arguments, name) for name in ("question", "answer", "out", "samples", "image_root")}
    other = ("samples", "image_root") if arguments.image else ("question", "answer", "out")
    of = "--run" if arguments.image else "IMAGE"
    problems = [f"--{name.replace('_', '-')} belongs to {of}; leave it out" for name in other if given[name]]
    if not 1 < arguments.grid <= MOST_CELLS_A_SIDE:
        problems.append(f"--grid {arguments.grid}: give from 2 to {MOST_CELLS_A_SIDE} cells a side")
    if arguments.evaluation and not arguments.samples:
        problems.append("--samples is missing: ids of answers of the run, with commas between them")
    if arguments.image and (arguments.out is None or arguments.out.suffix not in (".png", ".jpg")):
        problems.append("--out is missing, or does not end in .png or .jpg")
    return problems


def _explain_image(arguments: argparse.Namespace) -> int:
    from ..adapters.medical_model import Request  # late: loads torch
    from ..adapters.occlusion import in_words, occlusion_map  # late: loads torch
    from ..services.images.decoding import DEFAULT_POLICY  # late: loads PIL
    from ..services.images.given_images import open_given  # late: loads PIL
    from ..services.images.overlay import SCALE, draw_overlay  # late: loads PIL

    refuse_place(arguments.out)
    open_given(arguments.image, replace(DEFAULT_POLICY, frame=arguments.frame))  # before weights are loaded
    model = load_model(arguments)
    request = Request(arguments.image, "vqa" if arguments.question else "report", arguments.question)
    found = occlusion_map(model, request, arguments.answer, arguments.grid)
    print(f"answer: {found.answer}")
    print(in_words(found))
    keep_private(["medical_custom"])
    stream = BytesIO()
    kind = "PNG" if arguments.out.suffix == ".png" else "JPEG"
    draw_overlay(model.open(arguments.image), found.drops, SCALE).save(stream, kind)
    make_room(arguments.out)
    write_bytes(arguments.out, stream.getvalue())
    print(f"written to {arguments.out}; a map shows what the answer leans on, not where a finding is")
    return 0


def _explain_run(arguments: argparse.Namespace) -> int:
    from ..adapters.occlusion import in_words  # late: loads torch

    run = read_run(arguments.evaluation)
    chosen = _chosen(run, [name.strip() for name in arguments.samples.split(",") if name.strip()])
    roots = find_image_roots([row.dataset for _, rows in chosen for row in rows], run.record, arguments.image_root)
    model = load_model(arguments)
    for answered, rows in chosen:
        maps, path = {**answered.occlusion}, run.place_of(answered.key) / OCCLUSION
        for row in rows:
            found = _map_of(model, row, roots[row.dataset], arguments.grid)
            maps[row.id] = found.to_json()
            write_json(path, {"maps": maps})  # each as it is there: what was computed is not lost
            print(f"{row.id}: {in_words(found)}")
        say(f"written to {path}; {quote_words(['pefomed', 'report', arguments.evaluation])} shows it")
    return 0


def _chosen(run: Run, wanted: list[str]) -> list[tuple[Answered, list[Prediction]]]:
    """The answers that are asked for, by test set.

    Raises:
        DataError: no such answer, one that the model did not give, or one about several images; all of them.
    """
    known = {row.id: (answered, row) for answered in run.answered.values() for row in answered.predictions}
    problems = [f"{name}: no such answer; {near_names(name, known)}" for name in wanted if name not in known]
    rows = [known[name] for name in dict.fromkeys(wanted) if name in known]
    problems += [f"{row.id}: the model gave no answer" for _, row in rows if not (row.prediction or "").strip()]
    problems += [
        f"{row.id}: it shows {len(row.images)} images, and one can be mapped" for _, row in rows if len(row.images) > 1
    ]
    if problems:
        raise DataError("these answers cannot be explained", problems)
    keys = dict.fromkeys(answered.key for answered, _ in rows)
    return [(run.answered[key], [row for answered, row in rows if answered.key == key]) for key in keys]


def _map_of(model: MedicalModel, row: Prediction, root: Path, grid: int) -> OcclusionMap:
    from ..adapters.medical_model import Request  # late: loads torch
    from ..adapters.occlusion import occlusion_map  # late: loads torch
    from ..services.images.decoding import open_image  # late: loads PIL

    image = open_image(root, row.images[0], policy=model.policy)
    return occlusion_map(model, Request(image, row.task, row.question), row.prediction, grid)
