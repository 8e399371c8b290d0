"""The command ``pefomed``: sub-commands in the order of the work, one file each, imported only when used."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Collection, Sequence
from contextlib import ExitStack, nullcontext, redirect_stdout

from .. import __version__
from ..config.given import given_twice
from ..environment import mistyped
from ..errors import PefomedError, near_names, printable, why
from ..reporting.rendering import show
from ..requirements import package_of
from ..services import outbound
from ..services.console import write_out_what_cannot_be_shown
from ..services.ending import FATAL, exit_code_of, unwinding
from ..services.terminal import folded_output, lasting_output, open_closed_streams, working
from .help import DATA, EVALUATE, JUDGE, SETUP, SHARE, TRAIN, Command, HelpFormatter, group_commands
from .next_step import pefomed, show_next
from .output import Output, print_json
from .parsing import Parser

COMMANDS = {
    "doctor": Command(SETUP, "check this machine, the toolkit, and the paths of a run before it starts"),
    "init": Command(SETUP, "write a project folder for your own data: YAMLs of both stages, data template, .gitignore"),
    "sample": Command(
        SETUP, "write the embedded default: miniature data sets in their official layouts, and a tiny model"
    ),
    "link": Command(SETUP, "make the plugin part of a MiniGPT-4 checkout, for its own train.py"),
    "unlink": Command(SETUP, "take it out of the checkout again, byte for byte"),
    "completion": Command(SETUP, "print the shell's completion of this command: bash, zsh or fish", prints_code=True),
    "prepare": Command(DATA, "check a downloaded data set and write it in our schema, with a report"),
    "privacy": Command(
        DATA, "look for protected health information, write a cleaned copy, show what left this machine"
    ),
    "folds": Command(
        DATA, "k folds of a data set that share no image, study or patient, each with a YAML that trains and evaluates"
    ),
    "shard": Command(DATA, "write a prepared data set as WebDataset shards for stage 1"),
    "estimate": Command(
        TRAIN, "what a run takes of a GPU's memory, of the disk and of hours, and what helps on a small card"
    ),
    "features": Command(
        TRAIN, "make the images of a run ready once: what the frozen vision encoder makes of them, or pixels"
    ),
    "train": Command(TRAIN, "train, then evaluate, what a YAML says; starts torchrun", talks=True, lasts=True),
    "watch": Command(
        TRAIN, "training while it runs: curves of one or several runs, validation, remaining time", talks=True
    ),
    "evaluate": Command(
        EVALUATE, "answer and score the test splits of a YAML; starts torchrun", talks=True, lasts=True
    ),
    "predict": Command(EVALUATE, "let a model behind an API answer a test set, or a model of yours a folder of images"),
    "import-predictions": Command(EVALUATE, "turn other people's result files into predictions.jsonl"),
    "score": Command(EVALUATE, "score predictions without a model, and break the scores down"),
    "baseline": Command(
        EVALUATE, "the answers of predictors that do not look at the image: what a score is worth is what it is above"
    ),
    "floors": Command(
        EVALUATE,
        "put the answers of predictors that do not look under a run's figures: ticks on bars, rows under tables",
    ),
    "leaks": Command(
        EVALUATE, "what training has of each sample that a run answered, so that its figures can be split by it"
    ),
    "compare": Command(EVALUATE, "the paper's ablation tables from any set of runs, with paired tests"),
    "folds-summary": Command(
        EVALUATE, "the runs of all folds as one: mean, spread and interval, and a run that every command takes"
    ),
    "plot": Command(EVALUATE, "scorers side by side by question type or organ, as in the paper's figures 3 to 6"),
    "report": Command(EVALUATE, "one HTML page of a run: figures, breakdowns and every answer beside its image"),
    "explain": Command(EVALUATE, "which parts of an image an answer leans on, drawn over it"),
    "chat": Command(EVALUATE, "try a model: a local page, or a conversation in the terminal", talks=True),
    "judge": Command(JUDGE, "let a language model, or the offline judge, rate predictions against their references"),
    "jury": Command(JUDGE, "the verdicts of several judging models as one, by majority, and how far they agree"),
    "wasm": Command(JUDGE, "the weighted average of report ratings, from score files or from counts"),
    "rate": Command(
        JUDGE, "spreadsheets or a local page for human raters, blinded; import and check what came back", talks=True
    ),
    "agree": Command(JUDGE, "how far exact match, judge and raters agree, and WASM corrected by a rated subset"),
    "audit": Command(JUDGE, "what scorers, other harnesses and judges make of answers whose worth is known"),
    "paper": Command(SHARE, "every table and figure of the paper and a paragraph of methods, from your runs"),
    "checklist": Command(
        SHARE, "CLAIM and TRIPOD-LLM filled in from what a run knows of itself; the rest is left open by name"
    ),
    "checkpoint": Command(SHARE, "what a weights file holds; other spellings, a merged LLaMA, an adapter for the hub"),
    "export-predictions": Command(
        SHARE, "write predictions as other projects' result files: lmms-eval, VLMEvalKit, ReXrank, R2Gen"
    ),
    "share": Command(
        SHARE, "a prepared data set as a Hugging Face data set, Croissant, or a task of inspect_ai or lmms-eval"
    ),
    "serve": Command(
        SHARE,
        "an OpenAI-compatible server of a model of yours: images in, answers out, many at once",
        talks=True,
        lasts=True,
    ),
}
"""Sub-command -> its group and one line of help. ``cli/<name>.py`` (``-`` as ``_``) has ``add_arguments(parser)``,
``run(arguments)``, which returns the exit code or an ``Output``, and ``next_step(arguments, exit_code)``."""

EXIT_CODES = {
    0: "done",
    1: "done, but the data, the machine or the result is not what it should be",
    2: "a mistake in what was given; the message says which, and what to do",
    130: "interrupted; 143 and 129: ended by SIGTERM, or with its terminal",
}
"""Exit code -> meaning; ``train`` and ``evaluate`` pass on that of the first process that failed."""

_WITH_A_NEXT_STEP = (0, 1)
"""Exit codes of a command that has done its work; a mistake comes with its own remedy. Above ``FATAL`` it was ended."""

_FLAGS = ("--help", "--version", "--debug")

_EPILOG = "example: pefomed doctor --cfg-path train_configs/pefomed_stage2.yaml\n\nexit codes:\n" + "\n".join(
    f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items()
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of ``pefomed``; returns the exit code. A user's mistake is shown without a traceback."""
    write_out_what_cannot_be_shown()
    open_closed_streams()
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    given = [value for value in given if value != "--debug"]  # wherever it stands, before or behind the sub-command
    try:
        with unwinding():
            return _main(given, debug)
    except KeyboardInterrupt as error:
        print(str(error) or "interrupted", file=sys.stderr)
        if "--json" not in given:
            show_next(pefomed(*given))
        return exit_code_of(error)


def _main(given: Sequence[str], debug: bool) -> int:
    named = next((value for value in given if not value.startswith("-")), "")
    if named == "help":
        return _fail("no command 'help'; pefomed --help lists them, and pefomed COMMAND --help says more of one")
    if named and named not in COMMANDS:
        return _fail(f"no command {named!r}; {near_names(named, COMMANDS)}")
    parser = make_parser([named])
    before = given[: given.index(named)] if named else given
    unknown = [flag for flag in before if flag not in parser._option_string_actions]
    if unknown:
        return _fail(f"no flag {unknown[0]!r} of pefomed itself; {near_names(unknown[0], _FLAGS)}")
    if not given:
        parser.print_help(sys.stderr)
        return 2
    empty = [number for number, value in enumerate(given) if not value or (value[:2] == "--" and value[-1] == "=")]
    if empty:
        before = " ".join(given[max(0, empty[0] - 1) : empty[0] + 1])
        return _fail(f"an argument is empty, at {before!r}; is it a variable that is not set?")
    parsed = parser.parse_args(given)
    parsed.given = given
    for name, near in mistyped().items():
        meant = f"; did you mean {near}?" if near else ""
        print(printable(f"warning: {name} is set, and nothing reads it{meant}"), file=sys.stderr)
    for line in given_twice(getattr(parsed, "options", ())):
        print(printable(line), file=sys.stderr)
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


def make_parser(wanted: Collection[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """The parser of ``pefomed``; only the sub-commands that are ``wanted`` are imported and get their arguments."""
    parser = Parser(
        prog="pefomed",
        description="PeFoMed for MiniGPT-v2.",
        epilog=_EPILOG,
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--version", action="version", version="pefomed_plugin " + __version__)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    # one parser stands for all that are not asked for: making one of each took most of the time
    others = Parser(add_help=False)
    commands = parser.add_subparsers(  # type: ignore[call-overload]
        dest="command",
        metavar="COMMAND",
        required=True,
        parser_class=lambda prog, **facts: Parser(prog=prog, **facts) if prog.split()[-1] in wanted else others,
    )
    parser._positionals.title = "commands"
    commands.groups = group_commands(COMMANDS)  # type: ignore[attr-defined]
    for name, declared in COMMANDS.items():
        text = declared.text
        command = commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            formatter_class=HelpFormatter,
        )
        if name in wanted:
            module = importlib.import_module("pefomed_plugin.cli." + name.replace("-", "_"))
            module.add_arguments(command)
            command.set_defaults(run=module.run, next_step=module.next_step)
    return parser


def _run(parsed: argparse.Namespace) -> int:
    as_json = getattr(parsed, "json", False)
    declared = COMMANDS[parsed.command]
    as_it_is = as_json or declared.prints_code
    with ExitStack() as stack:
        if declared.lasts:
            stack.enter_context(lasting_output())
        if not as_it_is:
            stack.enter_context(folded_output())
        stack.enter_context(redirect_stdout(sys.stderr if as_json else sys.stdout))
        with nullcontext() if declared.talks or declared.prints_code else working(f"pefomed {parsed.command}"):
            result: int | Output = parsed.run(parsed)  # what is said on the way is no JSON
        if isinstance(result, Output) and not as_json:
            show(result.shown)
    if isinstance(result, Output):
        if as_json:
            print_json(result)
        result = result.exit_code
    sys.stdout.flush()
    if (int(result) in _WITH_A_NEXT_STEP or int(result) > FATAL) and not as_json:
        show_next(parsed.next_step(parsed, int(result)))
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
    with folded_output():
        print(f"error: {printable(text)}", file=sys.stderr)
    return code
