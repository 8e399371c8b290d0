"""One image of a release, decoded as it really is: any common format and depth, DICOM, or a row of a parquet file.

Gives 8-bit RGB and nothing else: no resizing, no normalising, no torch.
"""

import struct
import threading
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Callable, Dict, Iterable, List, Optional, Tuple

from PIL import Image, ImageFile, UnidentifiedImageError

from ..errors import ImageError, one_line
from ..readers.layouts import inside
from .parallel import map_in_threads
from .parquet_images import read_embedded, split_address
from .pixels import Colour, to_rgb

Progress = Callable[[int], None]
"""Called with how many images are done so far."""

_FORMATS = ("JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP", "JPEG2000", "PPM")  # nothing that starts another program
_HEAD_BYTES = 512
_DAMAGE = (OSError, EOFError, SyntaxError, ValueError, IndexError, TypeError, struct.error, zlib.error,
           Image.DecompressionBombError)
"""What Pillow's decoders raise on damaged files."""
_PILLOW_SETTINGS = threading.RLock()
"""Pillow keeps its pixel limit and its leniency in module variables; who changes them holds this."""


@dataclass(frozen=True)
class ImagePolicy:
    """What to do where an image leaves a choice."""

    background: Colour = (255, 255, 255)
    """Red, green, blue, 0 to 255: what shows through transparent pixels."""
    allow_truncated: bool = False
    """Fill what is missing of a cut file with grey or black, and set ``image.info["truncated"]``."""
    max_pixels: int = 200_000_000
    """Larger images are refused before they are decoded; 200 million need 600 MB as RGB."""
    frame: Optional[int] = None
    """Which frame (from 0) of a file that holds several; without a choice such a file is an error."""


DEFAULT_POLICY = ImagePolicy()


def open_image(root: Path, image: str, *, policy: ImagePolicy = DEFAULT_POLICY) -> Image.Image:
    """The image in mode RGB, 8 bits.

    The EXIF orientation is not applied: MiniGPT-v2 does not apply it either, and released weights have seen the
    pixels as stored. How modes and depths are converted: ``pixels.to_rgb``; DICOM: ``dicom.read_dicom``.

    Args:
        root: image root of the release.
        image: ``Sample.image``: a path below ``root``, or ``file.parquet#17``.

    Raises:
        ImageError: outside ``root``, missing, damaged, not an image, too large, or several frames without a choice.
    """
    address = split_address(image)
    path = locate(root, image)
    if address is not None:
        return decode_image(BytesIO(read_embedded(path, address[1])), "{}#{}".format(path, address[1]), policy)
    try:
        with open(path, "rb") as stream:
            return decode_image(stream, str(path), policy)
    except FileNotFoundError as error:
        raise ImageError("{}: no such file; fetch it, or correct the image root".format(path)) from error
    except OSError as error:
        raise ImageError("{}: cannot be read ({})".format(path, error.strerror or one_line(error))) from error


def locate(root: Path, image: str) -> Path:
    """The file that holds ``image``, whether or not it exists.

    Raises:
        ImageError: it lies outside ``root``, directly or through a symbolic link.
    """
    address = split_address(image)
    path = inside(root, address[0] if address else image)
    if path is None:
        raise ImageError("image {!r} lies outside {}; correct the record, or replace the link by the file"
                         .format(image, root))
    return path


def decode_image(stream: BinaryIO, where: str, policy: ImagePolicy) -> Image.Image:
    """The image that ``stream`` (seekable) holds, in mode RGB; ``where`` names it in errors.

    Raises:
        ImageError: as ``open_image``.
    """
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    _refuse_impostors(head, where)
    if head[128:132] == b"DICM" or where.lower().endswith((".dcm", ".dicom")):
        from .dicom import read_dicom

        return to_rgb(read_dicom(stream, where, policy.max_pixels, policy.frame), policy.background)
    image = _decode_leniently(stream, where, policy) if policy.allow_truncated else _decode(stream, where, policy)
    try:
        rgb = to_rgb(image, policy.background)
    except ValueError as error:
        raise ImageError("{}: mode {} cannot become RGB ({}); convert the file"
                         .format(where, image.mode, one_line(error))) from error
    if image.info.get("truncated"):
        rgb.info["truncated"] = True
    return rgb


def check_images(root: Path, images: Iterable[str], policy: ImagePolicy = DEFAULT_POLICY, workers: int = 2,
                 progress: Optional[Progress] = None) -> Tuple[List[str], Dict[str, str]]:
    """Open every image once; which of them can be used, in the order given, and what is wrong with each other one.

    At most a few images a worker are in memory at any time, however many there are.

    Returns:
        the usable ``images``, and image -> message for the others.
    """
    ok: List[str] = []
    problems: Dict[str, str] = {}

    def problem_of(image: str) -> Tuple[str, Optional[str]]:
        try:
            open_image(root, image, policy=policy)
        except ImageError as error:
            return image, str(error)
        return image, None

    for done, (image, problem) in enumerate(map_in_threads(problem_of, dict.fromkeys(images), workers), 1):
        if problem is None:
            ok.append(image)
        else:
            problems[image] = problem
        if progress is not None:
            progress(done)
    return ok, problems


def _refuse_impostors(head: bytes, where: str) -> None:
    """Raise for what downloads leave in place of an image."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        raise ImageError("{}: empty file; fetch it again".format(where))
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise ImageError("{}: an HTML page, probably a download without credentials; fetch it again, logged in"
                         .format(where))
    if text.startswith(b"version https://git-lfs"):
        raise ImageError("{}: a Git LFS pointer in place of the image; run git lfs pull".format(where))


def _decode(stream: BinaryIO, where: str, policy: ImagePolicy) -> Image.Image:
    stream.seek(0)
    image = _read_header(stream, where)
    if image.width * image.height > policy.max_pixels:
        raise ImageError("{}: {} x {} pixels exceed the limit of {}; raise max_pixels, shrink it or leave it out"
                         .format(where, image.width, image.height, policy.max_pixels))
    try:
        _seek_frame(image, policy.frame, where)
        image.load()
    except _DAMAGE as error:
        raise ImageError("{}: truncated or damaged ({}); fetch it again, or use what is there with allow_truncated"
                         .format(where, one_line(error))) from error
    return image


def _decode_leniently(stream: BinaryIO, where: str, policy: ImagePolicy) -> Image.Image:
    """One thread at a time: Pillow's switch is a module variable, and a strict attempt must not see it."""
    with _PILLOW_SETTINGS:
        try:
            return _decode(stream, where, policy)
        except ImageError:
            saved, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
            try:
                image = _decode(stream, where, policy)
            finally:
                ImageFile.LOAD_TRUNCATED_IMAGES = saved
    image.info["truncated"] = True
    return image


def _read_header(stream: BinaryIO, where: str) -> Image.Image:
    with _PILLOW_SETTINGS:
        saved, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # the policy's limit takes its place
        try:
            return Image.open(stream, formats=_FORMATS)
        except UnidentifiedImageError as error:
            raise ImageError("{}: not an image in any of {}, or its header is damaged; fetch it again"
                             .format(where, ", ".join(_FORMATS))) from error
        except _DAMAGE as error:
            raise ImageError("{}: damaged header ({}); fetch it again".format(where, one_line(error))) from error
        finally:
            Image.MAX_IMAGE_PIXELS = saved


def _seek_frame(image: Image.Image, frame: Optional[int], where: str) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or image.format == "MPO":  # a JPEG with previews behind it
        return
    if frame is None:
        raise ImageError("{}: holds {} frames; choose one (frame: 0 to {})".format(where, frames, frames - 1))
    if not 0 <= frame < frames:
        raise ImageError("{}: no frame {}; it holds 0 to {}".format(where, frame, frames - 1))
    image.seek(frame)
