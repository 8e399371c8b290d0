"""One frame of a DICOM file as it is meant to be seen, through pydicom (extra ``dicom``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image

from ...errors import one_line
from .faults import UnusableImage, choose_frame
from .pixels import stretch

if TYPE_CHECKING:
    import numpy

_DECODERS = (
    "if a decoder is missing, pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg, "
    "otherwise fetch the file again"
)
_BEYOND = 1e6
"""Farther out than any window of a stored value of 16 bits reaches."""


def read_dicom(stream: BinaryIO, where: str, max_pixels: int, frame: int | None = None) -> Image.Image:
    """The image in mode L or RGB (DICOM PS3.3, C.7.6.3, C.11.1, C.11.2).

    Stored values go through the modality transformation (rescale slope and intercept, or its table), then through
    the VOI table or, without one, the first window; with neither, the smallest value becomes black and the largest
    white. MONOCHROME1 is inverted, so that bone is bright in both.

    Args:
        max_pixels: over all frames, because all are decoded.
        frame: index from 0, needed when the file holds several.

    Raises:
        UnusableImage: not DICOM, damaged, compressed in a way no installed decoder reads, several frames and no choice,
            or too many pixels.
    """
    try:
        import pydicom  # late: optional
        from pydicom.errors import InvalidDicomError  # late: optional
    except ImportError as error:
        raise UnusableImage(where, "DICOM needs pydicom", "pip install 'pefomed_plugin[dicom]'") from error
    try:
        dataset = pydicom.dcmread(stream)
    except (InvalidDicomError, EOFError, OSError, ValueError, KeyError) as error:
        raise UnusableImage(where, "not a DICOM file", "fetch it again", one_line(error)) from error
    frames = _check_size(dataset, where, max_pixels)
    chosen = choose_frame(frames, frame, where)
    try:
        pixels = dataset.pixel_array
        return _shown(pixels[chosen] if frames > 1 else pixels, dataset)
    except (AttributeError, ValueError, RuntimeError, NotImplementedError, KeyError, TypeError, OSError) as error:
        raise UnusableImage(where, "cannot decode the DICOM pixels", _DECODERS, one_line(error)) from error


def _check_size(dataset: Any, where: str, max_pixels: int) -> int:
    """Number of frames, once the file is known to hold pixels and not too many."""
    rows, columns = dataset.get("Rows"), dataset.get("Columns")
    if "PixelData" not in dataset or not rows or not columns:
        raise UnusableImage(where, "a DICOM file without pixels", "fetch it again, or leave it out if it is a report")
    frames = int(dataset.get("NumberOfFrames") or 1)
    if rows * columns * frames > max_pixels:
        raise UnusableImage(
            where,
            "too many pixels",
            "raise max_pixels or leave it out",
            f"{columns} x {rows} in {frames} frame(s), limit {max_pixels}",
        )
    return frames


def _shown(pixels: numpy.ndarray, dataset: Any) -> Image.Image:
    import numpy as np  # late: heavy

    kind = str(dataset.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        _, apply_color_lut, _ = _transformations()
        return Image.fromarray(_eight_bits(apply_color_lut(pixels, dataset)))
    if not kind.startswith("MONOCHROME"):
        if kind.startswith("YBR") and not _converts_colours():
            raise NotImplementedError(f"photometric interpretation {kind} needs pydicom 3")
        return Image.fromarray(_eight_bits(pixels))
    values = _windowed(pixels, dataset)
    return Image.fromarray(np.uint8(255) - values if kind == "MONOCHROME1" else values)


def _eight_bits(pixels: numpy.ndarray) -> numpy.ndarray:
    """Colour channels of 16 bits -> their upper 8; those of 8 bits are left alone."""
    import numpy as np  # late: heavy

    return pixels if pixels.dtype == np.uint8 else (pixels.astype(np.uint16) >> 8).astype(np.uint8)


def _windowed(pixels: numpy.ndarray, dataset: Any) -> numpy.ndarray:
    """uint8 after modality transformation and VOI; two values beyond any window show the ends of its output."""
    import numpy as np  # late: heavy

    apply_modality_lut, _, apply_voi_lut = _transformations()
    values = np.asarray(apply_modality_lut(pixels, dataset), np.float64)
    has_table = bool(dataset.get("VOILUTSequence"))
    if not has_table and (dataset.get("WindowCenter") is None or dataset.get("WindowWidth") is None):
        return stretch(values)
    flat = np.append(values, [values.min() - _BEYOND, values.max() + _BEYOND])
    with np.errstate(over="ignore"):  # the sigmoid of those two
        shown = np.asarray(apply_voi_lut(np.rint(flat).astype(np.int64) if has_table else flat, dataset), np.float64)
    lowest, highest = sorted(shown[-2:])
    scaled = (shown[:-2].reshape(values.shape) - lowest) / (highest - lowest or 1.0)
    return np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8)


def _transformations() -> tuple[Any, Any, Any]:
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
