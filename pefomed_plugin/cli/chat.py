"""``pefomed chat``: try a model on a local page, or in the terminal."""

from __future__ import annotations

import argparse
import tempfile
from importlib.util import find_spec
from pathlib import Path

from ..environment import EMBEDDED
from ..errors import ConfigError
from ..services.local_names import is_this_machine
from ..services.outbound import FLAG, WEIGHTS_PAGE, open_passage
from ..services.terminal import working
from ..ui.terminal import converse, named_files
from ._model import LEARNT, add_model_arguments, load_model
from .arguments import add_permission, port_number
from .next_step import NextStep, pefomed

_HOST, _PORT = "127.0.0.1", 7860


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_model_arguments(parser, required=True)
    parser.add_argument("--cli", action="store_true", help="talk in the terminal; needs no gradio")
    parser.add_argument("--image", metavar="FILE", help="of --cli: the image to begin with")
    parser.add_argument(
        "--against", metavar="PATH", help="of the page: other weights that are asked the same, shown side by side"
    )
    parser.add_argument(
        "--examples",
        type=Path,
        metavar="FOLDER",
        help="of the page: images to offer (default: of the test split of the run that wrote the checkpoint, where it "
        "is on this machine; else three drawings)",
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help=f"of the page: address to listen on (default {_HOST}, this machine alone)",
    )
    add_permission(parser, "of the page: others may ask a model that learnt from data that are not public")
    parser.add_argument("--port", type=port_number, metavar="N", help=f"of the page (default {_PORT}); 0: any free one")
    parser.epilog = (
        "examples:\n  pefomed chat --ckpt output/stage2/checkpoint_last.pth\n"
        "  pefomed chat --ckpt output/stage1/checkpoint_last.pth --against output/stage2/checkpoint_last.pth\n"
        "  pefomed chat --ckpt embedded --cli\n\nfor research only, not for clinical use"
    )


def run(arguments: argparse.Namespace) -> int:
    """Load, then talk or serve until the user has enough."""
    _check_together(arguments)
    if arguments.cli:
        converse(load_model(arguments), arguments.image or "", arguments.max_new_tokens)
        return 0
    _serve(arguments)
    return 0


def _check_together(arguments: argparse.Namespace) -> None:
    """Raises ConfigError: something is given that the page, or the terminal, would not use."""
    of_page = {
        "--against": arguments.against,
        "--examples": arguments.examples,
        "--host": arguments.host,
        "--port": arguments.port,
        FLAG: arguments.i_have_permission or None,
    }
    unused = [flag for flag, value in of_page.items() if value is not None] if arguments.cli else []
    if unused:
        raise ConfigError(f"{', '.join(unused)}: of the page; leave out that or --cli")
    if arguments.image and not arguments.cli:
        raise ConfigError(
            "--image: of the terminal, with --cli; drop the image onto the page, or give --examples FOLDER"
        )
    if arguments.image:
        missing = [path for path in named_files(arguments.image).values() if not Path(path).expanduser().exists()]
        if missing:
            raise ConfigError("--image: no such file", missing)


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """What the model is; after the tiny one, a study of one's own."""
    if arguments.ckpt == EMBEDDED:
        return pefomed("init", "my_study")
    return pefomed("checkpoint", "inspect", arguments.ckpt)


def _serve(arguments: argparse.Namespace) -> None:
    from ..ui.examples import draw_examples, examples_of_run, find_examples  # late: loads PIL
    from ..ui.page import serve  # late: loads PIL

    if find_spec("gradio") is None:  # said before the weights are loaded
        raise ConfigError("the page needs the package gradio: pip install gradio; or talk in the terminal, with --cli")
    host = arguments.host or _HOST
    is_here = is_this_machine(host)
    if not is_here:
        print(f"warning: with --host {host} everybody who reaches this machine can use the page; there is no password")
    weights = {arguments.ckpt, arguments.against or arguments.ckpt}
    passage = open_passage(
        WEIGHTS_PAGE,
        f"every machine that reaches --host {host}",
        [] if weights == {EMBEDDED} and not arguments.examples else [LEARNT],
        is_local=is_here,
    )
    with tempfile.TemporaryDirectory(prefix="pefomed-examples-") as folder:
        with working("looking for examples"):
            if arguments.examples:
                gallery = find_examples(arguments.examples, Path(folder))
            elif arguments.ckpt == EMBEDDED:
                gallery = draw_examples(Path(folder))
            else:
                gallery = examples_of_run(arguments.ckpt, Path(folder), is_here=is_here)
        print(f"examples: {gallery.words}")
        try:
            serve(
                load_model(arguments),
                host=host,
                port=_PORT if arguments.port is None else arguments.port,
                max_new_tokens=arguments.max_new_tokens,
                gallery=gallery,
                passage=passage,
                against=load_model(other_weights(arguments)) if arguments.against else None,
            )
        except KeyboardInterrupt:
            print("\nthe page has ended; what was dropped onto it is deleted")


def other_weights(arguments: argparse.Namespace) -> argparse.Namespace:
    """The same arguments for the weights of ``--against``."""
    return argparse.Namespace(**{**vars(arguments), "ckpt": arguments.against})
