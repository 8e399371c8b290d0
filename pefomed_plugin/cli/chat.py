"""``pefomed chat``: try a model on a local page, or in the terminal."""

from __future__ import annotations

import argparse
import tempfile
from importlib.util import find_spec
from pathlib import Path

from ..environment import EMBEDDED
from ..errors import ConfigError
from ..services.local_names import is_this_machine
from ..services.outbound import WEIGHTS_PAGE, open_passage
from ..ui.terminal import converse
from ._model import LEARNT, add_model_arguments, load_model
from .arguments import add_permission
from .next_step import NextStep, pefomed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_model_arguments(parser, required=True)
    parser.add_argument("--cli", action="store_true", help="talk in the terminal; needs no gradio")
    parser.add_argument("--image", type=Path, metavar="FILE", help="of --cli: the image to begin with")
    parser.add_argument(
        "--examples", type=Path, metavar="FOLDER", help="of the page: images to offer (default: three drawings)"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="of the page: address to listen on (default 127.0.0.1, this machine alone)",
    )
    add_permission(parser, "of the page: others may ask a model that learnt from data that are not public")
    parser.add_argument("--port", type=int, default=7860, metavar="N", help="of the page (default 7860)")
    parser.epilog = (
        "examples:\n  pefomed chat --ckpt output/stage2/checkpoint_last.pth\n"
        "  pefomed chat --ckpt embedded --cli\n\nfor research only, not for clinical use"
    )


def run(arguments: argparse.Namespace) -> int:
    """Load, then talk or serve until the user has enough."""
    if arguments.cli:
        converse(load_model(arguments), str(arguments.image or ""), arguments.max_new_tokens)
        return 0
    _serve(arguments)
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """What the model is; after the tiny one, a study of one's own."""
    if arguments.ckpt == EMBEDDED:
        return pefomed("init", "my_study")
    return pefomed("checkpoint", "inspect", arguments.ckpt)


def _serve(arguments: argparse.Namespace) -> None:
    from ..ui.page import draw_examples, find_examples, serve  # late: loads PIL

    if find_spec("gradio") is None:  # said before the weights are loaded
        raise ConfigError("the page needs the package gradio: pip install gradio; or talk in the terminal, with --cli")
    if not is_this_machine(arguments.host):
        print(
            f"warning: with --host {arguments.host} everybody who reaches this machine can use the page; there is no "
            "password"
        )
    passage = open_passage(
        WEIGHTS_PAGE,
        f"every machine that reaches --host {arguments.host}",
        [] if arguments.ckpt == EMBEDDED and not arguments.examples else [LEARNT],
        is_local=is_this_machine(arguments.host),
    )
    with tempfile.TemporaryDirectory(prefix="pefomed-examples-") as folder:
        examples = find_examples(arguments.examples) if arguments.examples else draw_examples(Path(folder))
        try:
            serve(
                load_model(arguments),
                host=arguments.host,
                port=arguments.port,
                max_new_tokens=arguments.max_new_tokens,
                examples=examples,
                passage=passage,
            )
        except KeyboardInterrupt:
            print("\nthe page has ended; what was dropped onto it is deleted")
