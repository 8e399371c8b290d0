"""One process that loads batches in the ways of one toolkit: ``python -m projects.benchmarks.data_path.worker SPEC``.

Answers ``{"do": "time", "way": ..., "batches": ..., "workers": ...}`` with seconds, and ``{"do": "save", ...}`` by
writing the first batch as a model takes it: float32 (B, 3, S, S), or features (B, N, D).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from projects.benchmarks.data_path.loading import checkout_dataset, own_dataset
from projects.benchmarks.toolkit_process import serve

FEATURES = (1024, 1408)
"""Patches and width of MiniGPT-v2's vision encoder at 448 pixels."""
Batch = dict[str, Any]


class Loading:
    """Data sets by way, and how their items become a batch."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.datasets: dict[str, Any] = {}
        self.loaders: dict[str, Any] = {}
        if spec["toolkit"] == "minigpt4":
            from torch.utils.data.dataloader import default_collate

            self.stack: Any = default_collate  # the data set has no collater, so that the runner leaves it to torch
            self.datasets["checkout"] = checkout_dataset(spec)
            return
        from pefomed_plugin.adapters.data.datasets import MedicalDataset

        self.stack = MedicalDataset.collater
        self.datasets["plain"] = own_dataset(spec)
        for way, make in (("pixels", pixels_dataset), ("features", features_dataset)):
            self.datasets[way] = self.datasets[way + ", first touch"] = make(spec)
        self.datasets["pixels, normalised here"] = self.datasets["pixels"]

    def batches(self, way: str, batches: list[list[int]], workers: int) -> Iterable[Batch]:
        """Batches as they leave a loader: one made here, or one whose workers stay."""
        if workers and way in self.loaders:
            return self.loaders[way]
        loader = DataLoader(
            self.datasets[way],
            batch_sampler=batches,
            collate_fn=partial(self.collate, way),
            num_workers=workers,
            persistent_workers=bool(workers),
        )
        if workers:
            self.loaders[way] = loader
        return loader

    def collate(self, way: str, items: list[Any]) -> Batch:
        """Items as a batch."""
        batch = self.stack(items)
        return normalised(batch) if way.endswith("normalised here") else batch

    def time(self, way: str, batches: list[list[int]], workers: int) -> dict[str, Any]:
        """Seconds for all ``batches``, loaded in this process or in ``workers`` others."""
        if way.endswith("first touch"):
            forget(self.datasets[way])
        loader = self.batches(way, batches, workers)
        start = time.perf_counter()
        for batch in loader:
            del batch
        return {"seconds": time.perf_counter() - start}

    def save(self, way: str, batches: list[list[int]], path: str) -> dict[str, Any]:
        """Write what the model sees of the first batch."""
        batch = next(iter(self.batches(way, batches[:1], 0)))
        image = normalised(batch)["image"] if batch["image"].dtype == torch.uint8 else batch["image"]
        np.save(path, image.numpy())
        return {}

    def answer(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is asked for."""
        given = dict(request)
        return getattr(self, given.pop("do"))(**given)


def pixels_dataset(spec: Mapping[str, Any]) -> Any:
    """With ``run.image_cache: pixels``, made as a run makes it."""
    from pefomed_plugin.adapters.data.image_cache import show_ready_made
    from pefomed_plugin.adapters.devices import make_accelerator
    from pefomed_plugin.config.run import RunConfig

    dataset = own_dataset(spec)
    options = RunConfig(
        task="medical_vqa",
        output_dir=spec["cache"],
        device="cpu",
        image_cache="pixels",
        cache_dir=spec["cache"],
        num_workers=0,
    )
    show_ready_made(make_accelerator(options), None, [dataset], options)
    return dataset


def features_dataset(spec: Mapping[str, Any]) -> Any:
    """With made-up features of the real shape and kind: what an encoder made of a image costs the loader nothing."""
    from pefomed_plugin.adapters.data.image_cache import ReadyImages
    from pefomed_plugin.services.tensor_store import TensorStore

    dataset = own_dataset(spec)
    store = TensorStore(Path(spec["cache"]) / "features", FEATURES, "float16")
    with store.writer() as writer:
        for name in store.missing(spec["names"]):
            writer.add({name: made_up_features(spec["names"].index(name))})
    store.reload()
    dataset.show_ready_made(ReadyImages(store, {name: name for name in spec["names"]}, torch.float16))
    return dataset


def made_up_features(number: int) -> np.ndarray:
    """Of one image, (1024, 1408) fp16."""
    return np.random.default_rng(number).standard_normal(FEATURES, dtype=np.float32).astype(np.float16)


def forget(dataset: Any) -> None:
    """As in a process that has read nothing yet: nothing is mapped, no checksum compared."""
    ready = dataset._ready
    ready.store = type(ready.store)(ready.store.folder, ready.store.shape, ready.store.dtype.name)


def normalised(batch: Batch) -> Batch:
    """With pixels made floats, as the model does on its device."""
    from pefomed_plugin.toolkit.bundled.vision import normalise_pixels

    return {**batch, "image": normalise_pixels(batch["image"])}


if __name__ == "__main__":
    torch.set_num_threads(1)
    serve(Loading(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))).answer)
