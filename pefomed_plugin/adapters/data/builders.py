"""Data set builders for the registry: a YAML section -> the splits of one data set.

Reads through ``readers`` and hands samples to ``MedicalDataset``; the classes differ in their names only.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable

from ...config.datasets import DatasetConfig, read_dataset_config
from ...errors import ConfigError, DataError
from ...provenance import data_origin
from ...readers import DATASETS, Release, read_data
from ...records import SPLITS, Sample
from ...services.console import say
from ...services.data.shard_files import ShardFiles, find_shards, open_shards
from ...services.data.shards import read_image_size
from ...services.private_files import keep_private
from ...toolkit import BaseDatasetBuilder
from ..prompting import Templates, templates_for
from .datasets import MedicalDataset, ShardedDataset, existing_images

DATASET_CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "datasets"


class MedicalBuilder(BaseDatasetBuilder):
    """Builds one data set from its official release, a prepared folder or shards at ``build_info.storage``."""

    dataset = ""

    def build_datasets(self) -> dict[str, MedicalDataset]:
        """Splits that the release has, by name.

        Raises:
            DataError: no layout is recognised, records are damaged, or images are missing where that is an error.
        """
        self.settings = read_dataset_config(self.dataset, self.config)
        storage = self.settings.build_info.storage or ""
        keep_private([self.dataset], {self.dataset: data_origin(storage)})
        self.build_processors()
        shards = find_shards(storage)
        if shards is not None:
            return self._build_from_shards(*shards)
        release = read_dataset(self.dataset, self.settings)
        splits = {split: self._build_split(split, samples, release) for split, samples in release.splits().items()}
        sizes = ", ".join(f"{split} {len(splits[split]):,}" for split in SPLITS if split in splits)
        say(f"{self.dataset}: {release.layout} layout, {sizes}")
        for reason, count in Counter(skip.reason for skip in release.skips).items():
            say(f"{self.dataset}: skipped {count:,} record(s): {reason}")
        return splits

    def _build_split(self, split: str, samples: list[Sample], release: Release) -> MedicalDataset:
        several = [sample for sample in samples if len(sample.images) > 1]
        if several:
            raise DataError(
                f"{self.dataset}: {len(several):,} of {len(samples):,} {split} samples have several images, and the "
                "model takes one; name one image in each record",
                [f"{sample.id}: {', '.join(sample.images)}" for sample in several],
            )
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

    def _build_from_shards(self, folder: Path, files: list[str] | None) -> dict[str, MedicalDataset]:
        """Splits of the shards that ``pefomed shard`` wrote, all of them or the named files."""
        splits: dict[str, MedicalDataset] = {}
        for split, shards in open_shards(folder, files).items():
            samples = ShardFiles(folder, shards, self._limit(split, sum(shard.samples for shard in shards)))
            _check_shards(self.dataset, samples, read_image_size(folder), self._image_size(split))
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
        return splits

    def _templates(self, samples: Iterable[Sample]) -> Templates:
        return templates_for(self.dataset, self.settings, (sample.task for sample in samples))

    def _processors(self, split: str) -> tuple[Any, Any]:
        phase = "train" if split == "train" else "eval"
        return self.vis_processors[phase], self.text_processors[phase]

    def _image_size(self, split: str) -> int | None:
        processors = self.settings.vis_processor
        return (processors.train if split == "train" else processors.eval).get("image_size")

    def _finish(self, dataset: MedicalDataset) -> MedicalDataset:
        dataset.keep_in_memory = self.settings.keep_in_memory
        dataset.passes = self.settings.passes
        # what MiniGPT-v2's runner_base reads, which knows no passes: the batches that they make
        asked = dataset.passes
        dataset.sample_ratio = (
            self.settings.sample_ratio if asked is None else asked * len(dataset) / self.settings.batch_size
        )
        dataset.batch_size = self.settings.batch_size
        return dataset

    def _limit(self, split: str, size: int) -> int:
        limit = getattr(self.settings.limit, split, None)
        return size if limit is None else limit

    def _with_images(self, split: str, samples: list[Sample], release: Release) -> list[Sample]:
        found, missing = existing_images(samples, release.image_root)
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


def _check_shards(dataset: str, samples: ShardFiles, size_px: int, wanted_px: int | None) -> None:
    """Check that shards belong to this data set and have the image size that its processor makes.

    Raises:
        DataError: they were made from another data set.
        ConfigError: the sizes differ: resizing again would blur the images.
    """
    found = samples[0].dataset
    if found != dataset:
        raise DataError(f"{samples.paths[0]} was made from {found}, not from {dataset}")
    if wanted_px is not None and wanted_px != size_px:
        raise ConfigError(
            f"{samples.paths[0].parent}: the shards hold images of {size_px} pixels, datasets.{dataset}.vis_processor "
            f"makes {wanted_px}; run pefomed shard with "
            f"--image-size {wanted_px}, or set model.image_size={size_px}"
        )


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
