"""Data set builders for the registry: a YAML section -> the splits of one data set.

Reads through ``readers`` and hands samples to ``MedicalDataset``; the classes differ in their names only.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, TypeVar

from ...config.datasets import DatasetConfig, read_dataset_config
from ...errors import DataError
from ...origins import data_origin
from ...readers import DATASETS, Release, Skip, read_data
from ...readers.image_tree import ImageTree
from ...readers.views import count_views, views_in_words
from ...records import SPLITS, Sample
from ...services.console import say
from ...services.data.shard_files import ShardFiles, open_shards
from ...services.private_files import keep_private
from ...toolkit import BaseDatasetBuilder
from ..prompting import Templates, templates_for
from .datasets import MedicalDataset, ShardedDataset, existing_images, odds
from .several_images import require_several, require_several_in_shards
from .shard_splits import ShardSplits, check_dataset, check_image_size

_SHOWN = 3
_Data = TypeVar("_Data", bound=MedicalDataset)
DATASET_CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "datasets"


class MedicalBuilder(BaseDatasetBuilder):
    """Builds one data set from its official release, a prepared folder or shards at ``build_info.storage``."""

    dataset = ""

    def build_datasets(self) -> dict[str, Any]:
        """Splits that the release has, by name; a stream of shards as MiniGPT-v2's laion builder gives it.

        Raises:
            DataError: no layout is recognised, records are damaged, or images are missing where that is an error.
            ConfigError: shards that are named or read as they cannot be.
        """
        self.settings = read_dataset_config(self.dataset, self.config)
        storage = self.settings.build_info.storage or ""
        keep_private([self.dataset], {self.dataset: data_origin(storage)})
        self.build_processors()
        shards = ShardSplits(self.dataset, self.settings, self._processors("train"))
        source = shards.source()
        if source is None:
            shards.refuse_keys_of_shards()
            return self._build_release(read_dataset(self.dataset, self.settings))
        folder = shards.index_folder(source)
        if folder is None:
            streamed, left = shards.stream_by_others(source)
            release = None if left is None else shards.read_by_others(left)
            return {**streamed, **({} if release is None else self._build_release(release))}
        streamed, left = shards.stream_of_index(source, folder, self._image_size("train"))
        return {**streamed, **({} if left is None else self._build_from_shards(*shards.local(left)))}

    def _build_release(self, release: Release) -> dict[str, MedicalDataset]:
        splits = {split: self._build_split(split, samples, release) for split, samples in release.splits().items()}
        sizes = ", ".join(f"{split} {len(splits[split]):,}" for split in SPLITS if split in splits)
        say(f"{self.dataset}: {release.layout} layout, {sizes}")
        for line in (*skips_in_words(release.skips), *notes_in_words(release)):
            say(f"{self.dataset}: {line}")
        for split, dataset in splits.items():
            shown = views_in_words(count_views(dataset.samples))
            if shown:
                say(f"{self.dataset}, {split}: {shown}")
        return splits

    def _build_split(self, split: str, samples: list[Sample], release: Release) -> MedicalDataset:
        require_several(self.dataset, split, samples)
        samples = self._with_images(split, samples, release)
        samples = samples[: self._limit(split, len(samples))]
        return self._finish(
            MedicalDataset(
                self.dataset,
                samples,
                release.image_root,
                *self._processors(split),
                draws_instructions=split == "train",
                seed=self.settings.seed,
                policy=self.settings.images,
                templates=self._templates(samples),
            )
        )

    def _build_from_shards(self, folder: Path, files: Collection[str] | None) -> dict[str, ShardedDataset]:
        """Splits of the shards that ``pefomed shard`` wrote, all of them or the named files."""
        splits: dict[str, ShardedDataset] = {}
        for split, shards in open_shards(folder, files).items():
            samples = ShardFiles(folder, shards, self._limit(split, sum(shard.samples for shard in shards)))
            check_dataset(self.dataset, samples[0], samples.paths[0])
            require_several_in_shards(self.dataset, samples.most_images)
            check_image_size(self.dataset, folder, self._image_size(split))
            splits[split] = self._finish(
                ShardedDataset(
                    self.dataset,
                    samples,
                    folder,
                    *self._processors(split),
                    draws_instructions=split == "train",
                    seed=self.settings.seed,
                    templates=self._templates(samples),
                )
            )
        say(f"{self.dataset}: shards, {', '.join(f'{split} {len(dataset):,}' for split, dataset in splits.items())}")
        for split, dataset in splits.items():
            if dataset.most_images > 1:
                say(f"{self.dataset}, {split}: {_counted(dataset.samples.count_images())}")
        return splits

    def _templates(self, samples: Iterable[Sample]) -> Templates:
        return templates_for(self.dataset, self.settings, (sample.task for sample in samples))

    def _processors(self, split: str) -> tuple[Any, Any]:
        phase = "train" if split == "train" else "eval"
        return self.vis_processors[phase], self.text_processors[phase]

    def _image_size(self, split: str) -> int | None:
        processors = self.settings.vis_processor
        return (processors.train if split == "train" else processors.eval).get("image_size")

    def _finish(self, dataset: _Data) -> _Data:
        dataset.keep_in_memory = self.settings.keep_in_memory
        dataset.passes, dataset.sample_ratio = odds(self.settings, len(dataset))
        dataset.batch_size = self.settings.batch_size
        return dataset

    def _limit(self, split: str, size: int) -> int:
        limit = getattr(self.settings.limit, split, None)
        return size if limit is None else limit

    def _with_images(self, split: str, samples: list[Sample], release: Release) -> list[Sample]:
        found, missing = existing_images(samples, ImageTree(release.image_root))
        if missing and self.settings.missing_images == "error":
            raise DataError(
                f"{self.dataset}: {len(missing):,} of {len(samples):,} {split} samples have no image below "
                f"{release.image_root}; fetch the images, or set datasets.{self.dataset}."
                "missing_images=skip to leave these samples out",
                [f"{sample.id}: no file {' or '.join(sample.images)}" for sample in missing],
            )
        if missing:
            say(f"{self.dataset}: skipped {len(missing):,} of {len(samples):,} {split} samples: image not there")
        if samples and not found:
            raise DataError(f"{self.dataset}: not one image of the {split} split is below {release.image_root}")
        return found


def read_dataset(name: str, section: DatasetConfig) -> Release:
    """Release of a data set section: ``build_info.storage``, ``build_info.images``, ``options``.

    Raises:
        ConfigError: an option or a value that the data set does not have.
        DataError: the release cannot be read.
    """
    release = read_data(name, Path(section.build_info.storage or ""), **section.options)
    if section.build_info.images:
        release.image_root = Path(section.build_info.images)
    return release


def skips_in_words(skips: Sequence[Skip]) -> list[str]:
    """A line for each reason: how many records were skipped for it, and the first of them."""
    lines = []
    for reason, count in Counter(skip.reason for skip in skips).items():
        first = [skip.where for skip in skips if skip.reason == reason][:_SHOWN]
        lines.append(f"skipped {count:,} record(s): {reason} ({'; '.join(first)}{'; ...' if count > _SHOWN else ''})")
    return lines


def _counted(images: Mapping[int, int]) -> str:
    """``samples by how many images they show: 3 of 3 images, 2 of 2 images, 1 of 1 image``."""
    said = (f"{count:,} of {number} image{'s' if number > 1 else ''}" for number, count in sorted(images.items())[::-1])
    return f"samples by how many images they show: {', '.join(said)}"


def notes_in_words(release: Release) -> list[str]:
    """A line for each thing that was left out of records that did become samples."""
    return [f"{count:,} {what}" for what, count in release.notes.items() if count]


class OtherPackagesBuilder(MedicalBuilder):
    """Builder of a data set that another package declares: the defaults of ``medical_custom`` under its name."""

    @classmethod
    def default_config_path(cls, type: str = "default") -> str:
        """Path of the defaults. The toolkits want a file and other packages have none, so it is written now."""
        return _write_defaults(cls.dataset)


@lru_cache
def _write_defaults(dataset: str) -> str:
    folder = Path(tempfile.mkdtemp(prefix="pefomed-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / (dataset + ".yaml")
    text = (DATASET_CONFIGS / "medical_custom.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("medical_custom", dataset), encoding="utf-8")
    return str(path)


def make_builder(name: str) -> type[MedicalBuilder]:
    """Builder class of one data set. Those of this package have their defaults in ``configs/datasets/<name>.yaml``."""
    base = MedicalBuilder if name in DATASETS.own else OtherPackagesBuilder
    return type(
        f"{name.title().replace('_', '')}Builder",
        (base,),
        {
            "dataset": name,
            "__doc__": f"Builder of {name}.",
            "DATASET_CONFIG_DICT": {"default": str(DATASET_CONFIGS / (name + ".yaml"))},
        },
    )


BUILDERS: dict[str, Callable[..., MedicalBuilder]] = {name: make_builder(name) for name in DATASETS}
"""Registry name -> class, for every declared data set."""
