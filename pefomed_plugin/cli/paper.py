"""``pefomed paper``: every table and figure of the paper, and a paragraph of methods, from the runs of a study."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import bullets
from ..reporting.paper.plan import PLAN, read_plan
from ..reporting.plots import MATPLOTLIB
from ..requirements import require
from .arguments import add_floor_argument
from .next_step import NextStep
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "plan",
        type=Path,
        nargs="?",
        default=Path(PLAN),
        metavar="YAML",
        help=f"which run is which row, and whose answers stand beside ours (default: {PLAN})",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder to write")
    add_floor_argument(parser)
    add_json_argument(parser)
    parser.epilog = "example: pefomed paper projects/embedded/paper.yaml --out paper/"


def run(arguments: argparse.Namespace) -> Output:
    """Read the runs, write the folder, name what is missing."""
    from ..reporting.paper.document import write_paper  # late: loads PIL
    from ..reporting.paper.material import read_material  # late: loads PIL

    require([MATPLOTLIB])
    plan = read_plan(arguments.plan)
    written = write_paper(read_material(plan, floors=not arguments.no_floor), arguments.out)
    files = [path.relative_to(arguments.out).as_posix() for path in written.files]
    shown = [
        *written.methods,
        *([f"missing, {len(written.missing)} thing(s), named in the output too:"] if written.missing else []),
        *(["\n".join(bullets(written.missing))] if written.missing else []),
        f"{len(written.tables)} tables and {len([name for name in files if name.endswith('.svg')])} figures written to "
        f"{arguments.out}; begin with {arguments.out / 'README.md'}",
    ]
    return Output({"files": files, "missing": list(written.missing), "methods": list(written.methods)}, shown)


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """What is in the folder."""
    return NextStep(["cat", arguments.out / "README.md"])
