"""Colour, and grey with alpha, of 16 bits a channel: Pillow alone keeps the upper 8 of them.

That is right where all 16 are used. Scanners write 10, 12 or 14 significant bits into 16, and no field says so; their
upper 8 bits are all but black.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable

from PIL import Image

if TYPE_CHECKING:
    import numpy

_BITS_PER_SAMPLE = 258
_LEAST_FULL_BITS = 15
"""A brightest channel that needs as many bits tells of a file that uses all 16."""
_ENDINGS = {";16B": ";16L", ";16L": ";16B", ";16N": ""}
"""How Pillow calls the order of the two bytes -> the order in which the lower byte is taken for the upper one."""
_GREY_WITH_ALPHA = "LA;16B"
_FOUR_BYTES = "RGBA"
"""Read so, a pixel of grey and alpha gives the upper and the lower byte of each."""


def is_deep_colour(image: Image.Image) -> bool:
    """Whether an opened file that is not loaded yet has several channels of 16 bits."""
    names = [_raw_mode(tile[3]) for tile in _tiles(image)]
    return image.mode not in ("I", "F") and "I;" not in image.mode and any(name[-4:] in _ENDINGS for name in names)


def read_deep_colour(image: Image.Image, reopen: Callable[[], Image.Image]) -> Image.Image:
    """The loaded ``image``, or, where it uses fewer than 15 of 16 bits, one of its significant bits.

    Args:
        reopen: opens the same frame of the same file again, not loaded.
    """
    import numpy as np  # late: heavy

    tiles = _tiles(image)
    is_grey = any(_raw_mode(tile[3]) == _GREY_WITH_ALPHA for tile in tiles)
    image.tile = tiles  # type: ignore[attr-defined]
    image.load()
    other = reopen()
    other.tile = [_read_as(tile, _lower_bytes(tile[3])) for tile in tiles]  # type: ignore[attr-defined]
    other.load()
    if is_grey:
        pairs = np.asarray(other).astype(np.uint16)  # (H, W, 4)
        values = pairs[..., 0::2] << 8 | pairs[..., 1::2]  # (H, W, 2)
    else:
        values = np.asarray(image).astype(np.uint16) << 8 | np.asarray(other)  # (H, W, channels)
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


def _tiles(image: Image.Image) -> list[Any]:
    """How the parts of a file are to be read: decoder, corners, offset and arguments of each.

    Pillow reads the channels of an uncompressed TIFF that keeps them apart as if they were of 8 bits.
    """
    tiles = list(getattr(image, "tile", ()))
    if image.format != "TIFF" or image.tag_v2.get(_BITS_PER_SAMPLE, (8,))[0] != 16:  # type: ignore[attr-defined]
        return tiles
    ending = ";16L" if image.tag_v2.prefix == b"II" else ";16B"  # type: ignore[attr-defined]
    return [
        _read_as(tile, (tile[3][0] + ending, *tile[3][1:]))
        if tile[0] != "libtiff" and len(_raw_mode(tile[3])) == 1
        else tile
        for tile in tiles
    ]


def _read_as(tile: Any, arguments: str | tuple) -> Any:
    """The same part of the file with other arguments of its decoder; a named tuple since Pillow 11."""
    return tile._replace(args=arguments) if hasattr(tile, "_replace") else (*tile[:3], arguments)


def _raw_mode(arguments: str | tuple | None) -> str:
    name = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return name if isinstance(name, str) else ""


def _lower_bytes(arguments: str | tuple) -> str | tuple:
    """A tile's arguments, so changed that the lower byte of each channel is read."""
    if isinstance(arguments, tuple):
        return (_lower_bytes(arguments[0]), *arguments[1:])
    if arguments == _GREY_WITH_ALPHA:
        return _FOUR_BYTES
    name, ending = arguments[:-4], arguments[-4:]
    swapped = _ENDINGS[ending] or (";16B" if sys.byteorder == "little" else ";16L")
    return name + swapped
