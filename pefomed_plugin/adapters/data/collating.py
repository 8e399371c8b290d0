"""Items of a data set as batches: plain as MiniGPT-v2 takes them, or laid out in rows by a model's packer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

import torch

from ...errors import ConfigError

Item = dict[str, Any]
"""``image`` is what the image processor made of the image; of several images a tuple of that."""


def collate(items: Sequence[Item]) -> dict[str, Any]:
    """Items as a batch: images stacked to (B, 3, S, S), everything else in lists.

    Of samples with several images all lie one after the other.
    """
    batch: dict[str, Any] = {key: [item[key] for item in items] for key in items[0] if key != "image"}
    return {"image": _stacked(items), **batch}


def _stacked(items: Sequence[Item]) -> torch.Tensor:
    """The images of all items, one after the other."""
    shown = [item["image"] for item in items]
    return torch.stack([image for images in shown for image in (images if isinstance(images, tuple) else (images,))])


class PackedCollater:
    """Items as a batch in which questions of the same images share a row: ``layout``, and each row's images once."""

    def __init__(self, packer: Callable[..., Any], *, share: bool, generation: bool = False) -> None:
        """Collate with a model's ``packer``; without ``share`` every question has a row of its own."""
        self.packer, self.share, self.generation = packer, share, generation

    def __call__(self, items: Sequence[Item]) -> dict[str, Any]:
        batch: dict[str, Any] = {key: [item[key] for item in items] for key in items[0] if key != "image"}
        layout, firsts = self.packer(
            batch["instruction_input"],
            None if self.generation else batch["answer"],
            batch["image_key"] if self.share else range(len(items)),
        )
        return {"image": _stacked([items[number] for number in firsts]), "layout": layout, **batch}


def make_collater(model: Any, *, share: bool, generation: bool = False) -> Callable[[Any], dict[str, Any]]:
    """Function that makes batches for ``model``: packed where the model takes that (the bundled one), else plain.

    Raises:
        ConfigError: questions of one image are to ``share`` a row, and the model does not take that.
    """
    make_packer = getattr(model, "packer", None)
    packer = make_packer() if make_packer is not None else None
    if packer is None:
        if share:
            raise ConfigError(
                "run.questions_per_image needs the bundled toolkit, model.decoder: packed, and no FSDP; set it to 1"
            )
        return collate
    return PackedCollater(packer, share=share, generation=generation)
