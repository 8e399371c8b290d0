"""Data set builders for the registry: a YAML section -> the splits of one data set.

Reads through ``readers`` and hands samples to ``MedicalDataset``; the classes differ in their names only.
"""

from pathlib import Path
from typing import Any, Callable, Dict, List, Type

from ..errors import ConfigError, DataError
from ..readers import READERS, Release, read_data
from ..records import SPLITS, Sample
from ..services.console import say
from ..services.images import ImagePolicy
from ..toolkit import BaseDatasetBuilder
from .datasets import MedicalDataset, existing_images

DATASET_CONFIGS = Path(__file__).resolve().parents[1] / "configs" / "datasets"


class MedicalBuilder(BaseDatasetBuilder):
    """Builds one data set from its official release (or a prepared folder) below ``build_info.storage``."""

    dataset = ""

    def build_datasets(self) -> Dict[str, MedicalDataset]:
        """Splits that the release has, by name.

        Raises:
            DataError: no layout is recognised, records are damaged, or images are missing where that is an error.
        """
        self.build_processors()
        release = read_dataset(self.dataset, self.config)
        splits = {split: self._build_split(split, samples, release) for split, samples in release.splits().items()}
        say("{}: {} layout, {}".format(self.dataset, release.layout, ", ".join(
            "{} {:,}".format(split, len(splits[split])) for split in SPLITS if split in splits)))
        for reason, count in count_reasons(release).items():
            say("{}: skipped {:,} record(s): {}".format(self.dataset, count, reason))
        return splits

    def _build_split(self, split: str, samples: List[Sample], release: Release) -> MedicalDataset:
        is_train = split == "train"
        samples = self._with_images(split, samples, release)
        samples = samples[: self._limit(split, len(samples))]
        dataset = MedicalDataset(
            self.dataset, samples, release.image_root, self.vis_processors["train" if is_train else "eval"],
            self.text_processors["train" if is_train else "eval"], draws_instructions=is_train,
            seed=int(self.config.get("seed", 0)), policy=ImagePolicy(**dict(self.config.get("images") or {})))
        dataset.sample_ratio = float(self.config.get("sample_ratio") or 1.0)
        dataset.batch_size = int(self.config.get("batch_size", 1))
        return dataset

    def _limit(self, split: str, size: int) -> int:
        limit = dict(self.config.get("limit") or {})
        wrong = ["datasets.{}.limit.{}: {!r}; write for example limit.test=20".format(self.dataset, key, value)
                 for key, value in limit.items() if key not in SPLITS or not isinstance(value, int) or value < 1]
        if wrong:
            raise ConfigError("a limit is a number of samples for train, val or test", wrong)
        return limit.get(split, size)

    def _with_images(self, split: str, samples: List[Sample], release: Release) -> List[Sample]:
        found, missing = existing_images(samples, release.image_root)
        if missing and self.config.get("missing_images", "error") == "error":
            raise DataError(
                "{}: {:,} of {:,} {} samples have no image below {}; fetch the images, or set datasets.{}."
                "missing_images=skip to leave these samples out".format(
                    self.dataset, len(missing), len(samples), split, release.image_root, self.dataset),
                ["{}: no file {}".format(each.id, each.image) for each in missing])
        if missing:
            say("{}: skipped {:,} of {:,} {} samples: image not there".format(
                self.dataset, len(missing), len(samples), split))
        if samples and not found:
            raise DataError("{}: not one image of the {} split is below {}".format(
                self.dataset, split, release.image_root))
        return found


def read_dataset(name: str, section: Any) -> Release:
    """Release of a data set section: ``build_info.storage``, ``build_info.images``, reader ``options``.

    Raises:
        ConfigError: an option that the reader does not have.
        DataError: the release cannot be read.
    """
    options = dict(section.get("options") or {})
    try:
        release = read_data(name, Path(section.build_info.storage), **options)
    except TypeError as error:
        if not options:
            raise
        raise ConfigError("datasets.{}.options: {}".format(name, error)) from error
    if section.build_info.get("images"):
        release.image_root = Path(section.build_info.images)
    return release


def count_reasons(release: Release) -> Dict[str, int]:
    """How many records were skipped for each reason."""
    counts: Dict[str, int] = {}
    for skip in release.skips:
        counts[skip.reason] = counts.get(skip.reason, 0) + 1
    return counts


def make_builder(name: str) -> Type[MedicalBuilder]:
    """Builder class of one data set; its defaults are ``configs/datasets/<name>.yaml``."""
    return type("{}Builder".format(name.title().replace("_", "")), (MedicalBuilder,), {
        "dataset": name, "__doc__": "Builder of {}.".format(name),
        "DATASET_CONFIG_DICT": {"default": str(DATASET_CONFIGS / (name + ".yaml"))}})


BUILDERS: Dict[str, Callable[..., MedicalBuilder]] = {name: make_builder(name) for name in READERS}
"""Registry name -> class, for every data set that has a reader."""
