"""``pefomed checklist``: reporting guidelines filled in from what a run knows of itself."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError, near_names
from ..reporting.cards import warning
from ..reporting.checklists import GUIDELINES
from ..reporting.rendering import Shown, to_markdown
from ..reporting.results import read_run
from ..services.console import say
from ..storage import write_text
from .arguments import make_room
from .next_step import NextStep, again, page_of
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("folder", type=Path, metavar="RUN", help="output_dir of an evaluation")
    parser.add_argument(
        "--guideline",
        nargs="+",
        default=list(GUIDELINES),
        metavar="NAME",
        help=f"which (default: all): {', '.join(f'{name} ({one.title})' for name, one in GUIDELINES.items())}",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="Markdown file to write, to go on with by hand")
    add_json_argument(parser)
    parser.epilog = "example: pefomed checklist output/both --guideline claim --out output/claim.md"


def run(arguments: argparse.Namespace) -> Output:
    """Fill in, and say what is left open."""
    from ..reporting.checklists.filling import as_data, checklist_table, fill  # late: loads numpy and PIL

    unknown = [f"{name!r}; {near_names(name, GUIDELINES)}" for name in arguments.guideline if name not in GUIDELINES]
    if unknown:
        raise ConfigError("no such guideline", unknown)
    if arguments.out and arguments.out.is_dir():
        raise ConfigError(f"--out {arguments.out} is a folder: name a file in it, {arguments.out / 'checklist.md'}")
    found = read_run(arguments.folder)
    answers = {name: fill(GUIDELINES[name], found) for name in arguments.guideline}
    tables = [checklist_table(GUIDELINES[name], filled) for name, filled in answers.items()]
    if arguments.out:
        parts = [warning(found.origins)]
        parts += [to_markdown(table) for table in tables]
        make_room(arguments.out)  # somebody may have gone on with it by hand
        write_text(arguments.out, "\n\n".join(part for part in parts if part) + "\n")
        say(f"wrote {arguments.out}")
    brief = [checklist_table(GUIDELINES[name], filled, whole=False) for name, filled in answers.items()]
    shown: list[Shown] = [*brief, "What the run says of each: --out FILE, or --json."]
    return Output({name: as_data(filled) for name, filled in answers.items()}, [] if arguments.out else shown)


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """A file to go on with by hand; then the page that it speaks of."""
    if arguments.out:
        return page_of(arguments.folder)
    return again(arguments, "--out", arguments.folder / "checklist.md")
