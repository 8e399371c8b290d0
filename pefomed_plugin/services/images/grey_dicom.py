"""A grey DICOM image with all its bits, before any window; how it is meant to be seen is in ``dicom``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from .dicom import first_window, leave_out_empty_rescale, padding_of, read_frame, several, transformations

if TYPE_CHECKING:
    import numpy


@dataclass(frozen=True)
class GreyValues:
    """A grey image before any window."""

    values: numpy.ndarray
    """float64, (H, W): after the modality transformation, in Hounsfield units of a CT."""
    window: tuple[float, float] | None
    """First and last value of the file's first window; None where it has none."""
    is_inverted: bool
    """Low values are bright (MONOCHROME1)."""
    bits: int
    """Stored a pixel."""
    note: str
    """What of the file is not in it."""
    hidden: numpy.ndarray | None = None
    """Where there is padding."""


def read_grey_values(stream: BinaryIO, where: str, max_pixels: int, frame: int | None = None) -> GreyValues | None:
    """The values of a grey DICOM image with all their bits; None for one in colour.

    Raises:
        UnusableImage: as ``read_dicom``.
    """
    found: GreyValues | None = read_frame(stream, where, max_pixels, frame, _grey_values)
    return found


def _grey_values(pixels: numpy.ndarray, dataset: Any) -> GreyValues | None:
    import numpy as np  # late: heavy

    kind = str(dataset.PhotometricInterpretation)
    if not kind.startswith("MONOCHROME"):
        return None
    apply_modality_lut, _, _ = transformations()
    leave_out_empty_rescale(dataset)
    has_table, window = bool(dataset.get("VOILUTSequence")), first_window(dataset)
    ends = None
    if window is not None and not has_table:
        centre, width = (float(several(dataset.get(name))[window]) for name in ("WindowCenter", "WindowWidth"))
        half = (width - 1) / 2 if str(dataset.get("VOILUTFunction") or "LINEAR") == "LINEAR" else width / 2
        middle = centre - 0.5 if half != width / 2 else centre
        ends = (middle - half, middle + half)
    notes = ["without the table of the file's display"] if has_table else []
    notes += ["its sigmoid window as a straight one"] if str(dataset.get("VOILUTFunction") or "") == "SIGMOID" else []
    values = np.asarray(apply_modality_lut(pixels, dataset), np.float64)
    bits = int(dataset.get("BitsStored") or 16)
    return GreyValues(values, ends, kind == "MONOCHROME1", bits, "; ".join(notes), padding_of(pixels, dataset))
