"""All 16 bits of the channels of colour, or of grey with alpha; Pillow alone keeps the upper 8 of them.

By the format: PNG and TIFF are read a second time with the two bytes in the other order, PPM is taken as it is written,
and JPEG 2000 needs another decoder.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, Callable

from PIL import Image

from .faults import UnusableImage

if TYPE_CHECKING:
    import numpy

_BITS_PER_SAMPLE = 258
_ENDINGS = {";16B": ";16L", ";16L": ";16B", ";16N": ""}
"""How Pillow calls the order of the two bytes -> the order in which the lower byte is taken for the upper one."""
_GREY_WITH_ALPHA = "LA;16B"
_FOUR_BYTES = "RGBA"
"""Read so, a pixel of grey and alpha gives the upper and the lower byte of each."""
_PPM_DECODERS = ("ppm", "ppm_plain")
_COMMENT = re.compile(rb"#[^\r\n]*")
_J2K_START = b"\xff\x4f\xff\x51"
"""Start of a code stream and of the segment that says its components (ISO/IEC 15444-1, A.5.1)."""
_J2K_COMPONENTS_AT = 42
"""Offset of the first component's depth from there."""
_J2K_ROUNDED = 64
"""What Pillow makes of the greatest value of 14 bits in 16."""


def has_sixteen_bits(image: Image.Image) -> bool:
    """Whether an opened file that is not loaded yet has several channels of 16 bits."""
    if image.mode in ("I", "F") or "I;" in image.mode:
        return False
    if image.format == "PPM":
        return image.mode == "RGB" and any(tile[0] in _PPM_DECODERS and tile[3][-1] >> 15 for tile in image.tile)  # type: ignore[attr-defined]
    if image.format == "JPEG2000":
        return image.mode in ("LA", "RGB", "RGBA") and _depth_of_jpeg_2000(image) == 16
    return any(_raw_mode(tile[3])[-4:] in _ENDINGS for tile in _tiles(image))


def read_sixteen_bits(image: Image.Image, reopen: Callable[[], Image.Image], where: str) -> numpy.ndarray | None:
    """Load ``image`` as Pillow does; the same pixels as uint16, (H, W, channels), grey with alpha as two channels.

    Args:
        reopen: opens the same frame of the same file again, not loaded.
        where: names the file in errors.

    Returns:
        None where the loaded image says already that 15 bits or more are in use.

    Raises:
        UnusableImage: a JPEG 2000 file that needs a decoder which is not installed.
    """
    if image.format == "PPM":
        image.load()
        return _read_ppm(reopen())
    if image.format == "JPEG2000":
        image.load()
        return _read_jpeg_2000(image, reopen(), where)
    return _read_twice(image, reopen)


def is_grey_with_alpha(image: Image.Image) -> bool:
    """Whether the file holds two channels, whatever mode Pillow opens it in."""
    return image.mode == "LA" or any(_raw_mode(tile[3]) == _GREY_WITH_ALPHA for tile in _tiles(image))


def _read_twice(image: Image.Image, reopen: Callable[[], Image.Image]) -> numpy.ndarray:
    import numpy as np  # late: heavy

    tiles, is_grey = _tiles(image), is_grey_with_alpha(image)
    image.tile = tiles  # type: ignore[attr-defined]
    image.load()
    other = reopen()
    other.tile = [_read_as(tile, _lower_bytes(tile[3])) for tile in tiles]  # type: ignore[attr-defined]
    other.load()
    if is_grey:
        pairs = np.asarray(other).astype(np.uint16)  # (H, W, 4)
        return pairs[..., 0::2] << 8 | pairs[..., 1::2]
    return np.asarray(image).astype(np.uint16) << 8 | np.asarray(other)


def _read_ppm(image: Image.Image) -> numpy.ndarray:
    """Of a file that Pillow has read: what is missing there was allowed to be, and is 0."""
    import numpy as np  # late: heavy

    tile = image.tile[0]  # type: ignore[attr-defined]
    image.fp.seek(tile[2])  # type: ignore[attr-defined]
    data = image.fp.read()  # type: ignore[attr-defined]
    count = image.width * image.height * 3
    if tile[0] == "ppm_plain":
        numbers = [int(number) for number in _COMMENT.sub(b"", data).split()[:count]]
        values = np.array(numbers + [0] * (count - len(numbers)), np.uint16)
    else:
        values = np.frombuffer(data[: 2 * count].ljust(2 * count, b"\0"), ">u2").astype(np.uint16)
    return values.reshape(image.height, image.width, 3)


def _read_jpeg_2000(image: Image.Image, other: Image.Image, where: str) -> numpy.ndarray | None:
    """Pillow's upper bytes tell whether the lower ones are needed; few installations have a decoder that gives them."""
    import numpy as np  # late: heavy

    seen = np.asarray(image)
    colour = seen if image.mode == "RGB" else seen[..., :-1][seen[..., -1] > 0]
    if not colour.size or int(colour.max()) > _J2K_ROUNDED:
        return None
    fault = "JPEG 2000 colour of 16 bits that uses fewer of them"
    try:
        from openjpeg import decode  # late: optional, of pylibjpeg-openjpeg
    except ImportError as error:
        raise UnusableImage(
            where, fault, "pip install pylibjpeg-openjpeg, which reads all of them, or convert it to PNG of 16 bits"
        ) from error
    other.fp.seek(0)  # type: ignore[attr-defined]
    values = np.asarray(decode(other.fp.read()))  # type: ignore[attr-defined]
    if values.shape != seen.shape or np.abs((values >> 8).astype(int) - seen).max() > 1:
        raise UnusableImage(where, fault, "convert it to PNG", "its colours are not stored as red, green and blue")
    return values.astype(np.uint16)


def _depth_of_jpeg_2000(image: Image.Image) -> int:
    """Bits of the deepest component."""
    stream: Any = image.fp  # type: ignore[attr-defined]
    place = stream.tell()
    stream.seek(0)
    data = stream.read()
    stream.seek(place)
    at = data.find(_J2K_START)
    if at < 0:
        return 0
    components = int.from_bytes(data[at + _J2K_COMPONENTS_AT - 2 : at + _J2K_COMPONENTS_AT], "big")
    depths = data[at + _J2K_COMPONENTS_AT :][: 3 * components : 3]
    return max(((depth & 0x7F) + 1 for depth in depths), default=0)


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
