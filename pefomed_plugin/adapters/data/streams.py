"""Training shards as a stream: webdataset's pipeline, as MiniGPT-v2's own runner takes it, and drawn from by ours.

Shards are shuffled by seed and pass, dealt out to ranks and loading processes (``split_by_node``, ``split_by_worker``),
and each is read from front to back through a shuffle buffer. What that cannot promise: docs/shards.md.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from random import Random
from typing import Any, Callable

import webdataset
from torch.utils.data import Dataset, IterableDataset
from webdataset.utils import pytorch_worker_info

from ...config.datasets import DatasetConfig
from ...errors import ConfigError
from ...prompts import template_of
from ...records import Sample
from ...services.data.shard_reading import LeftOut, Part, ShardReader
from ...services.images.decoding import ImagePolicy, decode_image
from ..prompting import Templates, templates_for
from .collating import Item
from .datasets import make_item, odds
from .sampling import Draw
from .shard_splits import check_dataset

_SHOWN = 3


class ShardOrder(IterableDataset):
    """The shards of one pass after the other, each pass in an order of its own that all processes agree on."""

    def __init__(self, parts: Sequence[Part], seed: int, name: str) -> None:
        self.parts, self.seed, self.name = list(parts), seed, name
        self.pass_number = -1

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Raises ConfigError where some process would get no shard."""
        _, ranks, _, workers = pytorch_worker_info()
        if len(self.parts) < ranks * workers:
            raise ConfigError(
                f"{self.name}: {len(self.parts)} shard(s) for {ranks} rank(s) of {workers} loading process(es) each; "
                "set run.num_workers lower, or make more and smaller shards (pefomed shard --per-shard)"
            )
        self.pass_number += 1
        parts = list(self.parts)
        Random(f"{self.seed} {self.name} {self.pass_number}").shuffle(parts)
        for part in parts:
            yield {"url": part.address, "part": part}


@dataclass
class ReadShards:
    """Stage of a pipeline: samples of shards; what cannot be used is counted and told by name, on every rank."""

    name: str
    reader: ShardReader

    def __call__(self, shards: Iterator[Mapping[str, Any]]) -> Iterator[tuple[Sample, list[bytes], str]]:
        for shard in shards:
            left_out: LeftOut = []
            yield from self.reader.read(shard["part"], left_out)
            self._tell(shard["part"], left_out)

    def _tell(self, part: Part, left_out: Sequence[tuple[str, str]]) -> None:
        for reason, count in Counter(reason for _, reason in left_out).items():
            named = [where for where, why in left_out if why == reason]
            more = ", ..." if count > _SHOWN else ""
            print(
                f"{self.name}: {part.shown}: left out {count:,}: {reason} ({', '.join(named[:_SHOWN])}{more})",
                file=sys.stderr,
                flush=True,
            )


@dataclass
class MakeItems:
    """Stage of a pipeline: samples as the model takes them."""

    name: str
    vis_processor: Callable[[Any], Any]
    text_processor: Callable[[str], str]
    seed: int
    policy: ImagePolicy
    templates: Templates
    order: ShardOrder

    def __call__(self, samples: Iterator[tuple[Sample, list[bytes], str]]) -> Iterator[Item]:
        for number, (sample, encoded, where) in enumerate(samples):
            check_dataset(self.name, sample, where)
            shown = [self.vis_processor(decode_image(BytesIO(image), where, self.policy)) for image in encoded]
            rng = Random(f"{self.seed} {self.name} {sample.id} {self.order.pass_number}")
            template = template_of(sample.task, self.templates)
            yield make_item(self.name, sample, sample.images, shown, number, template, rng, self.text_processor)


def make_stream(
    name: str,
    parts: Sequence[Part],
    reader: ShardReader,
    samples: int,
    tasks: Sequence[str],
    processors: tuple[Any, Any],
    settings: DatasetConfig,
    most_images: int = 1,
) -> webdataset.DataPipeline:
    """An endless pipeline of items, as MiniGPT-v2's laion builder gives one.

    Args:
        samples: of one pass through all shards.
        tasks: that its samples may have.
        processors: of images and of texts.
        most_images: of the sample that shows most.
    """
    order, templates = ShardOrder(parts, settings.seed, name), templates_for(name, settings, tasks)
    pipeline = webdataset.DataPipeline(
        order,
        webdataset.split_by_node,
        webdataset.split_by_worker,
        ReadShards(name, reader),
        webdataset.detshuffle(settings.shards.shuffle_buffer, settings.shards.shuffle_buffer, settings.seed),
        MakeItems(name, *processors, settings.seed, settings.images, templates, order),
    ).repeat()
    pipeline.name, pipeline.samples_of_a_pass = name, samples
    pipeline.batch_size, pipeline.passes, pipeline.sample_ratio = settings.batch_size, *odds(settings, samples)
    pipeline.templates, pipeline.tasks, pipeline.most_images = templates, tuple(tasks), most_images
    return pipeline


class StreamedDataset(Dataset):
    """A stream for who draws samples by number: a draw is the next sample of its pass, whatever its number.

    So every rank has as many batches as it plans, and samples may come twice in a pass, or not at all.
    """

    def __init__(self, pipeline: webdataset.DataPipeline) -> None:
        self.pipeline = pipeline
        self.name, self.batch_size = pipeline.name, pipeline.batch_size
        self.passes, self.sample_ratio = pipeline.passes, pipeline.sample_ratio
        self.templates, self.tasks, self.most_images = pipeline.templates, pipeline.tasks, pipeline.most_images
        self._pass: int | None = None
        self._items: Iterator[Item] = iter(())

    def __len__(self) -> int:
        return self.pipeline.samples_of_a_pass

    def __getitem__(self, index: int | Draw) -> Item:
        """The next item. Raises what reading a shard raises: DataError, ImageError."""
        wanted = index.pass_number if isinstance(index, Draw) else 0
        if self._pass != wanted:
            self._pass, self._items = wanted, self._start(wanted)
        item = next(self._items, None)
        if item is None:  # this process' shards are through before the plan's pass is
            self._items = self._start(wanted)
            item = next(self._items)
        return item

    def _start(self, pass_number: int) -> Iterator[Item]:
        for stage in self.pipeline.pipeline:
            if isinstance(stage, ShardOrder):
                stage.pass_number = pass_number - 1
            elif isinstance(stage, webdataset.detshuffle):
                stage.epoch = pass_number - 1
        items: Iterator[Item] = iter(self.pipeline.iterator1())
        return items

    def images_of(self, number: int) -> tuple[str, ...]:
        """Raises ConfigError: which image comes is not known before it comes."""
        raise ConfigError(f"run.questions_per_image: {_not_with_streams(self.name)}; set it to 1")

    def images(self) -> dict[str, int]:
        """Raises ConfigError as ``images_of``."""
        raise ConfigError(f"run.image_cache: {_not_with_streams(self.name)}; set it to none")


def draw_from_streams(datasets: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same data sets, streams as what a plan can draw from."""
    return {
        name: {
            split: StreamedDataset(dataset) if isinstance(dataset, webdataset.DataPipeline) else dataset
            for split, dataset in splits.items()
        }
        for name, splits in datasets.items()
    }


def _not_with_streams(name: str) -> str:
    return f"cannot be done with {name}, which is read as a stream (datasets.{name}.shards.stream)"
