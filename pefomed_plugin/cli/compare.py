"""``pefomed compare``: the paper's ablation tables from any set of runs."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="output_dir of an evaluation; the first is "
                        "what the others are tested against")
    parser.add_argument("--label", action="append", default=[], metavar="LABEL",
                        help="name of a run, once for each in their order; one that begins with 'none', 'stage 1', "
                        "'stage 2' or 'both' also says which row of the paper's tables the run is")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write compare.json or compare.md")
    parser.epilog = "example: pefomed compare output/none output/both --label none --label both --out compare.md"


def run(arguments: argparse.Namespace) -> int:
    """Read, compare, show, write."""
    from ..errors import ConfigError
    from ..reporting.compare import compare_runs, to_json
    from ..reporting.compare_tables import show_comparison, to_markdown
    from ..reporting.results import read_run
    from ..storage import write_json, write_text

    if arguments.label and len(arguments.label) != len(arguments.runs):
        raise ConfigError("{} runs and {} labels; give one --label for each run, in the same order".format(
            len(arguments.runs), len(arguments.label)))
    if arguments.out and arguments.out.suffix not in (".json", ".md"):
        raise ConfigError("--out {}: end its name with .json or .md".format(arguments.out))
    labels = arguments.label or [""] * len(arguments.runs)
    tables = compare_runs([read_run(folder, label) for folder, label in zip(arguments.runs, labels)])
    show_comparison(tables)
    if arguments.out is not None:
        if arguments.out.suffix == ".json":
            write_json(arguments.out, to_json(tables))
        else:
            write_text(arguments.out, to_markdown(tables))
        print("written to {}".format(arguments.out))
    return 0
