"""Any pixel format that releases contain as 8-bit RGB, and the square that the model sees: the same pixels from every
version of Pillow. DICOM's own scaling is in ``dicom``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import numpy

Colour = tuple[int, int, int]

_PHOTOMETRIC_INTERPRETATION = 262
_DEEP_MODES = ("I", "F")  # and "I;16", "I;16B", ...


def to_rgb(image: Image.Image, background: Colour) -> Image.Image:
    """``image`` in mode RGB.

    Opaque 8-bit images come out exactly as ``image.convert("RGB")`` has it. Transparent ones (LA, RGBA, PA, or a
    transparent colour in P, L and RGB) are laid onto ``background``: converting alone would show the colour hidden
    beneath, mostly black. Images of more than 8 bits are scaled by ``stretch``. CMYK JPEGs count as inverted, as Adobe
    writes them and Pillow reads them.

    Raises:
        ValueError: Pillow has no conversion (LAB).
    """
    if image.mode.startswith(_DEEP_MODES):
        import numpy as np  # late: heavy

        values = np.asarray(image)
        transparent = image.info.get("transparency")  # of a PNG: one grey value
        hidden = values == transparent if isinstance(transparent, int) else np.zeros(values.shape, bool)
        if _is_white_zero(image):
            values = -values.astype(np.float64)
        shown = np.repeat(stretch(values, ~hidden)[..., None], 3, axis=-1)
        shown[hidden] = background
        return Image.fromarray(shown)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        straight = image.convert("RGBA")
        opaque = Image.new("RGB", image.size, background)
        opaque.paste(straight, mask=straight.getchannel("A"))
        return opaque
    return image.convert("RGB")


def _is_white_zero(image: Image.Image) -> bool:
    """Whether a TIFF of more than 8 bits counts down from white; Pillow turns those of 8 bits and fewer round."""
    return image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC_INTERPRETATION) == 0


def stretch(values: numpy.ndarray, counted: numpy.ndarray | None = None) -> numpy.ndarray:
    """Values of any type -> uint8, the smallest as 0 and the largest as 255.

    This is what a viewer does for want of a window. Scaling by the range of the data type would leave most radiographs
    black: they hold 10 or 12 significant bits in a 16-bit file that does not say so. A constant image becomes 0;
    values that are not finite take no part and become 0.

    Args:
        counted: bool in the shape of ``values``; the others take no part either and become 0.
    """
    import numpy as np  # late: heavy

    shown = values.astype(np.float64)
    finite = np.isfinite(shown) if counted is None else np.isfinite(shown) & counted
    if not finite.any():
        return np.zeros(shown.shape, np.uint8)
    lowest, highest = shown[finite].min(), shown[finite].max()
    shown = np.where(finite, shown - lowest, 0.0) / (highest - lowest or 1.0)
    return np.rint(shown * 255).astype(np.uint8)


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
