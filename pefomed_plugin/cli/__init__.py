"""The command ``pefomed``: sub-commands in the order of the work, one file each, imported only when used."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout

from .. import __version__
from ..errors import PefomedError, near_names, printable, why
from ..reporting.rendering import show
from ..requirements import package_of
from ..services import outbound
from .output import Output, print_json

COMMANDS = {
    "doctor": "check this machine, the toolkit, and the paths of a run before it starts",
    "init": "write a project folder for your own data: YAMLs of both stages, data template, .gitignore",
    "sample": "write the embedded default: miniature data sets in their official layouts, and a tiny model",
    "prepare": "check a downloaded data set and write it in our schema, with a report",
    "folds": "k folds of a data set that share no image, study or patient, each with a YAML that trains and evaluates",
    "shard": "write a prepared data set as WebDataset shards for stage 1",
    "share": "a prepared data set as a Hugging Face data set, Croissant, or a task of inspect_ai or lmms-eval",
    "features": "make the images of a run ready once: what the frozen vision encoder makes of them, or pixels",
    "estimate": "what a run takes of a GPU's memory, of the disk and of hours, and what helps on a small card",
    "train": "train, then evaluate, what a YAML says; starts torchrun",
    "evaluate": "answer and score the test splits of a YAML; starts torchrun",
    "predict": "let a model behind an API answer a test set, or a model of yours a folder of images",
    "baseline": "the answers of predictors that do not look at the image: what a score is worth is what it is above",
    "floors": "put the answers of predictors that do not look under a run's figures: ticks on bars, rows under tables",
    "leaks": "what training has of each sample that a run answered, so that its figures can be split by it",
    "audit": "what scorers, other harnesses and judges make of answers whose worth is known",
    "score": "score predictions without a model, and break the scores down",
    "import-predictions": "turn other people's result files into predictions.jsonl",
    "export-predictions": "write predictions as other projects' result files: lmms-eval, VLMEvalKit, ReXrank, R2Gen",
    "judge": "let a language model, or the offline judge, rate predictions against their references",
    "jury": "the verdicts of several judging models as one, by majority, and how far they agree",
    "wasm": "the weighted average of report ratings, from score files or from counts",
    "rate": "spreadsheets or a local page for human raters, blinded; import and check what came back",
    "agree": "how far exact match, judge and raters agree, and WASM corrected by a rated subset",
    "compare": "the paper's ablation tables from any set of runs, with paired tests",
    "folds-summary": "the runs of all folds as one: mean, spread and interval, and a run that every command takes",
    "plot": "scorers side by side by question type or organ, as in the paper's figures 3 to 6",
    "report": "one HTML page of a run: figures, breakdowns and every answer beside its image",
    "paper": "every table and figure of the paper and a paragraph of methods, from your runs",
    "checklist": "CLAIM and TRIPOD-LLM filled in from what a run knows of itself; the rest is left open by name",
    "checkpoint": "what a weights file holds; other spellings, a merged LLaMA, an adapter for the hub",
    "explain": "which parts of an image an answer leans on, drawn over it",
    "chat": "try a model: a local page, or a conversation in the terminal",
    "serve": "an OpenAI-compatible server of a model of yours: images in, answers out, many at once",
    "privacy": "look for protected health information, write a cleaned copy, show what left this machine",
    "link": "make the plugin part of a MiniGPT-4 checkout, for its own train.py",
    "unlink": "take it out of the checkout again, byte for byte",
    "completion": "print the shell's completion of this command: bash, zsh or fish",
}
"""Sub-command -> one line of help; ``cli/<name>.py`` (``-`` as ``_``) has ``add_arguments(parser)`` and
``run(arguments)``, which returns the exit code or an ``Output``."""

EXIT_CODES = {
    0: "done",
    1: "done, but the data, the machine or the result is not what it should be",
    2: "a mistake in what was given; the message says which, and what to do",
    130: "interrupted",
}
"""Exit code -> meaning; ``train`` and ``evaluate`` pass on that of the first process that failed."""

_EPILOG = "example: pefomed doctor --cfg-path train_configs/pefomed_stage2.yaml\n\nexit codes:\n" + "\n".join(
    f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items()
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of ``pefomed``; returns the exit code. A user's mistake is shown without a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [value for value in given if value != "--debug"]  # wherever it stands, before or behind the sub-command
    named = next((value for value in given if not value.startswith("-")), "")
    if named and named not in COMMANDS:
        return _fail(f"no command {named!r}; {near_names(named, COMMANDS)}")
    parser = make_parser([named])
    if not given:
        parser.print_help(sys.stderr)
        return 2
    empty = [number for number, value in enumerate(given) if not value or (value[:2] == "--" and value[-1] == "=")]
    if empty:
        before = " ".join(given[max(0, empty[0] - 1) : empty[0] + 1])
        return _fail(f"an argument is empty, at {before!r}; is it a variable that is not set?")
    parsed = parser.parse_args(given)
    outbound.begin(parsed.command, getattr(parsed, "i_have_permission", False))
    try:
        return _run(parsed)
    except BrokenPipeError:  # the reader of a pipe has left: pefomed compare ... | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (PefomedError, OSError, ModuleNotFoundError) as error:
        text = _words(error)
        if debug or not text:
            raise
        return _fail(text, getattr(error, "exit_code", 2))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def make_parser(wanted: Iterable[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """The parser of ``pefomed``; only the sub-commands that are ``wanted`` are imported and get their arguments."""
    parser = argparse.ArgumentParser(
        prog="pefomed",
        description="PeFoMed for MiniGPT-v2.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version="pefomed_plugin " + __version__)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name in wanted:
            module = importlib.import_module("pefomed_plugin.cli." + name.replace("-", "_"))
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def _run(parsed: argparse.Namespace) -> int:
    as_json = getattr(parsed, "json", False)
    with redirect_stdout(sys.stderr if as_json else sys.stdout):  # what is said on the way is no JSON
        result: int | Output = parsed.run(parsed)
        if isinstance(result, Output) and not as_json:
            show(result.shown)
    if isinstance(result, Output):
        if as_json:
            print_json(result)
        result = result.exit_code
    sys.stdout.flush()
    return int(result)


def _words(error: Exception) -> str:
    """A user's mistake in words; empty where the mistake is in the program."""
    if isinstance(error, OSError):
        place = "" if error.filename is None else f"{error.filename}: "
        return f"{place}{why(error)}"
    if isinstance(error, ModuleNotFoundError):
        package = package_of(error.name or "")
        return package and f"this needs the package {error.name}; pip install {package}"
    return str(error)


def _fail(text: str, code: int = 2) -> int:
    print(f"error: {printable(text)}", file=sys.stderr)
    return code
