"""``pefomed shard``: write a prepared data set as tar shards for stage 1."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError
from ..origins import manifest_origin
from ..readers.prepared import is_prepared, read_manifest, read_prepared
from ..reporting.rendering import show_table
from ..reporting.table import COUNT, FIGURE, Column, Table
from ..services.console import quote_words
from ..services.private_files import keep_private
from .arguments import count_from_1, pixels
from .next_step import NextStep, with_storages


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("prepared", type=Path, metavar="PREPARED", help="folder that pefomed prepare wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--image-size",
        type=pixels,
        default=448,
        metavar="PX",
        help="side of the square images: model.image_size of the runs that will use them (default: 448)",
    )
    parser.add_argument(
        "--per-shard", type=count_from_1, default=1000, metavar="N", help="samples in a file (default: 1000)"
    )
    parser.add_argument("--workers", type=count_from_1, metavar="N", help="threads that decode and encode")
    parser.epilog = "example: pefomed shard data/roco --out shards/roco --image-size 448"


def run(arguments: argparse.Namespace) -> int:
    """Write what is not there yet, and say how a YAML names it."""
    from ..services.data.examination import DEFAULT_EXAMINATION  # late: loads PIL
    from ..services.data.shard_index import brace_notation  # late: loads PIL
    from ..services.data.shards import write_shards
    from ..services.images.decoding import ImagePolicy  # late: loads PIL

    release, out = read_prepared(arguments.prepared), arguments.out
    if is_prepared(out):
        raise ConfigError(f"{out} holds what pefomed prepare wrote; write shards to a folder of their own")
    manifest = read_manifest(arguments.prepared)
    keep_private([release.dataset], {release.dataset: manifest_origin(manifest)})
    policy = manifest["image_policy"]
    shards = write_shards(
        release.samples,
        release.image_root,
        out,
        arguments.image_size,
        arguments.per_shard,
        policy=ImagePolicy(**{**policy, "background": tuple(policy["background"])}),
        workers=arguments.workers or DEFAULT_EXAMINATION.workers,
        origin=manifest_origin(manifest),
    )
    by_split = {split: [shard for shard in shards if shard.split == split] for split in release.splits()}
    table = Table(
        f"{release.dataset}, {arguments.image_size} pixels",
        [
            Column("split", lambda item: item[0]),
            Column("samples", lambda item: sum(shard.samples for shard in item[1]), COUNT),
            Column("files", lambda item: len(item[1]), COUNT),
            Column("size", lambda item: sum(shard.bytes for shard in item[1]) / 1e6, FIGURE, unit="MB", digits=1),
        ],
        list(by_split.items()),
    )
    show_table(table)
    storage = f"datasets.{release.dataset}.build_info.storage="
    print(f"written to {out}\n\nto train from it:\n  --options {quote_words([f'{storage}{out}'])}")
    of_one = quote_words([storage + brace_notation(out, shards, shards[0].split)])
    print(f"or from one split alone:\n  --options {of_one}")
    return 0


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """See whether a run takes the shards; of own data a project comes first, which is made of what was prepared."""
    name = read_manifest(arguments.prepared)["dataset"]
    return with_storages("doctor", {name: arguments.out}, prepared=arguments.prepared)
