"""Processors of MiniGPT-v2: images to tensors, captions to its lower-cased form. They depend on no data set.

Numbers equal upstream's (``golden/``): bicubic resize of the PIL image to a square, mean and deviation of the vision
encoder (CLIP's); no crop and no flip, because left and right matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Callable

from ...services.images.pixels import resize_square
from ...vision_encoders import CLIP_MEAN, CLIP_STD
from .registry import registry


class BaseProcessor:
    """Leaves its item as it is; ``from_config`` is how builders make a processor from a YAML section."""

    def __call__(self, item: Any) -> Any:
        return item

    @classmethod
    def from_config(cls, cfg: Any = None) -> BaseProcessor:
        """Processor with its defaults."""
        return cls()


class _Blip2Image(BaseProcessor):
    """PIL RGB image -> float tensor (3, S, S): resized, scaled to 0..1, normalised per channel.

    The same image always gives the same tensor, which ``run.image_cache`` relies on.
    """

    def __init__(
        self, image_size: int = 224, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
    ) -> None:
        from torchvision import transforms  # late: optional

        self.image_size = image_size
        self.normalisation = (tuple(mean or CLIP_MEAN), tuple(std or CLIP_STD))
        """Mean and deviation of the channels; those of the vision encoder, unless a YAML says others."""
        self._finish: Callable[[Any], Any] = transforms.Compose(
            [transforms.ToTensor(), transforms.Normalize(*self.normalisation)]
        )
        self._as_pixels: Callable[[Any], Any] = transforms.PILToTensor()

    def __call__(self, item: Any) -> Any:
        return self._finish(resize_square(item, self.image_size))

    def pixels(self, item: Any) -> Any:
        """The resized image before it is normalised, uint8 (3, S, S); the model normalises it in the same way."""
        return self._as_pixels(resize_square(item, self.image_size))

    @classmethod
    def from_config(cls, cfg: Any = None) -> _Blip2Image:
        """Processor from a section with ``image_size`` (pixels), ``mean`` and ``std``."""
        cfg = cfg or {}
        return cls(cfg.get("image_size", 224), cfg.get("mean"), cfg.get("std"))


@registry.register_processor("blip2_image_train")
class Blip2ImageTrainProcessor(_Blip2Image):
    """Training images; the same transform as evaluation (MiniGPT-4's, not the cropping one of the authors' code)."""


@registry.register_processor("blip2_image_eval")
class Blip2ImageEvalProcessor(_Blip2Image):
    """Evaluation images."""


@registry.register_processor("blip_caption")
class BlipCaptionProcessor(BaseProcessor):
    """Upstream's caption clean-up, kept to reproduce old runs; new ones use ``medical_text``.

    It lower-cases, turns ``. ! " ( ) * # : ; ~`` into blanks (1.5 cm becomes 1 5 cm) and cuts at ``max_words``.
    """

    def __init__(self, prompt: str = "", max_words: int = 50) -> None:
        self.prompt = prompt
        self.max_words = max_words

    def __call__(self, item: str) -> str:
        text = re.sub(r"\s{2,}", " ", re.sub(r"([.!\"()*#:;~])", " ", item.lower()))
        text = text.rstrip("\n").strip(" ")
        words = text.split(" ")
        return self.prompt + (" ".join(words[: self.max_words]) if len(words) > self.max_words else text)

    @classmethod
    def from_config(cls, cfg: Any = None) -> BlipCaptionProcessor:
        """Processor from a section with ``prompt`` and ``max_words``."""
        cfg = cfg or {}
        return cls(cfg.get("prompt") or "", cfg.get("max_words") or 50)
