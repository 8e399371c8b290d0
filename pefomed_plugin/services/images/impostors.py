"""Files in place of images, by their first bytes: what downloads leave, other formats, TIFFs that are not known."""

from __future__ import annotations

from typing import BinaryIO

from PIL import TiffImagePlugin

from .faults import UnusableImage

_OTHER_FORMATS = (
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"NRRD", "an NRRD volume"),
    (0, b"\x5c\x01\0\0", "a NIfTI volume"),
    (0, b"\0\0\x01\x5c", "a NIfTI volume"),
    (0, b"P7\n", "a PAM image"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (4, b"JXL ", "a JPEG XL image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftyphei", "a HEIC image"),
    (4, b"ftypmif1", "a HEIC image"),
    (0, b"II+\0", "a BigTIFF file"),
    (0, b"MM\0+", "a BigTIFF file"),
)
"""Offset, bytes, name."""
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_BITS, _PHOTOMETRIC, _SAMPLES = 258, 262, 277


def _read_white_zero_as_black_zero() -> None:
    """Pillow knows grey TIFFs of more than 8 bits in several orders, and few of them counting down from white.

    ``pixels.to_rgb`` turns all of them round.
    """
    for (order, photometric, kind, fill, depth, extra), mode in list(TiffImagePlugin.OPEN_INFO.items()):
        if photometric == 1 and len(depth) == 1 and depth[0] > 8:
            TiffImagePlugin.OPEN_INFO.setdefault((order, 0, kind, fill, depth, extra), mode)


_read_white_zero_as_black_zero()


def refuse_impostors(head: bytes, where: str) -> None:
    """Look at a file's first bytes.

    Raises:
        UnusableImage: what downloads leave in place of an image, or a format that is not read.
    """
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        raise UnusableImage(where, "empty file", "fetch it again")
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise UnusableImage(where, "an HTML page, probably a download without credentials", "fetch it again, logged in")
    if text.startswith(b"version https://git-lfs"):
        raise UnusableImage(where, "a Git LFS pointer in place of the image", "run git lfs pull")
    for at, start, name in _OTHER_FORMATS:
        if head[at:].startswith(start):
            raise UnusableImage(where, f"{name}, which is not read", "convert it to PNG")


def refuse_unknown_tiff(stream: BinaryIO, where: str) -> None:
    """Look at what Pillow has not recognised.

    Raises:
        UnusableImage: a TIFF that is whole as far as its first directory; the message says what Pillow does not know.
    """
    stream.seek(0)
    head = stream.read(8)
    if not head.startswith(_TIFF_STARTS):
        return
    try:
        fields = TiffImagePlugin.ImageFileDirectory_v2(head)
        stream.seek(fields.next)
        fields.load(stream)
        bits, kind, samples = (fields.get(tag) for tag in (_BITS, _PHOTOMETRIC, _SAMPLES))
    except Exception:  # whatever Pillow raises on damage; the caller says that it is damaged
        return
    if bits is not None and kind is not None:
        detail = f"{samples or 1} channel(s) of {' '.join(map(str, bits))} bits, photometric interpretation {kind}"
        raise UnusableImage(where, "a TIFF of a kind that Pillow does not read", "convert it to PNG", detail)
