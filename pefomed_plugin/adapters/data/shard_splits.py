"""Which shards a data set section means, and what has to be done before they can be read: fetched, or streamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import Any

from ...config.datasets import DatasetConfig, ShardReading
from ...errors import ConfigError, DataError
from ...readers import DATASETS, Release, read_data
from ...readers.layouts import find
from ...readers.medical_shards import DATASET as BY_OTHERS
from ...readers.medical_shards import PATTERN, Keys, split_of
from ...readers.prepared import SHARD_INDEX
from ...records import Sample
from ...services.console import say
from ...services.data.shard_cache import fetch_index, fetch_shards
from ...services.data.shard_index import list_shards, read_image_size, read_most_images
from ...services.data.shard_reading import Part, ShardReader
from ...services.data.shard_sources import ShardSource, read_storage
from .several_images import require_several_in_shards

_TRAIN = "train"


class ShardSplits:
    """The shards of one section."""

    def __init__(self, dataset: str, settings: DatasetConfig, processors: tuple[Any, Any]) -> None:
        self.dataset, self.settings, self.reading = dataset, settings, settings.shards
        self._processors = processors

    def source(self) -> ShardSource | None:
        """What the section names; None where it is no shards. Raises ConfigError as ``read_storage``."""
        storage = self.settings.build_info.storage or ""
        source = read_storage(storage)
        if source is None and self.dataset == BY_OTHERS and self.reading.stream:
            names = tuple(path.relative_to(storage).as_posix() for path in find(Path(storage), PATTERN))
            return ShardSource(storage, names) if names else None
        return source

    def refuse_keys_of_shards(self) -> None:
        """Raises ConfigError where the section says how shards are read, and there are none."""
        plain = ShardReading()
        given = [key.name for key in fields(plain) if getattr(self.reading, key.name) != getattr(plain, key.name)]
        if given:
            raise ConfigError(
                f"datasets.{self.dataset}.build_info.storage names no shards that would be fetched or streamed, so "
                "that these keys would do nothing",
                [f"datasets.{self.dataset}.shards.{name}" for name in given],
            )

    def index_folder(self, source: ShardSource) -> Path | None:
        """The folder with the index of the shards that ``pefomed shard`` wrote; None for shards by others.

        Raises:
            DataError: no index, and the data set is not the one of shards by others.
        """
        folder = fetch_index(source, self.reading) if source.is_remote else Path(source.base)
        if folder is not None and (folder / SHARD_INDEX).is_file():
            return folder
        if self.dataset != BY_OTHERS:
            raise DataError(
                f"{self.dataset}: no {SHARD_INDEX} beside the shards at {source.shown}, so that pefomed shard did not "
                f"make them; correct build_info.storage, or read them as {BY_OTHERS} (docs/shards.md)"
            )
        if source.names is None:
            raise ConfigError(
                f"{source.shown}: no {SHARD_INDEX} there, and a server is not asked what it has; name the files, "
                "for example {00000..00012}.tar"
            )
        return None

    def local(self, source: ShardSource) -> tuple[Path, Sequence[str] | None]:
        """Folder and file names of shards on this disk; those of a server are fetched."""
        if source.is_remote:
            return fetch_shards(source, self.reading)
        return Path(source.base), source.names

    def stream_of_index(
        self, source: ShardSource, folder: Path, image_size: int | None
    ) -> tuple[dict[str, Any], ShardSource | None]:
        """The training split of our own shards as a stream where that is asked for, and what is left to be read."""
        if not self.reading.stream:
            return {}, source
        shards = [shard for shard in list_shards(folder) if source.names is None or shard.file in source.names]
        check_image_size(self.dataset, folder, image_size)
        require_several_in_shards(self.dataset, read_most_images(folder))
        parts = [
            Part(source.address(shard.file), shard.file, _TRAIN, shard.samples, shard.sha256)
            for shard in shards
            if shard.split == _TRAIN
        ]
        others = [shard.file for shard in shards if shard.split != _TRAIN]
        samples = sum(part.samples or 0 for part in parts)
        stream = self._stream(parts, samples, source, read_most_images(folder))
        return stream, source.only(others) if others else None

    def stream_by_others(self, source: ShardSource) -> tuple[dict[str, Any], ShardSource | None]:
        """The same for shards by others; which of them are for training, their names or ``options.split`` say."""
        options = DATASETS.find(self.dataset).complete_options(self.settings.options)
        patterns = [pattern.strip() for pattern in options["shards"].split(";")]
        names = [name for name in source.names or () if any(fnmatchcase(name, pattern) for pattern in patterns)]
        if not names:
            raise ConfigError(f"{self.dataset}: no shard is called {options['shards']}; correct options.shards")
        if not self.reading.stream:
            return {}, source.only(names)
        splits = {name: split_of(name, options["split"]) for name in names}
        parts = [Part(source.address(name), name, _TRAIN) for name in names if splits[name] == _TRAIN]
        others = [name for name in names if splits[name] != _TRAIN]
        if parts and self.reading.samples is None:
            raise ConfigError(
                f"datasets.{self.dataset}.shards.samples: how many samples the shards hold is not known before "
                "they are read; say it, about"
            )
        reader = {"keys": Keys.of(options), "skips_damage": options["damaged"] == "skip"}
        streamed = self._stream(parts, self.reading.samples or 0, source, **reader)
        return streamed, source.only(others) if others else None

    def read_by_others(self, source: ShardSource) -> Release:
        """Samples of shards by others, once they are on this disk. Raises DataError as their reader."""
        folder, names = self.local(source)
        missing = [name for name in names or () if not (folder / name).is_file()]
        if missing:
            raise DataError(
                f"{self.dataset}: {len(missing):,} of {len(names or ()):,} shards are not there; correct "
                "build_info.storage",
                [str(folder / name) for name in missing],
            )
        options = {**self.settings.options, "shards": ";".join(map(escape, names or ()))}
        return read_data(self.dataset, folder, **options)

    def _stream(
        self, parts: list[Part], samples: int, source: ShardSource, most_images: int = 1, **reader: Any
    ) -> dict[str, Any]:
        from .streams import make_stream  # late: needs webdataset, which nothing else here does

        where = f"datasets.{self.dataset}"
        problems = [
            f"{where}.{key}: {what}"
            for key, is_set, what in (
                ("limit.train", self.settings.limit and self.settings.limit.train, "a stream has no first samples"),
                ("keep_in_memory", self.settings.keep_in_memory, "a stream keeps nothing"),
            )
            if is_set
        ]
        if not parts:
            problems.append(f"{where}.shards.stream: there are no training shards; leave it out")
        if problems:
            raise ConfigError(f"{self.dataset} cannot be streamed like this", problems)
        if most_images > 1:
            say(f"{self.dataset}, train: samples of up to {most_images} images")
        say(
            f"{self.dataset}: train is streamed from {len(parts):,} shards at {source.shown}, {samples:,} samples a "
            "pass; samples may come twice in a pass or not at all, and a resumed run begins its pass anew"
        )
        reading, keys = ShardReader(self.dataset, self.reading, **reader), reader.get("keys")
        tasks = DATASETS.find(self.dataset).tasks if keys is None else ("vqa",) if keys.question else (keys.task,)
        processors = self._processors
        stream = make_stream(self.dataset, parts, reading, samples, tasks, processors, self.settings, most_images)
        return {_TRAIN: stream}


def check_dataset(dataset: str, sample: Sample, where: object) -> None:
    """Raises DataError where shards were made from another data set."""
    if sample.dataset != dataset:
        raise DataError(f"{where} was made from {sample.dataset}, not from {dataset}")


def check_image_size(dataset: str, folder: Path, wanted_px: int | None) -> None:
    """Raises ConfigError where shards hold images of another size than the processor makes: that would blur them."""
    size_px = read_image_size(folder)
    if wanted_px is not None and wanted_px != size_px:
        raise ConfigError(
            f"{folder}: the shards hold images of {size_px} pixels, datasets.{dataset}.vis_processor "
            f"makes {wanted_px}; run pefomed shard with "
            f"--image-size {wanted_px}, or set model.image_size={size_px}"
        )
