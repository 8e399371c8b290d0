"""One image of a release, decoded as it really is: any common format and depth, DICOM; from a file, parquet or tar.

Gives 8-bit RGB and nothing else: no resizing, no normalising, no torch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError

from ...config.datasets import ImagePolicy
from ...errors import DataError, one_line
from ...input_files import refuse_special
from ...readers.image_tree import inside
from ..console import Advance
from ..parallel import map_in_threads
from .deep_colour import read_deep_colour
from .dicom import looks_like_dicom, read_dicom
from .faults import UnusableImage, choose_frame, refuse_too_large
from .impostors import refuse_impostors, refuse_unknown_tiff
from .nifti import read_slice, split_nifti_address
from .parquet_images import read_embedded, split_address
from .pixels import to_rgb
from .sixteen_bits import has_sixteen_bits
from .tar_images import read_member, split_tar_address

DECODING = 3
"""Changes whenever the same file could get other pixels; part of the keys of caches."""
_FORMATS = ("JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP", "JPEG2000", "PPM")  # nothing that starts another program
_HEAD_BYTES = 512
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
"""What the pixels do not need; colour profiles are not applied."""
_PILLOW_SETTINGS = threading.RLock()
"""Pillow keeps its pixel limit and its leniency in module variables; who changes them holds this."""


DEFAULT_POLICY = ImagePolicy()


def open_image(root: Path, image: str, *, policy: ImagePolicy = DEFAULT_POLICY) -> Image.Image:
    """The image in mode RGB, 8 bits.

    The EXIF orientation is not applied: MiniGPT-v2 does not apply it either, and released weights have seen the
    pixels as stored. How modes and depths are converted: ``pixels.to_rgb``; DICOM: ``dicom.read_dicom``.

    Args:
        root: image root of the release.
        image: one of ``Sample.images``: a path below ``root``, ``file.parquet#17``, ``file.tar#17.jpg`` or
            ``file.nii.gz#axial:middle``.

    Raises:
        UnusableImage: outside ``root``, missing, damaged, not an image, too large, or several frames without a choice.
    """
    stream, where = open_encoded(root, image)
    with stream:
        return decode_image(stream, where, policy)


def open_encoded(root: Path, image: str) -> tuple[BinaryIO, str]:
    """The image as it is stored, undecoded, and the words that name it in errors.

    Raises:
        UnusableImage: outside ``root``, missing or unreadable.
    """
    address, tar_address, slice_address = split_address(image), split_tar_address(image), split_nifti_address(image)
    path = locate(root, image)
    if address is not None:
        return BytesIO(read_embedded(path, *address[1:])), f"{path}#{image.rpartition('#')[2]}"
    if slice_address is not None:
        return BytesIO(read_slice(path, slice_address[1])), f"{path}#{slice_address[1]}"
    if tar_address is not None:
        return BytesIO(read_member(path, tar_address[1])), f"{path}#{tar_address[1]}"
    try:
        refuse_special(path)
        return open(path, "rb"), str(path)
    except DataError as error:
        raise UnusableImage(str(path), "not a file", "put the file itself there") from error
    except FileNotFoundError as error:
        raise UnusableImage(str(path), "no such file", "fetch it, or correct the image root") from error
    except OSError as error:
        raise UnusableImage(str(path), "cannot be read", "see to what the system says", str(error.strerror)) from error


def file_of(image: str) -> str:
    """The path of the file that holds ``image``: without the row, member or slice of an address."""
    if "#" not in image:
        return image
    address = split_address(image) or split_tar_address(image) or split_nifti_address(image)
    return address[0] if address else image


def locate(root: Path, image: str) -> Path:
    """The file that holds ``image``, whether or not it exists.

    Raises:
        UnusableImage: it lies outside ``root``, directly or through a symbolic link.
    """
    path = inside(root, file_of(image))
    if path is None:
        raise UnusableImage(
            repr(image),
            "lies outside the image root",
            "correct the record, or put the file there in place of the link",
            str(root),
        )
    return path


def decode_image(stream: BinaryIO, where: str, policy: ImagePolicy) -> Image.Image:
    """The image that ``stream`` (seekable) holds, in mode RGB; ``where`` names it in errors.

    Raises:
        UnusableImage: as ``open_image``.
    """
    if is_dicom(stream, where):
        return to_rgb(read_dicom(stream, where, policy.max_pixels, policy.frame), policy.background)
    return rgb_of(decode_stored(stream, where, policy), where, policy)


def is_dicom(stream: BinaryIO, where: str) -> bool:
    """Whether a stream, which is put back to its start, holds DICOM rather than a common format.

    Raises:
        UnusableImage: it is something else that calls itself an image.
    """
    head = stream.read(_HEAD_BYTES)
    stream.seek(0)
    refuse_impostors(head, where)
    return looks_like_dicom(head) or where.lower().endswith((".dcm", ".dicom"))


def decode_stored(stream: BinaryIO, where: str, policy: ImagePolicy) -> Image.Image:
    """An image of a common format in the mode that its file has.

    Raises:
        UnusableImage: as ``open_image``.
    """
    return _decode_leniently(stream, where, policy) if policy.allow_truncated else _decode(stream, where, policy)


def rgb_of(image: Image.Image, where: str, policy: ImagePolicy) -> Image.Image:
    """A decoded image in mode RGB.

    Raises:
        UnusableImage: there is no way from its mode.
    """
    try:
        rgb = to_rgb(image, policy.background)
    except ValueError as error:
        raise UnusableImage(
            where, f"mode {image.mode} cannot become RGB", "convert the file", one_line(error)
        ) from error
    if image.info.get("truncated"):
        rgb.info["truncated"] = True
    return rgb


def check_images(
    root: Path,
    images: Iterable[str],
    policy: ImagePolicy = DEFAULT_POLICY,
    workers: int = 2,
    progress: Advance | None = None,
) -> tuple[list[str], dict[str, str]]:
    """Open every image once; which of them can be used, in the order given, and what is wrong with each other one.

    At most a few images a worker are in memory at any time, however many there are. ``progress`` is called with 1 for
    each image done.

    Returns:
        the usable ``images``, and image -> message for the others.
    """
    ok: list[str] = []
    problems: dict[str, str] = {}

    def problem_of(image: str) -> tuple[str, str | None]:
        try:
            open_image(root, image, policy=policy)
        except UnusableImage as error:
            return image, str(error)
        return image, None

    for image, problem in map_in_threads(problem_of, dict.fromkeys(images), workers):
        if problem is None:
            ok.append(image)
        else:
            problems[image] = problem
        if progress is not None:
            progress(1)
    return ok, problems


def _decode(stream: BinaryIO, where: str, policy: ImagePolicy) -> Image.Image:
    try:
        return _decode_as_it_is(stream, where, policy)
    except UnusableImage:
        bare = _without_texts(stream)
        if bare is None:
            raise
    return _decode_as_it_is(bare, where, policy)


def _decode_as_it_is(stream: BinaryIO, where: str, policy: ImagePolicy) -> Image.Image:
    try:
        image = _open_frame(stream, where, policy)
        if has_sixteen_bits(image):
            shown = read_deep_colour(image, lambda: _open_frame(stream, where, policy), where)
            shown.info["deep_colour"] = True
            return shown
        image.load()
    except UnusableImage:
        raise
    except Exception as error:  # Pillow's decoders raise two dozen types on damaged files
        raise UnusableImage(
            where, "truncated or damaged", "fetch it again, or use what is there with allow_truncated", one_line(error)
        ) from error
    return image


def _open_frame(stream: BinaryIO, where: str, policy: ImagePolicy) -> Image.Image:
    """The chosen frame, its pixels not yet loaded."""
    stream.seek(0)
    image = read_header(stream, where)
    refuse_too_large(where, image.width, image.height, policy.max_pixels, _weight(image))
    if image.format != "MPO":  # a JPEG with previews behind it
        image.seek(choose_frame(getattr(image, "n_frames", 1), policy.frame, where))
    return image


def _weight(image: Image.Image) -> int:
    """As how many pixels one counts: those of 16-bit channels are read twice and held as such."""
    if not has_sixteen_bits(image):
        return 1
    return 16 if any(tile[0] == "ppm_plain" for tile in image.tile) else 4  # type: ignore[attr-defined]


def _decode_leniently(stream: BinaryIO, where: str, policy: ImagePolicy) -> Image.Image:
    """One thread at a time: Pillow's switch is a module variable, and a strict attempt must not see it."""
    with _PILLOW_SETTINGS:
        try:
            return _decode(stream, where, policy)
        except UnusableImage:
            saved, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
            try:
                image = _decode(stream, where, policy)
            finally:
                ImageFile.LOAD_TRUNCATED_IMAGES = saved
    image.info["truncated"] = True
    return image


def _without_texts(stream: BinaryIO) -> BytesIO | None:
    """The PNG without its texts and colour profiles, which Pillow refuses to unpack beyond a limit, pixels and all.

    None where it is no PNG or holds none of them.
    """
    stream.seek(0)
    data = stream.read()
    if not data.startswith(_PNG_SIGNATURE):
        return None
    kept, at = [_PNG_SIGNATURE], len(_PNG_SIGNATURE)
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big") + 12  # its size, name and checksum
        if data[at + 4 : at + 8] not in _PNG_TEXTS:
            kept.append(data[at : at + length])
        at += length
    bare = b"".join(kept)
    return BytesIO(bare) if len(bare) < len(data) else None


def read_header(stream: BinaryIO, where: str) -> Image.Image:
    """The image that ``stream`` holds, its pixels not loaded; one of the formats that are read, DICOM aside.

    Raises:
        UnusableImage: it is no such image.
    """
    with _PILLOW_SETTINGS:
        saved, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # the policy's limit takes its place
        try:
            return Image.open(stream, formats=_FORMATS)
        except UnidentifiedImageError as error:
            refuse_unknown_tiff(stream, where)
            raise UnusableImage(where, "not an image, or its header is damaged", "fetch it again") from error
        except Exception as error:  # as above
            raise UnusableImage(
                where, "not an image, or its header is damaged", "fetch it again", one_line(error)
            ) from error
        finally:
            Image.MAX_IMAGE_PIXELS = saved
