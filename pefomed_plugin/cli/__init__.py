"""The command ``pefomed``: sub-commands in the order of the work, one file each, imported only when used.

Exit codes: 0 done, 1 the data is not what it should be, 2 a mistake in what was given, 130 interrupted.
"""

import argparse
import importlib
import sys
from typing import Optional, Sequence

from .. import __version__
from ..errors import PefomedError

COMMANDS = {
    "sample": "write the embedded default: miniature data sets in their official layouts, and a tiny model",
    "prepare": "check a downloaded data set and write it in our schema, with a report",
    "shard": "write a prepared data set as WebDataset shards for stage 1",
    "predict": "let a vision model behind an API answer a test set, for the baselines of a comparison",
    "score": "score predictions without a model, and break the scores down",
    "judge": "let a language model, or the offline judge, rate predictions against their references",
    "wasm": "the weighted average of report ratings, from score files or from counts",
    "rate": "spreadsheets for human raters: export them blinded, import and check what came back",
    "agree": "how far exact match, judge and raters agree, and WASM corrected by a rated subset",
    "compare": "the paper's ablation tables from any set of runs, with paired tests",
    "report": "one HTML page of a run: figures, breakdowns and every answer beside its image",
    "import-predictions": "turn other people's result files into predictions.jsonl",
}
"""Sub-command -> one line of help; ``cli/<name>.py`` (``-`` as ``_``) has ``add_arguments(parser)`` and
``run(arguments) -> int``."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Command line of ``pefomed``; returns the exit code. A user's mistake is shown without a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="pefomed", description="PeFoMed for MiniGPT-v2.")
    parser.add_argument("--version", action="version", version="pefomed_plugin " + __version__)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    named = next((each for each in given if not each.startswith("-")), "")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if name == named:
            module = importlib.import_module("pefomed_plugin.cli." + name.replace("-", "_"))
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    parsed = parser.parse_args(given)
    try:
        return int(parsed.run(parsed))
    except PefomedError as error:
        if parsed.debug:
            raise
        print("error: {}".format(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
