"""``pefomed rate``: a study with human raters, on sheets, on a page or both: out, how far it is, and its figures."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from .arguments import add_predictions, add_rubric, add_score_arguments, whole_number
from .next_step import NextStep, pefomed, scored_answers
from .output import Output, add_json_argument
from .rate_import import import_ratings, show_preferences
from .rate_needed import add_needed_arguments, plan_needed
from .rate_page import add_page_arguments, serve_page
from .rate_preferences import add_preference_arguments, export_preferences
from .rate_sheets import export_sheets, write_rated_sheets
from .rate_status import show_status
from .rate_study import add_pair_arguments, pair_words, study_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    export = actions.add_parser("export", help="write one blinded sheet a rater, XLSX and CSV")
    add_predictions(export)
    export.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the study, new or begun (also by a page)"
    )
    who = export.add_mutually_exclusive_group()
    who.add_argument(
        "--annotators",
        type=whole_number,
        default=10,
        metavar="N",
        help="raters (default 10, as the paper)",
    )
    who.add_argument("--raters", metavar="NAME,NAME", help="by name, as on the page, in place of rater01, rater02, ...")
    _add_choice(export)
    export.add_argument("--image-root", type=Path, metavar="DIR", help="put thumbnails of the images into the XLSX")
    export.add_argument("--csv", action="store_true", help="CSV only (does not need openpyxl)")
    serve = actions.add_parser("serve", help="a local web page to rate on, with the images; also goes on with one")
    add_predictions(serve)
    _add_choice(serve)
    add_page_arguments(serve)
    sheets = actions.add_parser("sheets", help="write the ratings of the page as filled-in sheets")
    _add_rated(sheets)
    sheets.add_argument("--out", type=Path, metavar="DIR", help="folder of the sheets (default: sheets in DIR)")
    sheets.add_argument("--csv", action="store_true", help="CSV in place of XLSX (does not need openpyxl)")
    status = actions.add_parser("status", help="who has rated how many, and nothing of what they said")
    status.add_argument("folder", type=Path, metavar="DIR", help="folder of the study")
    add_json_argument(status)
    back = actions.add_parser("import", help="check the ratings of sheets and page and score the predictions")
    _add_rated(back)
    back.add_argument("--allow-missing", action="store_true", help="ratings left empty have no value")
    back.add_argument(
        "--prefer", choices=("page", "sheet"), help="which counts where a rater's sheet contradicts the page"
    )
    add_score_arguments(back)
    add_json_argument(back)
    result = actions.add_parser("preferences", help="which of two models was preferred, from an imported study")
    result.add_argument("folder", type=Path, metavar="DIR", help="folder of the study, or its preferences.jsonl")
    add_json_argument(result)
    add_needed_arguments(actions.add_parser("plan", help="how many ratings are needed, from the ones there are"))
    add_preference_arguments(
        actions.add_parser("export-preferences", help="ratings of several models' answers as DPO and KTO data for TRL")
    )
    parser.epilog = (
        "examples:\n"
        "  pefomed rate export results/vqa_rad-test/predictions.jsonl --annotators 10 --out ratings\n"
        "  pefomed rate serve results/vqa_rad-test/predictions.jsonl --random 100\n"
        "  pefomed rate serve a/predictions.jsonl --against b/predictions.jsonl --out sides\n"
        "  pefomed rate plan results/vqa_rad-test/predictions.jsonl --half-width 0.02"
    )


def _add_rated(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="folder of the study: sheets, the page's ratings, both"
    )
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="the file that was exported or served")
    add_pair_arguments(parser)
    add_rubric(parser, "must be the one that was rated by")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--all", action="store_true", help="all answers, not only what failed exact match")
    scope.add_argument("--random", type=whole_number, nargs="?", const=100, metavar="N", help="N drawn at random (100)")
    parser.add_argument(
        "--new-round",
        action="store_true",
        help="add a round to the study: the same answers once more, or, with a larger --random, the new ones",
    )
    add_pair_arguments(parser)
    add_rubric(parser, "levels to rate by, a YAML or JSON file (docs/judging.md; default: the built-in ones)")
    parser.add_argument("--seed", type=whole_number, help="of the draw, the orders and the codes (default 0)")


ACTIONS: Mapping[str, Callable[[argparse.Namespace], int | Output]] = {
    "export": export_sheets,
    "serve": serve_page,
    "sheets": write_rated_sheets,
    "status": show_status,
    "import": import_ratings,
    "preferences": show_preferences,
    "plan": plan_needed,
    "export-preferences": export_preferences,
}


def run(arguments: argparse.Namespace) -> int | Output:
    """Export, serve, write sheets, look, import, show or plan."""
    return ACTIONS[arguments.action](arguments)


def next_step(arguments: argparse.Namespace, _: int) -> NextStep | None:
    """Import what people will have rated; then how far they agree."""
    if arguments.action == "plan":
        return pefomed("rate", "serve", arguments.predictions, "--random", "100")
    if arguments.action == "export-preferences":
        return pefomed("compare", *dict.fromkeys(path.parent for path in arguments.runs))
    if arguments.action == "preferences":
        return pefomed("rate", "preferences", arguments.folder, "--json")
    if arguments.action == "status":
        predictions = arguments.folder.parent / "predictions.jsonl"  # where rate serve puts a study by default
        if predictions.is_file():
            return pefomed("rate", "import", arguments.folder, predictions)
        return pefomed("rate", "status", arguments.folder, "--json")
    sides = pair_words(arguments)
    if arguments.action == "import":
        written = arguments.out or arguments.folder
        return pefomed("rate", "preferences", written) if sides else pefomed("agree", scored_answers(arguments))
    if arguments.action == "export":
        return pefomed("rate", "status", arguments.out)
    folder = arguments.folder if arguments.action == "sheets" else study_folder(arguments)
    return pefomed("rate", "import", folder, arguments.predictions, *sides)
