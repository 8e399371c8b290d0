"""Arguments of the commands that load a model of yours, and the loading."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..origins import TINY, read_origins, what_the_tiny_model_is
from ..services.console import say
from ..services.terminal import working
from .arguments import count_from_0, count_from_1

LEARNT = "what the weights were trained on"
"""To the gate the name of a data set that nobody has declared public."""

if TYPE_CHECKING:
    from ..adapters.medical_model import MedicalModel


def add_model_arguments(parser: Any, *, required: bool) -> None:
    """Which weights, and how an image is read; ``parser`` may be an argument group."""
    parser.add_argument(
        "--ckpt",
        required=required,
        metavar="PATH",
        help="checkpoint, exported folder, or 'embedded' for the generated tiny model",
    )
    parser.add_argument("--llama", type=Path, metavar="FOLDER", help="LLaMA it was trained on (default: PEFOMED_LLAMA)")
    parser.add_argument(
        "--vit",
        type=Path,
        metavar="PATH",
        help="eva_vit_g.pth, or weights of the encoder it was trained with (default: PEFOMED_VIT)",
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:1")
    parser.add_argument("--quantization", default="none", choices=("none", "8bit", "4bit"), help="of LLaMA, on a GPU")
    parser.add_argument("--lora-alpha", type=count_from_1, metavar="N", help="for a file that does not say")
    parser.add_argument(
        "--max-new-tokens",
        type=count_from_0,
        default=0,
        metavar="N",
        help="limit of an answer (default: 20, a report 300, a caption 120)",
    )
    parser.add_argument("--frame", type=count_from_0, metavar="N", help="of images that hold several, from 0")


def load_model(arguments: argparse.Namespace) -> MedicalModel:
    """The model that the arguments name. Raises PefomedError as ``load``."""
    from ..loading import load  # late: loads torch

    say(f"loading {arguments.ckpt}")
    with working(f"loading {arguments.ckpt}"):
        model = load(
            arguments.ckpt,
            llama=arguments.llama,
            vit=arguments.vit,
            device=arguments.device,
            lora_alpha=arguments.lora_alpha,
            quantization=arguments.quantization,
        )
    model.policy = replace(model.policy, frame=arguments.frame)
    if read_origins(model.facts).model == TINY:
        say(what_the_tiny_model_is(model.learnt))
    return model
