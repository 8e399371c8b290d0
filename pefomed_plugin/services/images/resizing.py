"""Images to the square that the model sees: the same pixels from every version of Pillow."""

from __future__ import annotations

from PIL import Image


def resize_square(image: Image.Image, size_px: int) -> Image.Image:
    """The image in ``size_px`` x ``size_px``, bicubic, as Pillow 13 does it (and with it ``golden/``).

    Pillow resizes one side, rounds to whole levels, and then the other. Which comes first is no detail: Pillow 13 takes
    the height first where it shrinks by more than twice what the width does, as in many radiographs; earlier versions
    always took the width. So the order is said here, and does not depend on what is installed.
    """
    width, height = image.size
    is_height_first = height > size_px and height - size_px > 2 * (width - size_px)
    between = (width, size_px) if is_height_first else (size_px, height)
    return image.resize(between, Image.Resampling.BICUBIC).resize((size_px, size_px), Image.Resampling.BICUBIC)
