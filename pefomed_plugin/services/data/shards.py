"""Samples with their images as WebDataset tar shards, for stage 1: a few large files in place of hundreds of thousands.

A shard holds, for each sample, ``<number>.png`` (already at the model's size, lossless; of several images
``<number>.0.png``, ``<number>.1.png``, ...) and ``<number>.json`` (the sample's fields). Written with webdataset's
``TarWriter``. Writes shards; ``shard_index`` lists them, ``shard_files`` reads them back.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from ...atomic import replacing
from ...digests import file_sha256
from ...errors import DataError, ImageError, why
from ...json_text import as_json
from ...origins import REAL
from ...readers.prepared import SHARD_INDEX
from ...records import SPLITS, Sample
from ..console import Advance, progress
from ..images.decoding import DEFAULT_POLICY, ImagePolicy, open_image
from ..images.faults import UnusableImage
from ..images.pixels import resize_square
from ..parallel import map_in_threads
from .shard_index import Shard, image_endings, problem_of, read_index, write_index

_VERSION = 1
_PNG_LEVEL = 1  # higher ones save a few per cent for more time


def write_shards(
    samples: Sequence[Sample],
    image_root: Path,
    out: Path,
    image_size_px: int,
    per_shard: int = 1000,
    *,
    policy: ImagePolicy = DEFAULT_POLICY,
    workers: int = 2,
    origin: str = REAL,
) -> list[Shard]:
    """Write ``<split>-<number>.tar`` and ``index.json``; the same samples and images give the same bytes.

    Images are resized to a square as MiniGPT-v2's processor does it (bicubic, no crop), so that resizing them there
    again changes nothing. Finished shards of an interrupted run are kept, of a complete one all of them.

    Args:
        samples: in the order in which they are to be stored; each split is sharded by itself.
        per_shard: samples in a shard; the last of a split may have fewer.
        workers: threads that decode and encode.
        origin: of the samples, ``origins.GENERATED`` or ``REAL``.

    Raises:
        DataError: ``out`` holds shards of other samples or settings, or cannot be written.
        ImageError: images of a shard cannot be used, all of them in one message; the shards before it are kept.
        ValueError: a size below 1.
    """
    if image_size_px < 1 or per_shard < 1:
        raise ValueError(f"image_size_px {image_size_px} and per_shard {per_shard}: both must be at least 1")
    out = Path(out)
    source: dict[str, Any] = {"origin": origin, "image_root": os.path.abspath(image_root)}
    most_images = max((len(sample.images) for sample in samples), default=1)
    if most_images > 1:
        source["most_images"] = most_images
    plan = _plan(samples, image_size_px, per_shard, policy)
    finished = _finished(out, plan)
    shards: list[Shard] = []
    with progress("shards: samples", len(samples)) as advance:
        for file, part in _parts(samples, per_shard):
            if file in finished:
                advance(len(part))
                shards.append(finished[file])
                continue
            shards.append(_write_shard(part, Path(image_root), out / file, image_size_px, policy, workers, advance))
            write_index(out, plan, source, shards, len(samples))
    write_index(out, plan, source, shards, len(samples))
    return shards


def _parts(samples: Sequence[Sample], per_shard: int) -> list[tuple[str, list[Sample]]]:
    """File name and samples of each shard."""
    parts = []
    for split in SPLITS:
        inside = [sample for sample in samples if sample.split == split]
        parts += [
            (f"{split}-{number:06d}.tar", inside[start : start + per_shard])
            for number, start in enumerate(range(0, len(inside), per_shard))
        ]
    return parts


def _plan(samples: Sequence[Sample], image_size_px: int, per_shard: int, policy: ImagePolicy) -> dict[str, Any]:
    """What was asked for; shards are kept only if it is the same again."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(_as_json(sample))
    return {
        "shards_version": _VERSION,
        "samples_sha256": digest.hexdigest(),
        "image_size_px": image_size_px,
        "per_shard": per_shard,
        "image_policy": as_json(asdict(policy)),
    }


def _finished(out: Path, plan: dict[str, Any]) -> dict[str, Shard]:
    if not (out / SHARD_INDEX).exists():
        return {}
    content = read_index(out)
    if content["plan"] != plan:
        changed = sorted(key for key in plan if content["plan"].get(key) != plan[key])
        raise DataError(
            f"{out} holds shards made otherwise ({', '.join(changed)} differs); delete it or choose another folder"
        )
    shards = [Shard(**shard) for shard in content["shards"]]
    return {shard.file: shard for shard in shards if not problem_of(out, shard)}


def _write_shard(
    samples: Sequence[Sample],
    image_root: Path,
    path: Path,
    image_size_px: int,
    policy: ImagePolicy,
    workers: int,
    advance: Advance,
) -> Shard:
    def encode(sample: Sample) -> tuple[list[bytes], str]:
        try:
            opened = (open_image(image_root, image, policy=policy) for image in sample.images)
            return [_encode(image, image_size_px) for image in opened], ""
        except UnusableImage as error:
            return [], f"{sample.id}, {error}"

    from webdataset.writer import TarWriter  # late: loads torch where it is installed

    problems = []
    # No owner, no time: the bytes depend on the content alone. ShardWriter, which would name the files, prints to the
    # standard output and does not close them in the version that MiniGPT-v2 pins.
    plain = {"user": "", "group": "", "mode": 0o644, "mtime": 0, "encoder": False, "compress": False}
    try:
        with replacing(path) as file:
            with TarWriter(file, **plain) as tar:
                for number, (sample, (images, problem)) in enumerate(
                    zip(samples, map_in_threads(encode, samples, workers))
                ):
                    if problem:
                        problems.append(problem)
                    else:
                        key = f"{number:06d}"  # one by one: TarWriter would put json first, shards begin with the image
                        for ending, png in zip(image_endings(len(images)), images):
                            tar.write({"__key__": key, ending: png})
                        tar.write({"__key__": key, "json": _as_json(sample)})
                    advance(1)
            if problems:
                raise ImageError(
                    f"{path.name}: {len(problems)} image(s) cannot be used; repair them and run again, or prepare the "
                    "data set again, which leaves such samples out",
                    problems,
                )
    except OSError as error:
        raise DataError(f"cannot write {path}: {why(error)}") from error
    return Shard(path.name, samples[0].split, len(samples), path.stat().st_size, file_sha256(path))


def _encode(image: Image.Image, size_px: int) -> bytes:
    image = resize_square(image, size_px)
    red, green, blue = (channel.tobytes() for channel in image.split())
    if red == green == blue:  # most radiographs: a third of the size, and the same again once read as RGB
        image = image.getchannel("R")
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=_PNG_LEVEL)
    return stream.getvalue()


def _as_json(sample: Sample) -> bytes:
    return json.dumps(sample.to_json(), ensure_ascii=False).encode("utf-8")
