"""Images made ready once: as resized pixels, or as what the frozen vision encoder makes of them (``run.image_cache``).

Both are functions of the image alone, because the transform has no chance in it and the encoder is frozen; so a whole
run needs one decoding or one encoder pass for each distinct image. Kept in the precision they were computed in: losses
are those of a run without. Keyed by the bytes of the image, the weights and the transform (``TensorStore``).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from ... import environment
from ...config.run import RunConfig
from ...errors import ConfigError
from ...json_text import parse_json
from ...services.console import progress, say
from ...services.images.decoding import DECODING
from ...services.parallel import leave_the_group
from ...services.tensor_store import TensorStore
from ...vision_encoders import VIT_G, VisionEncoder
from .datasets import MedicalDataset, Place

_NUMPY_NAMES = {torch.uint8: "uint8", torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "int16"}
"""What numpy, which has no bfloat16, calls values of the same size."""
_BATCH = 16
_SPARE_DISK = 0.05
"""Part of the disk that is left free."""


class ReadyImages(Mapping):
    """Tensors by image name."""

    def __init__(self, store: TensorStore, keys: Mapping[str, str], dtype: torch.dtype) -> None:
        self.store, self.keys_by_name, self.dtype = store, dict(keys), dtype

    def __getitem__(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.store[self.keys_by_name[name]]).view(self.dtype)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys_by_name)

    def __len__(self) -> int:
        return len(self.keys_by_name)


def show_ready_made(accelerator: Any, model: Any, datasets: Sequence[MedicalDataset], options: RunConfig) -> None:
    """Let ``datasets`` give ready-made images, as ``run.image_cache`` says; what is not in the cache yet is made.

    Every rank makes its share and reads all.

    Raises:
        ConfigError: the model or an image processor cannot be split here, or the disk is too small (said before
            anything is made).
        DataError: an array of the cache is damaged or cannot be written.
    """
    if options.image_cache == "none":
        return
    maker = _FeatureMaker(accelerator, model) if options.image_cache == "features" else _PixelMaker()
    for name, sets in _by_transform(datasets, getattr(model, "encoder", None) or VIT_G).items():
        _make_ready(accelerator, maker, name, sets, options)


def cache_folder(options: RunConfig) -> Path:
    """``run.cache_dir``, else ``PEFOMED_CACHE``, else a folder in the user's cache."""
    given = options.cache_dir or os.environ.get("PEFOMED_CACHE")
    return Path(given) if given else environment.cache_folder() / "images"


class _PixelMaker:
    """Resized pixels, uint8 (3, S, S)."""

    what, dtype = "pixels", torch.uint8

    def facts(self, transform: Mapping[str, Any]) -> dict[str, Any]:
        return dict(transform)

    def shape(self, transform: Mapping[str, Any]) -> tuple[int, ...]:
        return 3, transform["image_size"], transform["image_size"]

    def make(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels


class _FeatureMaker:
    """Output of ``encode_vision``, (N, D) in the encoder's own precision."""

    what = "features"

    def __init__(self, accelerator: Any, model: Any) -> None:
        if not hasattr(model, "encode_vision"):
            raise ConfigError("run.image_cache: features needs the bundled toolkit (PEFOMED_TOOLKIT=bundled)")
        self._accelerator, self._model = accelerator, model
        with torch.no_grad(), accelerator.autocast():
            size = model.encoder.image_size
            blank = torch.zeros((1, 3, size, size))
            self._like = model.encode_vision(blank)
        model.vit_forwards -= 1
        self.dtype = self._like.dtype

    def facts(self, transform: Mapping[str, Any]) -> dict[str, Any]:
        record = self._model.encoder.record()
        made_by = {key: record[key] for key in ("name", "mean", "std", "prefix_tokens", "final_norm")}
        return {**transform, "encoder": encoder_digest(self._model), "precision": str(self.dtype), "made_by": made_by}

    def shape(self, transform: Mapping[str, Any]) -> tuple[int, ...]:
        return tuple(self._like.shape[1:])

    def make(self, pixels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad(), self._accelerator.autocast():
            return self._model.encode_vision(pixels.to(self._accelerator.device)).cpu()


def encoder_digest(model: Any) -> str:
    """SHA-256 of the weights that make features: vision encoder and its last norm."""
    digest = hashlib.sha256()
    for module in (model.visual_encoder, model.ln_vision):
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(name.encode())
            digest.update(memoryview(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()


def _by_transform(datasets: Sequence[MedicalDataset], encoder: VisionEncoder) -> dict[str, list[MedicalDataset]]:
    """Data sets by what is done to their images, as JSON."""
    found: dict[str, list[MedicalDataset]] = {}
    wrong, models = [], (encoder.mean, encoder.std)
    for dataset in datasets:
        processor: Any = dataset.vis_processor
        if not hasattr(processor, "pixels") or processor.normalisation != models:
            wrong.append(f"{dataset.name}: {type(processor).__name__}")
            continue
        found.setdefault(json.dumps({"resize": "bicubic", "image_size": processor.image_size}), []).append(dataset)
    if wrong:
        raise ConfigError(
            "run.image_cache needs image processors without chance and with the vision encoder's mean and deviation "
            "(blip2_image_train, blip2_image_eval of the bundled toolkit)",
            sorted(set(wrong)),
        )
    return found


def _make_ready(
    accelerator: Any, maker: Any, transform_json: str, datasets: Sequence[MedicalDataset], options: RunConfig
) -> None:
    transform = parse_json(transform_json)
    facts = {"what": maker.what, "decoding": DECODING, **maker.facts(transform)}
    name = f"{maker.what}-{hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]}"
    shape, kind = maker.shape(transform), _NUMPY_NAMES[maker.dtype]
    with accelerator.main_process_first():
        store = TensorStore(cache_folder(options) / name, shape, kind, facts)
    shown = [dataset.images() for dataset in datasets]
    keys = [
        {image: dataset.content_key(place) for image, place in places.items()}
        for dataset, places in zip(datasets, shown)
    ]
    sources = {
        key: (dataset, places[image])
        for dataset, places, named in zip(datasets, shown, keys)
        for image, key in named.items()
    }
    missing = store.missing(sources)
    accelerator.wait_for_everyone()  # nobody writes before all have looked, so that all see the same ones missing
    if missing:
        _forecast(store, len(missing), len(sources))
        share = missing[accelerator.process_index :: accelerator.num_processes]
        _fill(store, maker, [(key, *sources[key]) for key in share], options.num_workers)
        accelerator.wait_for_everyone()
        store.reload()
    else:
        say(f"{maker.what}: all {len(sources):,} images are ready in {store.folder}")
    for dataset, named in zip(datasets, keys):
        dataset.show_ready_made(ReadyImages(store, named, maker.dtype))


def _forecast(store: TensorStore, missing: int, wanted: int) -> None:
    needed, free = missing * store.record_bytes, shutil.disk_usage(store.folder).free
    say(
        f"making {missing:,} of {wanted:,} images ready: {needed / 1e9:.2f} GB in {store.folder} "
        f"({free / 1e9:.0f} GB free)"
    )
    if needed > free * (1 - _SPARE_DISK):
        raise ConfigError(
            f"{store.folder}: {missing:,} images need {needed / 1e9:.1f} GB and {free / 1e9:.1f} GB are free; name "
            "another run.cache_dir (PEFOMED_CACHE), or set run.image_cache=none"
        )


class _ToMake(Dataset):
    """Pixels of the images that are to be made ready."""

    def __init__(self, sources: Sequence[tuple[str, MedicalDataset, Place]]) -> None:
        self.sources = sources

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, number: int) -> tuple[str, torch.Tensor]:
        key, dataset, place = self.sources[number]
        processor: Any = dataset.vis_processor
        return key, processor.pixels(dataset.open_image(place))


def _fill(store: TensorStore, maker: Any, sources: Sequence[tuple[str, MedicalDataset, Place]], workers: int) -> None:
    batches = DataLoader(_ToMake(sources), batch_size=_BATCH, num_workers=workers, worker_init_fn=leave_the_group)
    kind = torch.int16 if maker.dtype is torch.bfloat16 else maker.dtype
    with store.writer() as writer, progress("making " + maker.what, len(sources)) as advance:
        for keys, pixels in batches:
            made = maker.make(pixels).view(kind).numpy()
            writer.add(dict(zip(keys, made)))
            advance(len(keys))
