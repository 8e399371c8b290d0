"""The model that the sections share: made when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from projects.benchmarks.real_size import Item, Steps, make_items, random_model


class Model:
    """The model of the real size with its optimizer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def own(self) -> Any:
        """MiniGPT-v2, without dropout, so that ways can be compared."""
        return random_model(self.folder, "cuda")

    @cached_property
    def steps(self) -> Steps:
        """Its optimizer steps, in bf16."""
        return Steps(self.own)

    def items(self, images: int, per_image: int, *, cached: bool = False, answer_tokens: int = 5) -> list[Item]:
        """Samples; with ``cached`` of what the encoder made."""
        return make_items(self.folder, images, per_image, torch.float16 if cached else None, answer_tokens)

    @contextmanager
    def in_float32(self) -> Iterator[None]:
        """While it is open the frozen weights are the same numbers in float32; LLaMA-2-7B then takes 28 GB."""
        half = [parameter for parameter in self.own.parameters() if parameter.dtype != torch.float32]
        kept = [parameter.data for parameter in half]
        self.own.forget_slots()
        try:
            for parameter in half:
                parameter.data = parameter.data.float()
            yield
        finally:
            for parameter, data in zip(half, kept):
                parameter.data = data
            self.own.forget_slots()
