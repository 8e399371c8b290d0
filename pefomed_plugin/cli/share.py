"""``pefomed share``: a prepared data set in the form of another program."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.datasets import ImagePolicy
from ..errors import ConfigError, DataError, near_names
from ..origins import manifest_origin
from ..readers.prepared import FINGERPRINTS, read_manifest, read_prepared
from ..records import SPLITS, Sample
from ..reporting.rendering import show_table
from ..reporting.table import COUNT, FIGURE, Column, Table
from ..requirements import require
from ..services.console import say
from ..services.outbound import FLAG, not_public
from ..services.private_files import keep_private
from ..services.whole_folder import fresh_folder, refuse_to_overwrite
from ..sharing import FORMATS, ToShare, find_format
from .arguments import add_permission, count_from_1
from .next_step import NextStep

if TYPE_CHECKING:
    from ..scoring.spec import ScorerSpec

_MACHINE_PATH = re.compile(r"(/[^/\s]+){2,}|~/|[A-Za-z]:\\|\\\\\w")
"""Begins as a path of some machine does."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("prepared", type=Path, metavar="PREPARED", help="folder that pefomed prepare wrote")
    parser.add_argument(
        "--to",
        required=True,
        metavar="FORM",
        help="; ".join(f"{form.name}: {form.title}" for form in FORMATS.values()),
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; nothing is uploaded")
    parser.add_argument(
        "--split",
        action="append",
        default=[],
        metavar="NAME",
        help="one of several: repeat it (default: all; of a task, test)",
    )
    parser.add_argument(
        "--scorer",
        action="append",
        default=[],
        metavar="NAME",
        help="of a task; several: repeat it (default: exact_match, of reports and captions lexical)",
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="KEY",
        help="metadata to leave out, of every sample; several: repeat it",
    )
    parser.add_argument("--workers", type=count_from_1, metavar="N", help="threads that read images")
    add_permission(parser, "the data set is not public, and those who will get the folder may have it")
    parser.epilog = "example: pefomed share data/vqa_rad --to huggingface --out shared/vqa_rad"


def run(arguments: argparse.Namespace) -> int:
    """Check everything that is asked for, write the folder, say what is in it and how it is used."""
    from ..services.data.examination import DEFAULT_EXAMINATION  # late: loads PIL
    from ..services.images.fingerprints import read_fingerprints  # late: loads PIL

    form = find_format(arguments.to)
    require(form.needs)
    refuse_to_overwrite(arguments.out)
    manifest = read_manifest(arguments.prepared)
    _require_permission(manifest, arguments.i_have_permission)
    if not manifest.get("images_opened", True):
        raise ConfigError(f"{arguments.prepared} was prepared with --no-images; prepare it again without")
    release = read_prepared(arguments.prepared)
    wanted = arguments.split or (["test"] if form.is_task else list(release.splits()))
    splits, left_out = _without(_chosen(release.splits(), wanted, arguments.prepared), arguments.without)
    policy = manifest["image_policy"]
    to_share = ToShare(
        manifest=_of_splits(manifest, list(splits)),
        splits=splits,
        image_root=release.image_root,
        policy=ImagePolicy(**{**policy, "background": tuple(policy["background"])}),
        fingerprints=read_fingerprints(arguments.prepared / FINGERPRINTS),
        scorers=_scorers(arguments.scorer, splits, form.name if form.is_task else ""),
        workers=arguments.workers or DEFAULT_EXAMINATION.workers,
    )
    keep_private([release.dataset], {release.dataset: manifest_origin(manifest)})
    with fresh_folder(arguments.out) as folder:
        shared = form.write(to_share, folder)
    show_table(
        Table(
            f"{release.dataset} as {form.name}",
            [
                Column("split", lambda split: split),
                Column("samples", lambda split: shared.total(split, "samples"), COUNT),
                Column("files", lambda split: len(shared.of_split(split)), COUNT),
                Column("size", lambda split: shared.total(split, "bytes") / 1e6, FIGURE, unit="MB", digits=1),
            ],
            list(splits),
        )
    )
    for key in arguments.without:
        say(f"metadata {key}: left out of {left_out[key]:,} samples")
    for why, count in shared.converted.items():
        say(f"{count:,} images converted to PNG, as they are decoded here: {why}")
    for remark, count in shared.remarks.items():
        say(f"{count:,} images {remark}")
    say(f"\nwritten to {arguments.out}; nothing was uploaded")
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """What reads or runs the folder."""
    return NextStep(find_format(arguments.to).command(arguments.out))


def _require_permission(manifest: Mapping[str, Any], given: bool) -> None:
    name = manifest["dataset"]
    if not given and not_public([name], {name: manifest_origin(manifest)}):
        raise ConfigError(
            f"{name}: not a public data set, and this folder is made to be passed on; say {FLAG} if those who will get "
            "it may have it (it is written readable by you alone)"
        )


def _chosen(splits: Mapping[str, Sequence[Sample]], wanted: Sequence[str], folder: Path) -> dict[str, Sequence[Sample]]:
    unknown = [name for name in wanted if name not in SPLITS]
    if unknown:
        raise ConfigError(f"unknown split {unknown[0]!r}; {near_names(unknown[0], SPLITS)}")
    missing = [name for name in wanted if name not in splits]
    if missing:
        raise ConfigError(f"{folder} has no split {missing[0]}; it has {', '.join(splits)}: name it with --split")
    return {name: splits[name] for name in SPLITS if name in wanted}


def _scorers(names: Sequence[str], splits: Mapping[str, Sequence[Sample]], harness: str) -> list[ScorerSpec]:
    """Of a task: those that were named, or those of our own runs."""
    from ..scoring import find_scorer  # late: loads numpy
    from ..sharing.figures import DEFAULT_SCORERS  # late: loads numpy

    if not harness:
        if names:
            raise ConfigError("--scorer is of tasks (inspect_ai, lmms_eval); a data set has none")
        return []
    kinds = sorted({sample.task for samples in splits.values() for sample in samples})
    if len(kinds) > 1:
        raise DataError(f"the splits hold {' and '.join(kinds)}, and a task has one kind; name splits of one kind")
    specs = [find_scorer(name) for name in names or DEFAULT_SCORERS[kinds[0]]]
    needy = [spec.name for spec in specs if spec.is_rating or spec.options or (spec.function or spec.measure) is None]
    if needy:
        raise ConfigError(f"{', '.join(needy)}: needs more than predictions; a task takes scorers of predictions alone")
    for spec in specs:
        if kinds[0] not in spec.tasks:
            say(f"note: {spec.name} is meant for {' and '.join(spec.tasks)}; these samples are {kinds[0]}")
    return list({spec.name: spec for spec in specs}.values())


def _without(
    splits: Mapping[str, Sequence[Sample]], keys: Sequence[str]
) -> tuple[dict[str, Sequence[Sample]], Counter[str]]:
    """The samples without some metadata, and how many had each.

    Raises:
        ConfigError: no sample has one of the keys.
        DataError: what is left holds paths of a machine.
    """
    counts: Counter[str] = Counter()
    paths: Counter[str] = Counter()
    known: set[str] = set()
    kept: dict[str, Sequence[Sample]] = {}
    for split, samples in splits.items():
        kept[split] = rows = []
        for sample in samples:
            known.update(sample.metadata)
            counts.update(key for key in keys if key in sample.metadata)
            metadata = {key: value for key, value in sample.metadata.items() if key not in keys}
            paths.update(key for key, value in metadata.items() if any(map(_MACHINE_PATH.match, _texts(value))))
            rows.append(replace(sample, metadata=metadata) if len(metadata) < len(sample.metadata) else sample)
    for key in keys:
        if not counts[key]:
            raise ConfigError(f"--without {key}: no sample has such metadata; {near_names(key, known)}")
    if paths:
        raise DataError(
            "metadata hold paths of a machine, which may name patients; leave them out",
            [f"{key}: in {count:,} samples; --without {key}" for key, count in paths.items()],
        )
    return kept, counts


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value of metadata."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list)):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def _of_splits(manifest: Mapping[str, Any], splits: Sequence[str]) -> dict[str, Any]:
    """What the manifest says, without what it says of other splits."""
    return {
        **manifest,
        "kept": {split: count for split, count in manifest["kept"].items() if split in splits},
        "lengths": [length for length in manifest.get("lengths", ()) if length["split"] in splits],
        "views": {split: views for split, views in (manifest.get("views") or {}).items() if split in splits},
    }
