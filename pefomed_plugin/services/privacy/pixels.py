"""Pixels of cleaned copies: written anew without what stands beside them, or with black areas where text was."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from .burned_in import Box
from .said import NoText

_PLAIN_MODES = frozenset({"1", "L", "P", "RGB", "RGBA", "I;16"})
_SAVED_WITH: dict[str, dict[str, Any]] = {
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "WEBP": {"lossless": True, "exact": True},
    "GIF": {},
}
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0


def written_anew(image: Any, frames: int) -> bytes:
    """An image of one frame without what it says, in its own format and with the same pixels.

    Raises:
        NoText: that cannot be done with an image of this kind.
    """
    kind, pixels = image.format, image.tobytes()
    options = _SAVED_WITH.get(kind)
    inverted = kind == "TIFF" and image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    if frames == 1 and options is not None and not inverted and image.mode in _PLAIN_MODES:
        from PIL import Image  # late: heavy

        buffer = BytesIO()
        bare = Image.frombytes(image.mode, image.size, pixels)
        if image.mode == "P":
            bare.putpalette(image.getpalette() or [])
        bare.save(buffer, kind, **options)
        with Image.open(buffer) as again:
            if (again.mode, again.size, again.tobytes()) == (image.mode, image.size, pixels):
                return buffer.getvalue()
    raise NoText("says something beside its pixels, which cannot be taken out without changing them")


def painted_black(image: Any, boxes: Sequence[Box]) -> bytes:
    """An image with black boxes, in its own format; JPEG at quality 95."""
    from PIL import ImageDraw  # late: heavy

    kind = "JPEG" if image.format == "MPO" else image.format or "PNG"
    painted = image.convert("RGB") if image.mode == "P" and kind == "PNG" else image.copy()
    draw = ImageDraw.Draw(painted)
    black = {"CMYK": (0, 0, 0, 255), "RGBA": (0, 0, 0, 255), "LA": (0, 255)}.get(painted.mode, 0)
    for box in boxes:
        draw.rectangle((box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2), fill=black)
    buffer = BytesIO()
    painted.info = {}
    painted.save(buffer, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return buffer.getvalue()


def clear_bits(dataset: Any, bits: Sequence[int]) -> None:
    """Those bits of every pixel are 0: overlays that are kept there.

    Raises:
        NoText: the pixels are compressed, so that nobody knows where that bit is.
    """
    import numpy as np  # late: heavy

    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        raise NoText("an overlay within bits of compressed pixels")
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    pixels = np.frombuffer(dataset.PixelData, f"{order}u{int(dataset.BitsAllocated) // 8}").copy()
    for bit in bits:
        pixels &= ~pixels.dtype.type(1 << bit)
    dataset.PixelData = pixels.tobytes()


def blank_frames(dataset: Any, boxes: Sequence[Box]) -> None:
    """Black boxes in every frame; compressed pixels are unpacked for it."""
    import numpy as np  # late: heavy

    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        dataset.decompress()
    pixels = np.array(dataset.pixel_array)
    frames = pixels if int(dataset.get("NumberOfFrames") or 1) > 1 else pixels[np.newaxis]
    black = frames.max() if str(dataset.PhotometricInterpretation) == "MONOCHROME1" else frames.min()
    for left, top, right, bottom in boxes:
        frames[:, max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2] = black
    if int(dataset.get("SamplesPerPixel") or 1) > 1 and int(dataset.get("PlanarConfiguration") or 0) == 1:
        frames = np.moveaxis(frames, -1, 1)
    content = np.ascontiguousarray(frames).tobytes()
    dataset.PixelData = content + b"\0" * (len(content) % 2)
