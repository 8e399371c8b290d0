"""What image files say beside their pixels: EXIF, comments, texts; taken out of copies.

JPEG and PNG lose the segments that hold it, byte for byte, and keep their pixels as they are stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"})
_NO_TEXT = frozenset({"icc_profile", "photoshop", "exif", "dpi", "jfif", "jfif_version", "jfif_unit", "jfif_density"})
_DESCRIBES = frozenset(
    {
        *("ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation", "Orientation"),
        *("SamplesPerPixel", "XResolution", "YResolution", "ResolutionUnit", "StripOffsets", "StripByteCounts"),
        *("RowsPerStrip", "PlanarConfiguration", "SampleFormat", "ExifOffset", "ColorSpace", "YCbCrPositioning"),
        *("TileWidth", "TileLength", "TileOffsets", "TileByteCounts", "Predictor", "FillOrder", "SubfileType"),
        *("NewSubfileType", "ExtraSamples", "ColorMap", "InterColorProfile", "ImageResources", "XMLPacket"),
        *("ExifImageWidth", "ExifImageHeight", "JPEGTables", "PageNumber", "ExifVersion"),
    }
)
"""EXIF and TIFF tags that say how the pixels are stored, and of whom nothing."""


def texts_beside(image: Any) -> Iterator[tuple[str, str]]:
    """(name, text) of what an opened image says beside its pixels; places of GPS among them."""
    from PIL.ExifTags import GPSTAGS, TAGS  # late: heavy

    for name, value in image.info.items():
        if isinstance(value, (str, bytes)) and str(name) not in _NO_TEXT:
            yield f"{name}", _as_text(value)
    exif = image.getexif()
    for number, value in [*exif.items(), *exif.get_ifd(0x8769).items()]:
        name = str(TAGS.get(number, hex(number)))
        if name not in _DESCRIBES and name != "GPSInfo":
            yield f"EXIF {name}", _as_text(value)
    for number, value in exif.get_ifd(0x8825).items():
        yield f"EXIF {GPSTAGS.get(number, number)}", _as_text(value)


def without_metadata(content: bytes) -> bytes | None:
    """A JPEG or PNG without what it says beside its pixels; None for any other file, or a damaged one."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _bare_png(content)
    if content.startswith(b"\xff\xd8"):
        return _bare_jpeg(content)
    return None


_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"pHYs"}
)


def _bare_png(content: bytes) -> bytes | None:
    kept, place = [content[:8]], 8
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        kind, end = content[place + 4 : place + 8], place + 12 + length
        if end > len(content):
            return None
        if kind in _PNG_KEPT:
            kept.append(content[place:end])
        place = end
        if kind == b"IEND":
            return b"".join(kept)
    return None


def _bare_jpeg(content: bytes) -> bytes | None:
    """Without APP1 (EXIF, XMP), APP3 to APP13 and APP15, and comments; what follows the end of the image goes, too."""
    kept, place = [content[:2]], 2
    while place + 4 <= len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == 0xDA:  # the pixels, to the end of the image
            end = content.rfind(b"\xff\xd9")
            return b"".join([*kept, content[place : end + 2]]) if end > 0 else None
        is_said = marker in (0xFE, 0xE1) or 0xE3 <= marker <= 0xED or marker == 0xEF
        if not is_said:
            kept.append(content[place : place + 2 + length])
        place += 2 + length
    return None


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").replace("\0", "").strip()
    return str(value).replace("\0", "").strip()
