"""``pefomed folds``: k folds of a data set that share no image, study or patient, each ready to train and evaluate."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from ..errors import ConfigError
from ..origins import data_origin
from ..readers import DATASETS, read_data
from ..readers.prepared import is_prepared, read_manifest
from ..reporting.table import COUNT, Column, Table
from ..services.console import quote_words
from ..services.private_files import keep_private
from .arguments import count_from_1, whole_number
from .next_step import NextStep, pefomed
from .output import Output, add_json_argument
from .prepare import dataset_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("dataset", metavar="DATASET", help=", ".join(DATASETS))
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="release of the data set, or a prepared folder"
    )
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE", help="of the data set")
    parser.add_argument("-k", type=count_from_1, default=5, metavar="N", help="how many folds (default: 5)")
    parser.add_argument(
        "--by",
        default="image",
        choices=("image", "study", "patient"),
        help="what no two folds share; a study keeps its images together, a patient the studies (default: image)",
    )
    parser.add_argument(
        "--seed", type=whole_number, default=42, help="of the order in which groups are dealt out (default: 42)"
    )
    parser.add_argument("--no-images", action="store_true", help="tell images apart by their names, open none")
    parser.add_argument(
        "--cfg-path",
        default="",
        metavar="YAML",
        help="what the folds' YAMLs are like (default: the shipped stage 2 of the data set)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write, empty or new")
    add_json_argument(parser)
    parser.epilog = "example: pefomed folds vqa_rad --data data/vqa_rad -k 5 --by image --out folds/vqa_rad"


def run(arguments: argparse.Namespace) -> Output:
    """Read the release, part it, write the folds, and say what each holds."""
    from ..services.data.examination import Examination  # late: loads PIL
    from ..services.data.fold_files import refuse_shards, write_folds  # late: loads PIL

    if arguments.k < 2:
        raise ConfigError(f"-k {arguments.k}: one fold has nothing to train on; give 2 or more")
    spec = DATASETS.find(arguments.dataset)
    refuse_shards(arguments.data)
    options = dataset_options(arguments.option)
    release = read_data(spec.name, arguments.data, **options)
    if is_prepared(arguments.data):
        options = read_manifest(arguments.data).get("options") or {}
    keep_private([spec.name], {spec.name: data_origin(arguments.data)})
    found, left_out = write_folds(
        release,
        arguments.data,
        arguments.out,
        k=arguments.k,
        by=arguments.by,
        seed=arguments.seed,
        options=options,
        examination=Examination(open_images=not arguments.no_images),
        base=arguments.cfg_path,
    )
    rows = []
    for fold, account in found:
        kinds = Counter(sample.answer_type or sample.task for sample in fold.test)
        leaks = {leak.what: leak.count for leak in account.leaks}
        images = len({image for sample in fold.test for image in sample.images})
        rows.append(
            {
                "fold": fold.number,
                "train": len(fold.train),
                "test": len(fold.test),
                "groups": fold.groups,
                "images": images,
                "kinds": dict(sorted(kinds.items())),
                "leaks": leaks,
            }
        )
    how = {"k": arguments.k, "by": arguments.by, "seed": arguments.seed}
    data = {"dataset": spec.name, **how, "folds": rows, "left_out": dict(left_out)}
    return Output(data, [_table(data, len(release.samples)), *_endings(arguments)])


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """Train the first fold."""
    return pefomed("train", "--cfg-path", arguments.out / "fold_1.yaml")


def _table(data: dict, samples: int) -> Table:
    rows = data["folds"]
    kinds = sorted({kind for row in rows for kind in row["kinds"]})
    left_out = data["left_out"]
    restated = samples - sum(left_out.values()) - sum(row["test"] for row in rows)
    leaking = sorted({what for row in rows for what, count in row["leaks"].items() if count})
    return Table(
        f"{data['dataset']}: {data['k']} folds by {data['by']}, seed {data['seed']}",
        [
            Column("fold", lambda row: row["fold"], COUNT),
            Column("train", lambda row: row["train"], COUNT),
            Column("test", lambda row: row["test"], COUNT),
            Column("groups", lambda row: row["groups"], COUNT, help=f"of the test part, by {data['by']}"),
            Column("images", lambda row: row["images"], COUNT, help="of the test part"),
            *(Column(kind, lambda row, of=kind: row["kinds"].get(of, 0), COUNT) for kind in kinds),  # type: ignore[misc]
        ],
        rows,
        [
            f"{samples:,} samples of all splits; each {'of the others ' if left_out else ''}is tested once"
            + (f", but for {restated:,} that restate another one and are trained on only." if restated else "."),
            *(f"{count:,} sample(s) are in no fold: {reason}." for reason, count in left_out.items()),
            f"No {data['by']} is in two test parts, nor in a fold's training and test part.",
            *(f"still in train, within the examination: {what}" for what in leaking),
        ],
    )


def _endings(arguments: argparse.Namespace) -> list[str]:
    out = arguments.out.as_posix()
    unseen = ["Images were not opened: a copy under another name may be in two folds."] if arguments.no_images else []
    return [
        *unseen,
        f"written to {out}: fold_1/ ... fold_{arguments.k}/ and a YAML each",
        f"train each; then pefomed folds-summary {quote_words([arguments.out / 'runs'])}/* "
        f"--out {quote_words([arguments.out / 'all'])}",
    ]
