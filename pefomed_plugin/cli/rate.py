"""``pefomed rate``: sheets for human raters out, checked ratings in."""

import argparse
from pathlib import Path
from typing import Any, Dict, Sequence

from ..scoring.breakdown import AXES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    export = actions.add_parser("export", help="write one blinded sheet a rater, XLSX and CSV")
    export.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="predictions.jsonl, whoever wrote it")
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the sheets")
    export.add_argument("--annotators", type=int, default=10, metavar="N", help="raters (default 10, as the paper)")
    scope = export.add_mutually_exclusive_group()
    scope.add_argument("--all", action="store_true", help="all answers, not only what failed exact match")
    scope.add_argument("--random", type=int, nargs="?", const=100, metavar="N", help="N drawn at random (100)")
    export.add_argument("--seed", type=int, default=0, help="of the draw, the orders and the codes")
    export.add_argument("--image-root", type=Path, metavar="DIR", help="put thumbnails of the images into the XLSX")
    export.add_argument("--csv", action="store_true", help="CSV only (does not need openpyxl)")
    back = actions.add_parser("import", help="check the sheets that came back and score the predictions")
    back.add_argument("folder", type=Path, metavar="DIR", help="folder of the sheets")
    back.add_argument("predictions", type=Path, metavar="PREDICTIONS", help="the file that was exported")
    back.add_argument("--out", type=Path, help="folder of scores/ and metrics.json (default: that of PREDICTIONS)")
    back.add_argument("--allow-missing", action="store_true", help="ratings left empty have no value")
    back.add_argument("--by", action="append", default=[], choices=sorted(AXES), metavar="AXIS",
                      help="also by {}; may be repeated".format(", ".join(AXES)))
    parser.epilog = "example: pefomed rate export results/vqa_rad-test/predictions.jsonl --annotators 10 --out ratings"


def run(arguments: argparse.Namespace) -> int:
    """Export or import."""
    return (_export if arguments.action == "export" else _import)(arguments)


def _export(arguments: argparse.Namespace) -> int:
    from ..errors import ConfigError
    from ..prompts_judge import RUBRICS
    from ..services.judging import check_judgeable
    from ..services.rating_plan import PLAN, SCOPES, make_plan, rating_pairs, shown_texts, write_plan
    from ..services.rating_sheets import Row, write_csv, write_workbook
    from ..storage import read_predictions

    predictions = read_predictions(arguments.predictions)
    kind = "vqa" if predictions[0].task == "vqa" else "report"
    check_judgeable(predictions, kind)
    if (arguments.out / PLAN).exists():
        raise ConfigError("{} holds sheets already; choose another folder, ratings are not overwritten".format(
            arguments.out))
    scope = "all" if arguments.all else "random" if arguments.random is not None else None
    plan = make_plan(predictions, kind, arguments.annotators, arguments.seed, scope, arguments.random or 100)
    for rater in plan.raters:
        pairs = rating_pairs(plan, rater, predictions)
        rows = [Row(code, *shown_texts(prediction)) for code, prediction in pairs]
        write_csv(arguments.out / (rater + ".csv"), rows)
        if not arguments.csv:
            write_workbook(arguments.out / (rater + ".xlsx"), rows, RUBRICS[kind],
                           _thumbnails(arguments.image_root, pairs))
    write_plan(plan, arguments.out)
    print("{:,} of {:,} answers for {} raters in {} ({})".format(
        len(plan.sample_ids), len(predictions), len(plan.raters), arguments.out, SCOPES[plan.scope]))
    print("keep {} to yourself: it says which answer is which".format(arguments.out / PLAN))
    return 0


def _thumbnails(root: Any, pairs: Sequence[Any]) -> Dict[str, Any]:
    if root is None:
        return {}
    from ..services.images import open_image

    return {code: open_image(root, prediction.image) for code, prediction in pairs}


def _import(arguments: argparse.Namespace) -> int:
    from ..reporting.judged import show_repeated, write_judgements
    from ..services.rating_import import import_ratings
    from ..services.rating_plan import SCOPES, read_plan
    from ..storage import read_predictions

    predictions = read_predictions(arguments.predictions)
    plan = read_plan(arguments.folder, predictions)
    runs = import_ratings(arguments.folder, plan, predictions, arguments.allow_missing)
    name, folder = "human/" + plan.kind, arguments.out or arguments.predictions.parent
    facts = {"raters": list(plan.raters), "rated": len(plan.sample_ids), "scope": SCOPES[plan.scope]}
    only = set(plan.sample_ids) if plan.scope == "random" else None
    metrics = write_judgements(predictions, plan.kind, runs, folder, facts, axes=arguments.by, only=only)
    show_repeated("{}, {} raters: {}".format(name, len(plan.raters), SCOPES[plan.scope]), metrics["scores"][name])
    print("written to {}".format(folder))
    return 0
