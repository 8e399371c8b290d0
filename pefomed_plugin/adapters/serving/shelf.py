"""Images that were shown lately: what the vision encoder made of them, by content, as many as there is room for.

An image whose questions come together is opened once and encoded once; asked about again, neither.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Callable

import torch
from PIL import Image


class Shelved:
    """One image: at first not opened, then its pixels (3, S, S), then its features (N, D)."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.pixels: torch.Tensor | None = None
        self.features: torch.Tensor | None = None
        self._opening = threading.Lock()

    def open(self, opener: Callable[[], Image.Image], pixels_of: Callable[[Image.Image], torch.Tensor]) -> None:
        """Have its pixels, unless it has features already; of several threads one opens it.

        Raises:
            ImageError: it cannot be used.
        """
        with self._opening:
            if self.pixels is None and self.features is None:
                self.pixels = pixels_of(opener())


class Shelf:
    """``most`` images, those that were shown last; 0: none is kept beyond its questions."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[str, Shelved] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, key: str) -> Shelved:
        """The image with this content; a new one where it is not known. From any thread."""
        if not self.most:
            return Shelved(key)
        with self._lock:
            found = self._kept.pop(key, None) or Shelved(key)
            self._kept[key] = found
            while len(self._kept) > self.most:
                self._kept.popitem(last=False)
        return found


def features_of(images: Sequence[Shelved], encode: Callable[[torch.Tensor], Any]) -> tuple[torch.Tensor, int]:
    """Features (B, N, D) of images that are open, and how many of them had to be computed."""
    new = {id(image): image for image in images if image.features is None}
    if new:
        found = encode(torch.stack([image.pixels for image in new.values() if image.pixels is not None]))
        for image, features in zip(new.values(), found):
            image.features, image.pixels = features, None
    return torch.stack([image.features for image in images if image.features is not None]), len(new)
