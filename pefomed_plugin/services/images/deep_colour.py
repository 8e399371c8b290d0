"""Colour, and grey with alpha, of 16 bits a channel: Pillow alone keeps the upper 8 of them.

That is right where all 16 are used. Scanners write 10, 12 or 14 significant bits into 16, and no field says so; their
upper 8 bits are all but black. How the values are read: ``sixteen_bits``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from PIL import Image

from .sixteen_bits import is_grey_with_alpha, read_sixteen_bits

if TYPE_CHECKING:
    import numpy

_LEAST_FULL_BITS = 15
"""A brightest channel that needs as many bits tells of a file that uses all 16."""


def read_deep_colour(image: Image.Image, reopen: Callable[[], Image.Image], where: str) -> Image.Image:
    """The loaded ``image``, or, where it uses fewer than 15 of 16 bits, one of its significant bits.

    Args:
        reopen: opens the same frame of the same file again, not loaded.
        where: names the file in errors.

    Raises:
        UnusableImage: as ``read_sixteen_bits``.
    """
    import numpy as np  # late: heavy

    is_grey = is_grey_with_alpha(image)
    values = read_sixteen_bits(image, reopen, where)
    if values is None:
        return image
    has_alpha = is_grey or image.mode in ("RGBA", "RGBa")
    colour, alpha = (values[..., :-1], values[..., -1:]) if has_alpha else (values, None)
    transparent = image.info.get("transparency")
    if alpha is None and isinstance(transparent, tuple):
        alpha = np.where((colour == transparent).all(-1, keepdims=True), 0, 0xFFFF).astype(np.uint16)
    shown = colour if alpha is None else colour[np.broadcast_to(alpha > 0, colour.shape)]
    if not shown.size or int(shown.max()).bit_length() >= _LEAST_FULL_BITS:
        return image
    channels = significant_byte(colour, shown)
    if is_grey:
        channels = np.repeat(channels, 3, axis=-1)
    if alpha is not None:
        channels = np.concatenate([channels, significant_byte(alpha, alpha)], axis=-1)
    mode = image.mode if image.mode in ("RGBa", "CMYK") else "RGB" if alpha is None else "RGBA"
    result = Image.frombytes(mode, image.size, channels.tobytes())
    result.format = image.format
    return result


def significant_byte(values: numpy.ndarray, counted: numpy.ndarray, bits: int = 16) -> numpy.ndarray:
    """Channels of up to 16 bits -> the upper 8 of the bits in use, as uint8.

    Args:
        counted: the values that tell how many bits those are.
        bits: as many as the file says; taken where 15 or more of 16 are used, or the file says fewer.
    """
    import numpy as np  # late: heavy

    used = int(counted.max()).bit_length() if counted.size else 0
    significant = bits if bits < 16 and used <= bits else max(8, used) if used < _LEAST_FULL_BITS else 16
    return (values.astype(np.uint16) >> max(0, significant - 8)).astype(np.uint8)
