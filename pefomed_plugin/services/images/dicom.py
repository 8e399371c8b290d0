"""One frame of a DICOM file as it is meant to be seen, through pydicom (extra ``dicom``)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Callable

from PIL import Image

from ...errors import one_line
from ...requirements import Need
from .deep_colour import significant_byte
from .faults import UnusableImage, choose_frame, refuse_too_large
from .pixels import Piece, pieces_of, stretch_pieces

if TYPE_CHECKING:
    import numpy

PYDICOM = Need("pydicom", "DICOM files", "pydicom")
_DECODERS = (
    "if a decoder is missing, pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg, "
    "otherwise fetch the file again"
)
_DICOM_AT, _MAGIC = 128, b"DICM"
_MOST_BYTES_A_PIXEL = 4
_META_BYTES, _LENGTH_AT, _DEFLATED = 4096, 140, b"1.2.840.10008.1.2.1.99"
"""Of the group that says how a file is stored (PS3.10, 7.1): where its length stands, and one of its values."""
_MOST_INFLATED = 2**28
"""Pixels of a deflated file whose header alone is read."""
_BEYOND = 1e6
"""Farther out than any window of a stored value of 16 bits reaches."""


def looks_like_dicom(head: bytes) -> bool:
    """Whether a file's first bytes (132 or more) are those of DICOM, with its preamble or, as old ones, without.

    Without: the first element is one of group 2 or 8, with a short number, as no format of images begins.
    """
    if head[_DICOM_AT:].startswith(_MAGIC):
        return True
    return len(head) > 8 and head[:2] in (b"\x02\0", b"\x08\0") and head[3] == 0 and head[2] < 0x20


def read_dicom(stream: BinaryIO, where: str, max_pixels: int, frame: int | None = None) -> Image.Image:
    """The image in mode L or RGB (DICOM PS3.3, C.7.5.1.1.2, C.7.6.3, C.11.1, C.11.2).

    Stored values go through the modality transformation (rescale slope and intercept, or its table), then through
    the VOI table or, without one, the first window that has a width; with neither, the smallest value becomes black and
    the largest white. MONOCHROME1 is inverted, so that bone is bright in both. Padding is black and takes no part.

    Args:
        max_pixels: over all frames, because all are decoded.
        frame: index from 0, needed when the file holds several.

    Raises:
        UnusableImage: not DICOM, damaged, compressed in a way no installed decoder reads, several frames and no choice,
            or too many pixels.
    """
    return read_frame(stream, where, max_pixels, frame, _shown)


def read_frame(
    stream: BinaryIO, where: str, max_pixels: int, frame: int | None, make: Callable[[numpy.ndarray, Any], Any]
) -> Any:
    """What ``make`` makes of the stored values of the chosen frame and its header.

    Raises:
        UnusableImage: as ``read_dicom``.
    """
    dataset = _parsed(stream, where, max_pixels)
    try:
        frames = _check_size(dataset, where, max_pixels)
    except UnusableImage:
        raise
    except Exception as error:  # a number that is none
        raise UnusableImage(where, "a DICOM file with damaged sizes", "fetch it again", one_line(error)) from error
    chosen = choose_frame(frames, frame, where)
    try:
        pixels = dataset.pixel_array
        return make(pixels[chosen] if frames > 1 else pixels, dataset)
    except Exception as error:  # as above, and those of its decoders
        raise UnusableImage(where, "cannot decode the DICOM pixels", _DECODERS, one_line(error)) from error


def read_header(path: Path, keywords: Sequence[str]) -> Any:
    """Some elements of a DICOM file's header, as a pydicom dataset; its pixels are not read.

    Raises:
        UnusableImage: pydicom is missing, or it is no DICOM file, or a damaged one.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as stream:
        return _parsed(stream, str(path), _MOST_INFLATED, stop_before_pixels=True, specific_tags=list(keywords))


def read_whole(path: Path) -> Any:
    """A DICOM file with its pixels as stored, undecoded, as a pydicom dataset that says how it is stored.

    Raises:
        UnusableImage: pydicom is missing, or it is no DICOM file, or a damaged one.
        OSError: the file cannot be read.
    """
    with open(path, "rb") as stream:
        dataset = _parsed(stream, str(path), _MOST_INFLATED)
    _say_how_it_is_stored(dataset)
    return dataset


def _parsed(stream: BinaryIO, where: str, max_pixels: int, **options: Any) -> Any:
    """The pydicom dataset of a stream; one without preamble, as old files are, says how it is stored afterwards.

    Args:
        options: of ``pydicom.dcmread``.

    Raises:
        UnusableImage: pydicom is missing, or it is no DICOM file, a damaged one, or one that unpacks to too much.
    """
    try:
        import pydicom  # late: optional
    except ImportError as error:
        raise UnusableImage(where, *PYDICOM.message.split("; ", 1)) from error
    head = stream.read(_DICOM_AT + len(_MAGIC))
    stream.seek(0)
    if not looks_like_dicom(head):
        raise UnusableImage(where, "not a DICOM file", "fetch it again, or leave it out")
    is_bare = head[_DICOM_AT:] != _MAGIC
    try:
        _refuse_inflation(stream, where, max_pixels)
        dataset = pydicom.dcmread(stream, force=is_bare, **options)
        if is_bare:
            _say_how_it_is_stored(dataset)
        return dataset
    except UnusableImage:
        raise
    except Exception as error:  # pydicom raises a dozen types on damaged files
        raise UnusableImage(where, "a damaged DICOM file", "fetch it again", one_line(error)) from error


def _check_size(dataset: Any, where: str, max_pixels: int) -> int:
    """Number of frames, once the file is known to hold pixels and not too many."""
    rows, columns = dataset.get("Rows"), dataset.get("Columns")
    if "PixelData" not in dataset or not rows or not columns:
        raise UnusableImage(where, "a DICOM file without pixels", "fetch it again, or leave it out if it is a report")
    frames, samples = int(dataset.get("NumberOfFrames") or 1), int(dataset.get("SamplesPerPixel") or 1)
    if min(int(rows), int(columns), frames, samples) < 1:
        raise ValueError(f"{columns} x {rows} in {frames} frame(s) of {samples} channel(s)")
    refuse_too_large(where, int(columns), int(rows), max_pixels, frames * samples)
    return frames


def _refuse_inflation(stream: BinaryIO, where: str, max_pixels: int) -> None:
    """A deflated file is unpacked whole by pydicom; refuse one that holds more than its pixels could."""
    head = stream.read(_META_BYTES)
    start = _LENGTH_AT + 4 + int.from_bytes(head[_LENGTH_AT : _LENGTH_AT + 4], "little")
    stream.seek(start)
    unpacker, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    is_deflated = _DEFLATED in head[:start]
    while is_deflated and not unpacker.eof and size <= _MOST_BYTES_A_PIXEL * max_pixels:
        packed = unpacker.unconsumed_tail or stream.read(1 << 16)
        if not packed:
            break
        size += len(unpacker.decompress(packed, 1 << 20))
    stream.seek(0)
    if size > _MOST_BYTES_A_PIXEL * max_pixels:
        raise UnusableImage(where, "too many bytes once unpacked", "raise max_pixels, or leave it out")


def _say_how_it_is_stored(dataset: Any) -> None:
    """Give a file without meta information the transfer syntax it was read with; pixels cannot be taken without."""
    from pydicom.dataset import FileMetaDataset  # late: optional
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian  # late: optional

    if getattr(dataset, "file_meta", None) is None:
        dataset.file_meta = FileMetaDataset()
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, is_little_endian = dataset.original_encoding
        little = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = little if is_little_endian else ExplicitVRBigEndian


def _shown(pixels: numpy.ndarray, dataset: Any) -> Image.Image:
    import numpy as np  # late: heavy

    kind = str(dataset.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        _, apply_color_lut, _ = transformations()
        return Image.fromarray(_eight_bits(apply_color_lut(pixels, dataset)))
    if not kind.startswith("MONOCHROME"):
        if kind.startswith("YBR") and not _converts_colours():
            raise NotImplementedError(f"photometric interpretation {kind} needs pydicom 3")
        return Image.fromarray(_eight_bits(pixels, int(dataset.get("BitsStored") or 16)))
    padding = padding_of(pixels, dataset)
    values = _windowed(pixels, dataset, ~padding)
    shown = np.uint8(255) - values if kind == "MONOCHROME1" else values
    return Image.fromarray(np.where(padding, np.uint8(0), shown))


def _eight_bits(pixels: numpy.ndarray, bits: int = 16) -> numpy.ndarray:
    """Colour channels of up to 16 bits -> the upper 8 of those in use; those of 8 bits are left alone."""
    import numpy as np  # late: heavy

    return pixels if pixels.dtype == np.uint8 else significant_byte(pixels, pixels, bits)


def padding_of(pixels: numpy.ndarray, dataset: Any) -> numpy.ndarray:
    """Where the stored values are padding, in the shape of ``pixels``; nowhere, if everything would be."""
    import numpy as np  # late: heavy

    first = dataset.get("PixelPaddingValue")
    if first is None:
        return np.zeros(pixels.shape, bool)
    last = dataset.get("PixelPaddingRangeLimit")
    ends = [_as_stored(value, pixels.dtype) for value in (first, first if last is None else last)]
    found = (pixels >= min(ends)) & (pixels <= max(ends))
    return np.zeros(pixels.shape, bool) if found.all() else found


def _as_stored(value: Any, dtype: numpy.dtype) -> int:
    """A value whose sign was written as if there were none, or the other way, in the range of the pixels' type."""
    bits = 8 * dtype.itemsize
    number = int(value) % (1 << bits)
    return number - (1 << bits) if dtype.kind == "i" and number >> (bits - 1) else number


def _windowed(pixels: numpy.ndarray, dataset: Any, counted: numpy.ndarray) -> numpy.ndarray:
    """uint8 after modality transformation and VOI; two values beyond any window show the ends of its output."""
    import numpy as np  # late: heavy

    apply_modality_lut, _, apply_voi_lut = transformations()
    leave_out_empty_rescale(dataset)
    has_table = bool(dataset.get("VOILUTSequence"))
    window = 0 if has_table else first_window(dataset)
    flat = pixels.reshape(-1)

    def parts() -> Iterator[Piece]:
        for place in pieces_of(flat.size):
            part = np.asarray(apply_modality_lut(flat[place], dataset), np.float64)
            yield place, part, counted.reshape(-1)[place]

    if window is None:
        return stretch_pieces(parts, flat.size).reshape(pixels.shape)
    ends = [end for _, part, _ in parts() for end in (part.min(), part.max())]
    beyond = [min(ends) - _BEYOND, max(ends) + _BEYOND]
    shown = np.empty(flat.size, np.uint8)
    for place, part, _ in parts():
        values = np.append(part, beyond)
        with np.errstate(over="ignore"):  # the sigmoid of those two
            seen = np.asarray(
                apply_voi_lut(np.rint(values).astype(np.int64) if has_table else values, dataset, window), np.float64
            )
        lowest, highest = sorted(seen[-2:])
        scaled = (seen[:-2] - lowest) / (highest - lowest or 1.0)
        shown[place] = np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return shown.reshape(pixels.shape)


def leave_out_empty_rescale(dataset: Any) -> None:
    """A rescale that says nothing is taken out of the header."""
    if not dataset.get("RescaleSlope") or dataset.get("RescaleIntercept") is None:  # 0 or empty: says nothing
        for name in ("RescaleSlope", "RescaleIntercept"):
            if name in dataset:
                delattr(dataset, name)


def first_window(dataset: Any) -> int | None:
    """Index of the first window that has a width (PS3.3, C.11.2.1.2 and C.11.2.1.3); None where there is none."""
    centres, widths = (several(dataset.get(name)) for name in ("WindowCenter", "WindowWidth"))
    is_linear = str(dataset.get("VOILUTFunction") or "LINEAR") == "LINEAR"
    for number, (centre, width) in enumerate(zip(centres, widths)):
        if centre is not None and width is not None and (width >= 1 if is_linear else width > 0):
            return number
    return None


def several(value: Any) -> list[Any]:
    """The values of an element that may have none, one or many."""
    from pydicom.multival import MultiValue  # late: optional

    return [] if value is None else list(value) if isinstance(value, (MultiValue, list)) else [value]


def transformations() -> tuple[Any, Any, Any]:
    """pydicom's modality, palette and VOI functions, which moved in version 3."""
    try:
        from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut  # late: optional
    except ImportError:
        from pydicom.pixel_data_handlers.util import (  # type: ignore[no-redef]
            apply_color_lut,
            apply_modality_lut,
            apply_voi_lut,
        )
    return apply_modality_lut, apply_color_lut, apply_voi_lut


def _converts_colours() -> bool:
    import pydicom  # late: optional

    return int(pydicom.__version__.split(".")[0]) >= 3
