"""``pefomed rate``: sheets for human raters out, or a page for them; checked ratings in; how many are needed."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DataError, bullets
from ..reporting.figures import repeated_table
from ..reporting.rendering import show_table
from ..rubrics import Rubric, find_rubric, require_same_rubric
from ..scoring.breakdown import check_axes
from ..scoring.ratings import human_spec
from ..services.judge.judging import check_judgeable
from ..services.judgements import merge_ratings, write_judgements
from ..services.rating.plan import PLAN, SCOPES, make_plan, rating_pairs, shown_texts, write_plan
from ..services.rating.sheets import SheetRow, write_csv, write_workbook
from ._answers import read_answers
from .arguments import add_predictions, add_rubric, add_score_arguments
from .next_step import NextStep, pefomed
from .output import Output
from .rate_needed import add_needed_arguments, plan_needed
from .rate_page import add_page_arguments, serve_page

if TYPE_CHECKING:
    from PIL import Image

    from ..records import Prediction
    from ..services.rating.plan import RatingPlan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    export = actions.add_parser("export", help="write one blinded sheet a rater, XLSX and CSV")
    add_predictions(export)
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the sheets")
    export.add_argument("--annotators", type=int, default=10, metavar="N", help="raters (default 10, as the paper)")
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
    back = actions.add_parser("import", help="check the ratings of sheets or page and score the predictions")
    _add_rated(back)
    back.add_argument("--allow-missing", action="store_true", help="ratings left empty have no value")
    add_score_arguments(back)
    add_needed_arguments(actions.add_parser("plan", help="how many ratings are needed, from the ones there are"))
    parser.epilog = (
        "examples:\n"
        "  pefomed rate export results/vqa_rad-test/predictions.jsonl --annotators 10 --out ratings\n"
        "  pefomed rate serve results/vqa_rad-test/predictions.jsonl --random 100\n"
        "  pefomed rate plan results/vqa_rad-test/predictions.jsonl --half-width 0.02"
    )


def _add_rated(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the sheets, or of the page's ratings")
    parser.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="the file that was exported or served")
    add_rubric(parser, "must be the one that was rated by")


def _add_choice(parser: argparse.ArgumentParser) -> None:
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--all", action="store_true", help="all answers, not only what failed exact match")
    scope.add_argument("--random", type=int, nargs="?", const=100, metavar="N", help="N drawn at random (100)")
    add_rubric(parser, "levels to rate by, a YAML or JSON file (docs/judging.md; default: the built-in ones)")
    parser.add_argument("--seed", type=int, help="of the draw, the orders and the codes (default 0)")


def run(arguments: argparse.Namespace) -> int | Output:
    """Export, serve, write sheets, import or plan."""
    if arguments.action == "plan":
        return plan_needed(arguments)
    return {"export": _export, "serve": _serve, "sheets": _sheets, "import": _import}[arguments.action](arguments)


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Import what people will have rated; then how far they agree."""
    if arguments.action == "plan":
        return pefomed("rate", "serve", arguments.predictions, "--random", "100")
    if arguments.action == "import":
        return pefomed("agree", arguments.predictions)
    folder = arguments.folder if arguments.action == "sheets" else arguments.out
    folder = folder or arguments.predictions.parent / "ratings"
    return pefomed("rate", "import", folder, arguments.predictions)


def _read(path: Path, rubric: Path | None) -> tuple[list[Prediction], Rubric]:
    """Predictions, and the rubric they are rated by: that of the file, or the built-in one for their task."""
    predictions = read_answers(path)
    found = find_rubric(predictions[0].task, rubric)
    check_judgeable(predictions, found)
    return predictions, found


def _choice(arguments: argparse.Namespace) -> tuple[str | None, int]:
    scope = "all" if arguments.all else "random" if arguments.random is not None else None
    return scope, 100 if arguments.random is None else arguments.random


def _export(arguments: argparse.Namespace) -> int:
    predictions, rubric = _read(arguments.predictions, arguments.rubric)
    _refuse_sheets(arguments.out)
    plan = make_plan(predictions, rubric, arguments.annotators, arguments.seed or 0, *_choice(arguments))
    for rater in plan.raters:
        pairs = rating_pairs(plan, rater, predictions)
        rows = [SheetRow(code, *shown_texts(prediction), rubric=rubric.tag) for code, prediction in pairs]
        thumbnails = {} if arguments.csv else _thumbnails(arguments.image_root, pairs)
        _write_sheets(arguments.out, plan, rater, rows, True, not arguments.csv, thumbnails)
    write_plan(plan, arguments.out)
    print(
        f"{len(plan.sample_ids):,} of {len(predictions):,} answers for {len(plan.raters)} raters in {arguments.out} "
        f"({SCOPES[plan.scope]})"
    )
    _say_keep(arguments.out)
    return 0


def _refuse_sheets(folder: Path) -> None:
    if (folder / PLAN).exists():
        raise ConfigError(f"{folder} holds sheets already; choose another folder, ratings are not overwritten")


def _thumbnails(root: Path | None, pairs: Iterable[tuple[str, Prediction]]) -> dict[str, list[tuple[str, Image.Image]]]:
    """The images of each item, named where there are several."""
    if root is None:
        return {}
    from ..services.images.decoding import open_image  # late: loads PIL

    return {
        code: [
            (name if len(prediction.images) > 1 else "", open_image(root, image))
            for name, image in zip(prediction.image_names, prediction.images)
        ]
        for code, prediction in pairs
    }


def _write_sheets(
    folder: Path,
    plan: RatingPlan,
    rater: str,
    rows: Sequence[SheetRow],
    csv: bool,
    workbook: bool,
    thumbnails: Mapping[str, Sequence[tuple[str, Image.Image]]] | None = None,
) -> None:
    if csv:
        write_csv(folder / (rater + ".csv"), rows)
    if workbook:
        write_workbook(folder / (rater + ".xlsx"), rows, plan.rubric, thumbnails)


def _say_keep(folder: Path) -> None:
    print(f"keep {folder / PLAN} to yourself: it says which answer is which")


def _serve(arguments: argparse.Namespace) -> int:
    predictions, rubric = _read(arguments.predictions, arguments.rubric)
    return serve_page(arguments, predictions, rubric, *_choice(arguments))


def _sheets(arguments: argparse.Namespace) -> int:
    from ..services.rating.session import rated_rows  # late: loads PIL
    from ..services.rating.store import STORE  # late: loads sqlite3

    predictions = read_answers(arguments.predictions)
    if not (arguments.folder / STORE).exists():
        raise ConfigError(
            f"{arguments.folder} holds no ratings of a page ({STORE}); give the --out of pefomed rate serve"
        )
    folder = arguments.out or arguments.folder / "sheets"
    _refuse_sheets(folder)
    plan = _plan(arguments, predictions)
    for rater in plan.raters:
        rows = rated_rows(arguments.folder, plan, rater, predictions)
        _write_sheets(folder, plan, rater, rows, arguments.csv, not arguments.csv)  # one file: which of two would hold?
    write_plan(plan, folder)
    print(f"the ratings of {len(plan.raters)} rater(s) in {folder}")
    _say_keep(folder)
    return 0


def _plan(arguments: argparse.Namespace, predictions: Sequence[Prediction]) -> RatingPlan:
    """The plan of the folder. Raises DataError where its rubric is not that of ``--rubric``."""
    from ..services.rating.session import read_any_plan  # late: loads PIL

    plan = read_any_plan(arguments.folder, predictions)
    if arguments.rubric:
        require_same_rubric(
            plan.rubric, find_rubric(plan.rubric.task, arguments.rubric), f"those in {arguments.folder}"
        )
    return plan


def _import(arguments: argparse.Namespace) -> int:
    from ..services.rating.sheet_import import VERSION, import_ratings, who_rated  # late: loads PIL

    predictions = read_answers(arguments.predictions)
    check_axes(arguments.by, predictions)
    plan = _plan(arguments, predictions)
    spec, folder = human_spec(plan.rubric, VERSION), arguments.out or arguments.predictions.parent
    imported = import_ratings(arguments.folder, plan, predictions, arguments.allow_missing)
    runs, silent = who_rated(plan, imported)
    if not runs:
        raise DataError(f"nobody has rated anything in {arguments.folder}; fill in the column rating")
    facts: dict[str, Any] = {"rated": len(plan.sample_ids), "scope": SCOPES[plan.scope], "choice": plan.choice}
    facts["seeds"] = dict.fromkeys(runs, plan.seed)
    merged = merge_ratings(predictions, plan.rubric, spec, runs, folder, facts, set(plan.sample_ids))
    facts["seeds"] = {**merged.seeds, **facts["seeds"]}
    facts["raters"] = list(merged.raters)
    only = set(plan.sample_ids) if plan.scope == "random" else None
    metrics = write_judgements(predictions, plan.rubric, spec, merged.runs, folder, facts, axes=arguments.by, only=only)
    if silent:
        print(f"left out, nothing rated: {', '.join(silent)}")
    if merged.stayed:
        print(f"imported before and kept: {', '.join(merged.stayed)}")
    if merged.changes:
        print(f"{len(merged.changes):,} rating(s) changed; the earlier ones are in {folder / 'scores' / 'before'}:")
        print("\n".join(bullets(merged.changes)))
    title = f"{spec.name}, {len(merged.raters)} raters: {SCOPES[plan.scope]}"
    show_table(repeated_table(title, metrics["scores"][spec.name], metrics.get("floors", {}).get(spec.name)))
    print(f"written to {folder}")
    return 0
