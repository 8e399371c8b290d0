"""Are the images there that a run will touch? All are counted by their names, some of each split are opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..config.datasets import DatasetConfig
from ..config.run import RunConfig
from ..errors import DataError, PefomedError
from ..readers.layouts import Release
from ..readers.prepared import SHARD_INDEX
from ..records import Sample
from ..services.console import quote_words
from ..services.data.shard_files import ShardFiles, open_shards
from ..services.data.shard_sources import read_storage
from ..services.images.decoding import ImagePolicy, open_image
from .findings import ERROR, NOTE, OK, WARNING, Finding, from_error

OPENED = 4
"""Samples of each split whose images are opened, evenly from the first to the last."""


def check_images(name: str, section: DatasetConfig, run: RunConfig) -> list[Finding]:
    """Images of the splits that the run uses, of a data set that ``check_data`` has found.

    Of shards that are fetched at the start, and of streams of others, nothing is asked.
    """
    from ..adapters.data.builders import read_dataset  # late: loads torch

    storage = section.build_info.storage or ""
    splits = [*(() if run.evaluate else (*run.train_splits, *run.valid_splits)), *run.test_splits]
    try:
        source = read_storage(storage)
        if source is not None and not source.is_remote and (Path(source.base) / SHARD_INDEX).is_file():
            folder = Path(source.base)
            wrong = _misfits(name, folder, source.names, section)
            return wrong or _check_shards(name, folder, source.names, dict.fromkeys(splits), run)
        if source is not None:
            return []
        release = read_dataset(name, section)
    except PefomedError as error:
        asked = quote_words(["pefomed", "prepare", name, "--source", Path(storage), "--out", "FOLDER"])
        return from_error("data", "data set " + name, error, f"{asked} says more")
    found = release.splits()
    return [
        _check_split(name, split, found[split], release, section) if found.get(split) else _no_split(name, split, run)
        for split in dict.fromkeys(splits)
    ]


def _no_split(name: str, split: str, run: RunConfig) -> Finding:
    trains = not run.evaluate and split in run.train_splits
    told = f"the data have no such split{'; nothing of them is trained on' if trains else ''}"
    return Finding("data", f"{name}, {split}", WARNING if trains else NOTE, told, "docs/data.md" if trains else "")


def _check_split(name: str, split: str, samples: list[Sample], release: Release, section: DatasetConfig) -> Finding:
    what = f"{name}, {split}"
    from ..adapters.data.datasets import existing_images  # late: loads torch

    try:
        there, missing = existing_images(samples, release.tree)
    except DataError as error:
        return Finding("data", what, ERROR, str(error))
    images = len({image for sample in samples for image in sample.images})
    counted = f"{len(samples):,} samples, {images:,} images"
    remedy = f"fetch the images into {release.image_root}"
    if missing:
        first = ", ".join(dict.fromkeys(image for sample in missing for image in sample.images))
        told = f"{counted}; {len(missing):,} samples have no image below {release.image_root} ({_short(first)})"
        if section.missing_images == "error" or not there:
            return Finding(
                "data",
                what,
                ERROR,
                told,
                f"{remedy}, or --options datasets.{name}.missing_images=skip to leave them out",
            )
        return Finding("data", what, WARNING, told + ": they will be left out", remedy)
    chosen = _evenly(there)
    problem = _first_problem(release.image_root, chosen, section.images)
    if problem:
        return Finding("data", what, ERROR, f"{counted}; {problem}", "pefomed prepare opens every image and lists them")
    return Finding("data", what, OK, f"{counted}, all there; {len(chosen)} samples' opened")


def _misfits(name: str, folder: Path, names: Sequence[str] | None, section: DatasetConfig) -> list[Finding]:
    """What a run refuses of shards that are whole: of another data set, or of images of another size."""
    from ..adapters.data.shard_splits import check_dataset, check_image_size  # late: loads torch

    try:
        shards = next(iter(open_shards(folder, names).values()))
        check_dataset(name, ShardFiles(folder, shards)[0], folder / shards[0].file)
        for size in {step.get("image_size") for step in (section.vis_processor.train, section.vis_processor.eval)}:
            check_image_size(name, folder, size)
    except PefomedError as error:
        return from_error("data", "data set " + name, error, "docs/shards.md")
    return []


def _check_shards(
    name: str, folder: Path, names: Sequence[str] | None, splits: Iterable[str], run: RunConfig
) -> list[Finding]:
    """The first sample of some shards of each split; the headers of all take a run seconds."""
    findings = []
    found = open_shards(folder, names)
    for split in splits:
        if split not in found:
            findings.append(_no_split(name, split, run))
            continue
        shards = found[split]
        chosen = _evenly(shards)
        try:
            for shard in chosen:
                ShardFiles(folder, [shard]).open_image(0, 0)
        except PefomedError as error:
            findings += from_error(
                "data", f"{name}, {split}", error, quote_words(["pefomed", "shard", "PREPARED", "--out", folder])
            )
            continue
        told = f"{sum(shard.samples for shard in shards):,} samples in {len(shards)} shards; {len(chosen)} opened"
        findings.append(Finding("data", f"{name}, {split}", OK, told))
    return findings


def _first_problem(root: Path, samples: Sequence[Sample], policy: ImagePolicy) -> str:
    for image in (image for sample in samples for image in sample.images):
        try:
            open_image(root, image, policy=policy)
        except PefomedError as error:
            return str(error)
    return ""


def _evenly(items: Sequence[Any]) -> list[Any]:
    last = len(items) - 1
    places = dict.fromkeys(round(number * last / (OPENED - 1)) for number in range(OPENED))
    return [items[place] for place in places]


def _short(text: str, length: int = 80) -> str:
    return text if len(text) <= length else text[:length].rsplit(",", 1)[0] + ", ..."
