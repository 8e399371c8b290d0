"""Any pixel format that releases contain as 8-bit RGB, and the square that the model sees: the same pixels from every
version of Pillow. DICOM's own scaling is in ``dicom``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Callable

from PIL import Image

if TYPE_CHECKING:
    import numpy

Colour = tuple[int, int, int]
Piece = tuple[slice, "numpy.ndarray", "numpy.ndarray | None"]

_PHOTOMETRIC_INTERPRETATION = 262
_PIECE = 1 << 18
DEEP_MODES = ("I", "F")  # and "I;16", "I;16B", ...


def to_rgb(image: Image.Image, background: Colour) -> Image.Image:
    """``image`` in mode RGB.

    Opaque 8-bit images come out exactly as ``image.convert("RGB")`` has it. Transparent ones (LA, RGBA, PA, or a
    transparent colour in P, L and RGB) are laid onto ``background``: converting alone would show the colour hidden
    beneath, mostly black. Images of more than 8 bits are scaled by ``stretch``. CMYK JPEGs count as inverted, as Adobe
    writes them and Pillow reads them.

    Raises:
        ValueError: Pillow has no conversion (LAB).
    """
    if image.mode.startswith(DEEP_MODES):
        return _deep_to_rgb(image, background)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        opaque = Image.new("RGB", image.size, background)
        for box in _strips(image):
            straight = image.crop(box).convert("RGBA")
            opaque.paste(straight, box, straight.getchannel("A"))
        return opaque
    return image.convert("RGB")


def _deep_to_rgb(image: Image.Image, background: Colour) -> Image.Image:
    import numpy as np  # late: heavy

    transparent, sign = image.info.get("transparency"), -1 if is_white_zero(image) else 1  # of a PNG: one grey value

    def parts() -> Iterator[tuple[tuple[int, int, int, int], numpy.ndarray, numpy.ndarray | None]]:
        for box in _strips(image):
            values = np.asarray(image.crop(box))
            hidden = values == transparent if isinstance(transparent, int) else None
            yield box, sign * values.astype(np.float64), hidden

    ends = _ends((values, None if hidden is None else ~hidden) for _, values, hidden in parts())
    rgb = Image.new("RGB", image.size)
    for box, values, hidden in parts():
        rgb.paste(Image.fromarray(_between(values, None if hidden is None else ~hidden, ends)).convert("RGB"), box)
        if hidden is not None:
            rgb.paste(background, box, Image.fromarray(hidden.view(np.uint8) * np.uint8(255)))
    return rgb


def _strips(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Boxes that cover the image, each so small that copies of it take a few MB."""
    rows = max(1, _PIECE // max(1, image.width))
    return ((0, top, image.width, min(top + rows, image.height)) for top in range(0, image.height, rows))


def is_white_zero(image: Image.Image) -> bool:
    """Whether a TIFF of more than 8 bits counts down from white; Pillow turns those of 8 bits and fewer round."""
    return image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC_INTERPRETATION) == 0


def stretch(values: numpy.ndarray, counted: numpy.ndarray | None = None) -> numpy.ndarray:
    """Values of any type -> uint8, the smallest as 0 and the largest as 255.

    This is what a viewer does for want of a window. Scaling by the range of the data type would leave most radiographs
    black: they hold 10 or 12 significant bits in a 16-bit file that does not say so. A constant image becomes 0;
    values that are not finite take no part and become 0. Beside the result it needs a few MB, whatever the size.

    Args:
        counted: bool in the shape of ``values``; the others take no part either and become 0.
    """
    flat, counts = values.reshape(-1), None if counted is None else counted.reshape(-1)

    def parts() -> Iterator[Piece]:
        for place in pieces_of(flat.size):
            yield place, flat[place].astype("float64"), None if counts is None else counts[place]

    return stretch_pieces(parts, flat.size).reshape(values.shape)


def stretch_pieces(parts: Callable[[], Iterable[Piece]], size: int) -> numpy.ndarray:
    """As ``stretch``, of values that come in pieces, twice; flat.

    Args:
        parts: gives place in the result, values as float64, and which of them count (None: all).
        size: of the result.
    """
    import numpy as np  # late: heavy

    ends = _ends((part, taken) for _, part, taken in parts())
    shown = np.zeros(size, np.uint8)
    for place, part, taken in parts():
        shown[place] = _between(part, taken, ends)
    return shown


def _ends(parts: Iterable[tuple[numpy.ndarray, numpy.ndarray | None]]) -> tuple[float, float] | None:
    """The smallest and the largest of the finite values that count; None where there is none."""
    found: list[float] = []
    for values, counted in parts:
        taken = values[_finite(values, counted)]
        found += [taken.min(), taken.max()] if taken.size else []
    return (min(found), max(found)) if found else None


def _between(values: numpy.ndarray, counted: numpy.ndarray | None, ends: tuple[float, float] | None) -> numpy.ndarray:
    import numpy as np  # late: heavy

    if ends is None:
        return np.zeros(values.shape, np.uint8)
    lowest, highest = ends
    shown = np.where(_finite(values, counted), values - lowest, 0.0) / (highest - lowest or 1.0)
    return np.rint(shown * 255).astype(np.uint8)


def _finite(values: numpy.ndarray, counted: numpy.ndarray | None) -> numpy.ndarray:
    import numpy as np  # late: heavy

    return np.isfinite(values) if counted is None else np.isfinite(values) & counted


def pieces_of(count: int) -> Iterator[slice]:
    """Slices of so many values that floating-point copies of one piece take a few MB."""
    return (slice(start, start + _PIECE) for start in range(0, count, _PIECE))


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
