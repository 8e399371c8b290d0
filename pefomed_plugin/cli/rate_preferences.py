"""``pefomed rate export-preferences``: ratings of several models' answers as data for DPO and KTO."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, DataError
from ..services.rating.preferences import PREFERENCES
from ..services.whole_folder import fresh_folder, refuse_to_overwrite
from ._answers import read_answers
from .arguments import any_number
from .output import Output, add_json_argument

if TYPE_CHECKING:
    from ..rewards.preferences import Exported, RatedAnswers

_FORMATS = ("dpo", "kto")


def add_preference_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the action."""
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="PREDICTIONS",
        help="predictions.jsonl of each model, with their ratings beside them",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for dpo and kto; a new one")
    parser.add_argument(
        "--format",
        action="append",
        choices=_FORMATS,
        default=[],
        help="only this one (default: both; kto of one model)",
    )
    parser.add_argument(
        "--label", action="append", default=[], metavar="NAME", help="name of a model, once for each (default: folders)"
    )
    parser.add_argument("--scorer", default="", metavar="NAME", help="scores to go by (default: people's ratings)")
    parser.add_argument(
        "--study",
        type=Path,
        metavar="DIR",
        help="of two models side by side (rate serve --against), once imported: go by its verdicts",
    )
    parser.add_argument(
        "--margin",
        type=any_number,
        default=0.0,
        metavar="X",
        help="a pair differs by more than X (default 0: at all); with --study in the share of verdicts won",
    )
    parser.add_argument(
        "--good", type=any_number, metavar="X", help="kto: wanted from X on (default: above the middle of the range)"
    )
    parser.add_argument("--image-root", type=Path, metavar="DIR", help="of the images; writes parquet with them in it")
    add_json_argument(parser)


def export_preferences(arguments: argparse.Namespace) -> Output:
    """Write the pairs and labels; what makes none is counted."""
    from ..rewards.files import KTO, write_rows  # late: loads PIL
    from ..rewards.preferences import make_labels, make_pairs, require_same_rating  # late: as above

    formats = arguments.format or (list(_FORMATS) if len(arguments.runs) > 1 else [KTO])
    _check(arguments, formats)
    labels = arguments.label or _labels(arguments.runs)
    rated, told = _rated(arguments, labels)
    require_same_rating(rated)
    _check_good(arguments.good, rated[0])
    made = {
        name: make_labels(rated, arguments.good) if name == KTO else make_pairs(rated, arguments.margin)
        for name in formats
    }
    roots = {found.dataset: arguments.image_root for one in rated for found in one.predictions if arguments.image_root}
    if len(roots) > 1:
        raise ConfigError(f"--image-root is of one data set; these answers are of {', '.join(sorted(roots))}")
    for name, exported in made.items():
        if not exported.rows:
            others = " or ".join(f"--format {other}" for other in made if made[other].rows)
            remedy = f"; take {others} alone" if others else ""
            raise DataError(f"{name}: nothing to write; {_left_out(exported) or 'no answers'}{remedy}")
    told += _of_test(made)
    lines = list(told)
    with fresh_folder(arguments.out, ConfigError) as partial:
        for name, exported in made.items():
            written = arguments.out / write_rows(exported, partial / name, roots).name
            lines.append(f"{written}: {len(exported.rows):,} {'pairs' if name != KTO else _labelled(exported)}")
            lines += [f"  left out: {_left_out(exported)}"] if exported.left_out else []
    lines.append(f"by {rated[0].spec.name} ({rated[0].spec.title})")
    if not roots:
        lines.append("without images: --image-root DIR writes them too")
    data = {
        "scorer": rated[0].spec.name,
        "models": labels,
        "images": bool(roots),
        "notes": told,
        **{name: {"rows": len(found.rows), "left_out": dict(found.left_out)} for name, found in made.items()},
    }
    return Output(data, lines)


def _rated(arguments: argparse.Namespace, labels: list[str]) -> tuple[list[RatedAnswers], list[str]]:
    """Each model's answers with their ratings, and what there is to say of these."""
    from ..rewards.preferences import rated_answers  # late: loads PIL
    from ..rewards.sides import compared_answers  # late: as above

    answers = [read_answers(path) for path in arguments.runs]
    if arguments.study:
        return compared_answers(arguments.study, dict(zip(labels, answers)), arguments.runs)
    return [
        rated_answers(found, path.parent, label, arguments.scorer)
        for found, path, label in zip(answers, arguments.runs, labels)
    ], []


def _of_test(made: Mapping[str, Exported]) -> list[str]:
    """That somebody who trains on these has seen a test set."""
    tested = {found.id for exported in made.values() for found in exported.samples if found.split == "test"}
    if not tested:
        return []
    return [f"warning: {len(tested):,} questions are of a test split; do not evaluate on it what was trained on them"]


def _check(arguments: argparse.Namespace, formats: list[str]) -> None:
    """Raises ConfigError for what cannot be meant."""
    if arguments.label and len(set(arguments.label)) != len(arguments.runs):
        raise ConfigError(
            f"{len(arguments.runs)} files and {len(set(arguments.label))} different names; one --label for each"
        )
    for path in arguments.runs:
        if path.name == PREFERENCES or (path / PREFERENCES).is_file():
            raise ConfigError(
                f"{path} has verdicts on two models side by side, and no answers: give the PREDICTIONS of the two, and "
                f"--study {path}"
            )
    if arguments.study and (len(arguments.runs) != 2 or arguments.scorer):
        what = "--scorer has other scores; leave it out" if arguments.scorer else f"{len(arguments.runs)} PREDICTIONS"
        raise ConfigError(f"--study goes by verdicts on two models side by side, and takes the two's answers: {what}")
    if "dpo" in formats and len(arguments.runs) < 2:
        raise ConfigError("a pair needs answers of two models: give two PREDICTIONS or more, or --format kto")
    if len({path.resolve() for path in arguments.runs}) < len(arguments.runs):
        raise ConfigError("the same file twice; give the answers of different models")
    if not 0 <= arguments.margin < float("inf"):
        raise ConfigError(f"--margin must be at least 0, not {arguments.margin:g}")
    if arguments.margin and "dpo" not in formats:
        raise ConfigError("--margin is for pairs; --good says from where on a single answer is wanted")
    if arguments.good is not None and "kto" not in formats:
        raise ConfigError("--good is for kto; pairs have no level from which they are wanted")
    if arguments.image_root and not arguments.image_root.is_dir():
        raise ConfigError(f"--image-root: there is no folder {arguments.image_root}")
    refuse_to_overwrite(arguments.out, ConfigError)


def _check_good(good: float | None, rated: RatedAnswers) -> None:
    spec = rated.spec
    low, high = (spec.low, spec.high) if spec.higher_is_better else (-spec.high, -spec.low)
    if good is not None and not low < good <= high:
        raise ConfigError(f"--good {good:g}: {spec.name} goes from {low:g} to {high:g}; give a level above {low:g}")


def _labels(paths: list[Path]) -> list[str]:
    """What differs first in the paths; numbers where it is not enough."""
    parts = list(zip(*(path.resolve().with_suffix("").parts for path in paths)))
    names = next((list(part) for part in parts if len(set(part)) == len(paths)), [])
    return names or [f"model {number}" for number in range(1, len(paths) + 1)]


def _labelled(exported: Exported) -> str:
    wanted = sum(row["label"] for row in exported.rows)
    return f"answers, {wanted:,} wanted and {len(exported.rows) - wanted:,} not"


def _left_out(exported: Exported) -> str:
    return "; ".join(f"{count:,} {reason}" for reason, count in exported.left_out.items())
