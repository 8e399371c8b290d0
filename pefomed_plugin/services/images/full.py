"""An image as its file has it, for a viewer: every pixel, and of grey images every bit, without what names a patient.

Metadata of the file (EXIF, texts of a PNG, DICOM's header) stay behind: only pixels, a window and their depth leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from ...config.datasets import ImagePolicy
from .decoding import DEFAULT_POLICY, decode_stored, is_dicom, open_encoded, rgb_of
from .dicom import read_dicom
from .grey_dicom import GreyValues, read_grey_values
from .jpeg import without_metadata
from .pixels import DEEP_MODES, is_white_zero

_MOST = 0xFFFF


@dataclass(frozen=True)
class Depth:
    """What the 16-bit pixels of a grey image stand for: value = slope * pixel + intercept."""

    slope: float
    intercept: float
    low: float
    """Where the window that it opens with begins, as a value; DICOM's own window, else the smallest."""
    high: float
    """Where it ends."""
    least: float
    """The smallest value."""
    most: float
    """The largest."""
    inverted: bool
    """Low values are bright."""


@dataclass(frozen=True)
class FullImage:
    """Pixels for a browser."""

    media: str
    """``image/png`` or ``image/jpeg``."""
    data: bytes
    """The encoded pixels: grey of 16 bits where there is a ``depth``."""
    bits: int
    """A channel, as they are shown."""
    depth: Depth | None = None
    note: str = ""
    """What is not shown of the file; empty where all of it is."""


def read_full_image(root: Path, image: str, policy: ImagePolicy = DEFAULT_POLICY) -> FullImage:
    """The whole image. A JPEG keeps its own bytes, less its metadata; all others become PNG, without loss.

    Raises:
        UnusableImage: as ``open_image``.
    """
    stream, where = open_encoded(root, image)
    with stream:
        if is_dicom(stream, where):
            found = read_grey_values(stream, where, policy.max_pixels, policy.frame)
            if found is not None:
                return _grey(found)
            stream.seek(0)
            shown = rgb_of(read_dicom(stream, where, policy.max_pixels, policy.frame), where, policy)
            return FullImage("image/png", _png(shown), 8, note="colour, 8 bits a channel")
        stored = decode_stored(stream, where, policy)
        if stored.mode.startswith(DEEP_MODES):
            return _grey(_deep_values(stored))
        shown = rgb_of(stored, where, policy)
        if stored.format == "JPEG" and stored.mode in ("L", "RGB") and not stored.info.get("truncated"):
            stream.seek(0)
            bare = without_metadata(stream.read())
            if bare is not None:
                return FullImage("image/jpeg", bare, 8)
        is_deep = bool(stored.info.get("deep_colour"))
        return FullImage("image/png", _png(shown), 8, note="of 16 bits a channel the upper 8" if is_deep else "")


def _deep_values(image: Image.Image) -> GreyValues:
    import numpy as np  # late: heavy

    values = np.asarray(image)
    bits = 16 if image.mode.startswith("I;16") or values.dtype.itemsize == 2 else 32
    if image.mode == "I" and values.min() >= 0 and values.max() <= _MOST:  # Pillow's mode for some PNG of 16 bits
        bits = 16
    return GreyValues(values.astype(np.float64), None, is_white_zero(image), bits, "")


def _grey(found: GreyValues) -> FullImage:
    """16-bit PNG; whole values of at most that range keep each of their levels."""
    import numpy as np  # late: heavy

    values = np.where(np.isfinite(found.values), found.values, np.nan)
    counted = values[np.isfinite(values) & ~found.hidden] if found.hidden is not None else values[np.isfinite(values)]
    least, most = (float(counted.min()), float(counted.max())) if counted.size else (0.0, 1.0)
    is_whole = bool((counted == np.rint(counted)).all()) and most - least <= _MOST
    slope = 1.0 if is_whole or most <= least else (most - least) / _MOST
    dark = most if found.is_inverted else least
    placed = np.where(np.isfinite(values), values, dark)
    if found.hidden is not None:
        placed = np.where(found.hidden, dark, placed)
    pixels = np.rint((np.clip(placed, least, most) - least) / slope).astype(np.uint16)
    low, high = found.window or (least, most)
    notes = [found.note, "" if is_whole else f"{found.bits} bits in 65,536 steps"]
    depth = Depth(
        slope, least, float(low), float(max(high, low + slope)), least, max(most, least + slope), found.is_inverted
    )
    return FullImage("image/png", _png(Image.fromarray(pixels)), found.bits, depth, "; ".join(filter(None, notes)))


def _png(image: Image.Image) -> bytes:
    if image.mode == "RGB" and _is_grey(image):
        image = image.getchannel("R")
    buffer = BytesIO()
    bare = Image.frombytes(image.mode, image.size, image.tobytes())  # no text, profile or date of the file goes along
    bare.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _is_grey(image: Image.Image) -> bool:
    import numpy as np  # late: heavy

    pixels: Any = np.asarray(image)
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all())
