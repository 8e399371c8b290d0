"""What image files say beside their pixels: EXIF, comments, texts; taken out of copies.

JPEG and PNG lose the segments that hold it, byte for byte, and keep their pixels as they are stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MAGIC = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*|RIFF....WEBP|\0\0\0\x0cjP  \r\n", re.DOTALL
)
"""How image files begin, whatever they are called."""

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp"})
_NO_TEXT = frozenset(
    {
        "version",
        "compression",
        "transparency",
        "icc_profile",
        "photoshop",
        "exif",
        "dpi",
        "jfif",
        "jfif_version",
        "jfif_unit",
        "jfif_density",
    }
)
_DESCRIBES = frozenset(
    {
        *("ImageWidth", "ImageLength", "BitsPerSample", "Compression", "PhotometricInterpretation", "Orientation"),
        *("SamplesPerPixel", "XResolution", "YResolution", "ResolutionUnit", "StripOffsets", "StripByteCounts"),
        *("RowsPerStrip", "PlanarConfiguration", "SampleFormat", "ExifOffset", "ColorSpace", "YCbCrPositioning"),
        *("TileWidth", "TileLength", "TileOffsets", "TileByteCounts", "Predictor", "FillOrder", "SubfileType"),
        *("NewSubfileType", "ExtraSamples", "ColorMap", "InterColorProfile"),
        *("ExifImageWidth", "ExifImageHeight", "JPEGTables", "PageNumber", "ExifVersion"),
    }
)
"""EXIF and TIFF tags that say how the pixels are stored, and of whom nothing."""


def texts_beside(image: Any) -> Iterator[tuple[str, str]]:
    """(name, text) of what an opened image says beside its pixels; places of GPS among them."""
    from PIL.ExifTags import GPSTAGS, TAGS  # late: heavy
    from PIL.IptcImagePlugin import getiptcinfo  # late: heavy

    image.load()  # a PNG may have texts behind its pixels
    for name, value in image.info.items():
        if isinstance(value, (str, bytes)) and str(name) not in _NO_TEXT:
            yield f"{name}", _as_text(value)
    for number, value in (getiptcinfo(image) or {}).items():
        for one in value if isinstance(value, list) else [value]:
            yield f"IPTC {number[0]}:{number[1]}", _as_text(one)
    exif = image.getexif()
    for number, value in [*exif.items(), *exif.get_ifd(0x8769).items()]:
        name = str(TAGS.get(number, hex(number)))
        if name not in _DESCRIBES and name != "GPSInfo":
            yield f"EXIF {name}", _as_text(value)
    for number, value in exif.get_ifd(0x8825).items():
        yield f"EXIF {GPSTAGS.get(number, number)}", _as_text(value)


@dataclass
class Parts:
    """A JPEG or PNG, taken apart."""

    kept: list[bytes]
    """Segments that make the image."""
    said: list[tuple[str, bytes]] = field(default_factory=list)
    """(name, content) of those that say something beside it."""
    behind: bytes = b""
    """What follows the end of the image."""

    @property
    def bare(self) -> bytes:
        """The image alone; its pixels are stored as they were."""
        return b"".join(self.kept)

    def texts(self) -> Iterator[tuple[str, str]]:
        """(name, text) of segments that Pillow does not read, and of what stands behind the image."""
        for name, content in self.said:
            words = b" ".join(_WORDS.findall(content))
            if name not in _READ_BY_PILLOW and words:
                yield f"segment {name}", _as_text(words)
        if self.behind:
            yield "behind the image", _as_text(b" ".join(_WORDS.findall(self.behind))) or f"{len(self.behind):,} bytes"


def take_apart(content: bytes) -> Parts | None:
    """A JPEG or PNG as its parts; None for any other file, or a damaged one."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _take_png_apart(content)
    if content.startswith(b"\xff\xd8"):
        return _take_jpeg_apart(content)
    return None


_WORDS = re.compile(rb"[ -~\xa0-\xff]{4,}")
_READ_BY_PILLOW = frozenset({"tEXt", "zTXt", "iTXt", "eXIf", "APP1", "APP13", "APP14", "COM", "tIME"})
_PNG_KEPT = frozenset({"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT", "pHYs"})
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""Ends what is compressed of a JPEG: zeros behind 0xff, and RST0 to RST7, stand within it."""


def _take_png_apart(content: bytes) -> Parts | None:
    parts, place = Parts([content[:8]]), 8
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        kind, end = content[place + 4 : place + 8].decode("latin-1"), place + 12 + length
        if end > len(content):
            return None
        if kind in _PNG_KEPT:
            parts.kept.append(content[place:end])
        else:
            parts.said.append((kind, content[place + 8 : end - 4]))
        place = end
        if kind == "IEND":
            parts.behind = content[place:]
            return parts
    return None


def _take_jpeg_apart(content: bytes) -> Parts | None:
    """What says something are APP1 (EXIF, XMP), APP3 to APP13 and APP15, and comments."""
    parts, place = Parts([content[:2]]), 2
    while place + 2 <= len(content):
        if content[place] != 0xFF:
            return None
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == 0xD9:
            parts.kept.append(content[place : place + 2])
            parts.behind = content[place + 2 :]
            return parts
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == 0xDA:  # pixels, of which there may be several scans
            found = _MARKER.search(content, end)
            if found is None:
                return None
            end = found.start()
        if marker in (0xFE, 0xE1) or 0xE3 <= marker <= 0xED or marker == 0xEF:
            name = "COM" if marker == 0xFE else f"APP{marker - 0xE0}"
            parts.said.append((name, content[place + 4 : end]))
        else:
            parts.kept.append(content[place:end])
        place = end
    return None


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").replace("\0", "").strip()
    return str(value).replace("\0", "").strip()
