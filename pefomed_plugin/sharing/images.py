"""An image as it leaves: its own bytes where others can take them, else PNG as we decode it. Counted by the reason.

Names are made of the content, so that they tell nobody's name and the same image has the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Callable

from PIL import Image

from ..config.datasets import ImagePolicy
from ..digests import sha256_of
from ..records import Sample
from ..services.images.decoding import decode_image, open_encoded, read_header
from ..services.images.dicom import looks_like_dicom
from ..services.images.faults import UnusableImage
from ..services.images.sixteen_bits import has_sixteen_bits
from ..services.parallel import map_in_threads
from .format import Shared, ToShare

_ORIENTATION = 274
_HEAD_BYTES = 512
_SUFFIXES = {"JPEG": "jpg", "MPO": "jpg", "JPEG2000": "jp2", "PPM": "ppm", "TIFF": "tif"}
_PLAIN = ("JPEG", "MPO", "PNG", "GIF", "WEBP")
"""What models behind an API take."""
_PLAIN_MODES = ("1", "L", "P", "RGB", "YCbCr")
_KEPT = 16
"""Encoded images kept in memory: questions about one image mostly stand together."""
DICOM = "DICOM"


@dataclass(frozen=True)
class LeavingImage:
    """One image as it is passed on."""

    data: bytes
    name: str
    """16 hexadecimal digits of the SHA-256 of ``data``, with the format's ending."""
    converted: str = ""
    """Why it is PNG and not as it was; empty: byte for byte as it was."""
    remark: str = ""
    """What to know of it; empty mostly."""


Reason = Callable[[Image.Image], str]
"""Why an opened image of a format that Pillow reads cannot be passed on as it is; empty where it can."""


def as_it_is(image: Image.Image) -> str:
    """For data sets: whatever Pillow opens stays."""
    return ""


def unless_plain(image: Image.Image) -> str:
    """For tasks, which show an image to any model as ours is shown it: 8 bits, opaque, unturned, of a common format."""
    if image.format not in _PLAIN:
        return str(image.format)
    if has_sixteen_bits(image) or image.mode not in (*_PLAIN_MODES, "LA", "PA", "RGBA"):
        return "not 8 bits of grey or RGB"
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        return "transparent"
    if _is_turned(image):
        return "an EXIF orientation, which MiniGPT-v2 does not apply"
    return ""


def leaving_images(to_share: ToShare, samples: Iterable[Sample], reason: Reason) -> Iterator[list[LeavingImage]]:
    """For each sample, in order, its images as they are passed on; a few samples are under way at any time.

    Raises:
        UnusableImage: an image is missing, damaged, of no known format, or another one than was prepared.
    """

    @lru_cache(maxsize=_KEPT)
    def one(image: str) -> LeavingImage:
        return _leave(to_share, image, reason)

    yield from map_in_threads(lambda sample: list(map(one, sample.images)), samples, to_share.workers)


class Counted:
    """Counts each image once, however many samples show it."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.names: set[str] = set()

    def add(self, images: Iterable[LeavingImage]) -> None:
        """Take note of a sample's images."""
        for image in images:
            if image.name not in self.names:
                self.names.add(image.name)
                self.shared.converted.update([image.converted] if image.converted else [])
                self.shared.remarks.update([image.remark] if image.remark else [])


def _leave(to_share: ToShare, image: str, reason: Reason) -> LeavingImage:
    stream, where = open_encoded(to_share.image_root, image)
    with stream:
        data = stream.read()
    known = to_share.fingerprints.get(image)
    if known is not None and known.sha256 != sha256_of(BytesIO(data)):
        raise UnusableImage(where, "changed since it was prepared", "prepare the data set again")
    if looks_like_dicom(data[:_HEAD_BYTES]) or where.lower().endswith((".dcm", ".dicom")):
        return _as_png(data, where, to_share.policy, DICOM)
    header = read_header(BytesIO(data), where)
    frames = getattr(header, "n_frames", 1) if header.format != "MPO" else 1
    why = "one frame of several" if frames > 1 and to_share.policy.frame is not None else reason(header)
    if not why and known is not None and known.truncated:
        why = "cut short, filled up as the preparation allowed"
    if why:
        return _as_png(data, where, to_share.policy, why)
    remark = "carry an EXIF orientation: datasets turns them, MiniGPT-v2 does not" if _is_turned(header) else ""
    suffix = _SUFFIXES.get(str(header.format), str(header.format).lower())
    return LeavingImage(data, f"{_digest(data)}.{suffix}", remark=remark)


def _as_png(data: bytes, where: str, policy: ImagePolicy, why: str) -> LeavingImage:
    stream = BytesIO()
    decode_image(BytesIO(data), where, policy).save(stream, "PNG")
    return LeavingImage(stream.getvalue(), f"{_digest(stream.getvalue())}.png", why)


def _digest(data: bytes) -> str:
    return sha256_of(BytesIO(data))[:16]


def _is_turned(image: Image.Image) -> bool:
    return image.getexif().get(_ORIENTATION, 1) not in (0, 1)
