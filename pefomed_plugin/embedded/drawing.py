"""A scene's image, whatever its kind, written as a file. The only place that knows which kind is drawn where."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from PIL import Image

from . import chest, slices, tissue
from .scenes import ABDOMEN, CHEST, HEAD_CT, HEAD_MRI, LATERAL, TISSUE, Scene

DRAWINGS: dict[str, Callable[[Scene, int], Image.Image]] = {
    CHEST: chest.draw_frontal,
    LATERAL: chest.draw_lateral,
    ABDOMEN: slices.draw_abdomen,
    HEAD_CT: slices.draw_head,
    HEAD_MRI: slices.draw_head,
    TISSUE: tissue.draw_tissue,
}
SIZE_PX = 224
"""Edge of the square images."""


def draw(scene: Scene) -> Image.Image:
    """The image, grey or RGB."""
    return DRAWINGS[scene.kind](scene, SIZE_PX)


def save(scene: Scene, path: Path, mode: str = "") -> None:
    """Draw and write; the file's ending says the format, ``mode`` converts first (``CMYK``, ``RGBA``, ``P``)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = draw(scene)
    image = image.convert(mode) if mode else image
    if path.suffix == ".jpg":
        image.save(path, quality=90)
    else:
        image.save(path)
