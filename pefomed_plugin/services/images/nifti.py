"""One slice of a NIfTI volume, by the user's explicit choice, through nibabel (extra ``nifti``).

A sample names it ``scan.nii.gz#axial:middle``. The slice is shown as radiologists see it: the patient's right on the
left, front or head up.
"""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import one_line
from ...requirements import Need
from .faults import UnusableImage

if TYPE_CHECKING:
    import numpy

NIBABEL = Need("nibabel", "NIfTI volumes", "nibabel")
PLANES = {"sagittal": 0, "coronal": 1, "axial": 2}
"""Plane -> the axis across it, of a volume turned to right, anterior, superior."""
CHOICES = "--nifti-slice axial:middle (axial, coronal or sagittal; middle, a number from 0, or a share as 40%)"
_MOST_BYTES = 2**31
"""Of a volume: a slice across its first axis is read through all of it."""
_CHOICE = re.compile(r"(axial|coronal|sagittal):(middle|\d{1,5}|\d{1,3}%)")
_ADDRESS = re.compile(r"(?P<file>.+\.nii(?:\.gz)?)#(?P<slice>(?:axial|coronal|sagittal):[\w%]+)", re.IGNORECASE)


def is_nifti(path: str) -> bool:
    """Whether a name is that of a NIfTI volume."""
    return path.lower().endswith((".nii", ".nii.gz"))


def is_choice(text: str) -> bool:
    """Whether a text chooses a slice: ``axial:middle``, ``coronal:40%``, ``sagittal:12``."""
    match = _CHOICE.fullmatch(text)
    return match is not None and (not text.endswith("%") or int(match[2][:-1]) <= 100)


def with_slice(path: str, choice: str) -> str:
    """How a sample names the slice of a volume."""
    return f"{path}#{choice}"


def split_nifti_address(image: str) -> tuple[str, str] | None:
    """``scan.nii.gz#axial:middle`` -> file and choice; None for anything else."""
    match = _ADDRESS.fullmatch(image)
    return (match["file"], match["slice"]) if match else None


def read_slice(path: Path, choice: str) -> bytes:
    """The slice as a grey PNG of 8 bits: its smallest value black, its largest white; what is no number is black.

    Raises:
        UnusableImage: nibabel is missing, no such file, damaged, no volume of three axes, or no such slice.
    """
    where = f"{path}#{choice}"
    try:
        import nibabel  # noqa: F401  # late: optional
    except ImportError as error:
        raise UnusableImage(where, *NIBABEL.message.split("; ", 1)) from error
    import numpy as np  # late: heavy
    from PIL import Image  # late: heavy

    if not path.is_file():
        raise UnusableImage(where, "no such file", "fetch it, or correct the image root")
    if not is_choice(choice):
        raise UnusableImage(where, "no slice of a volume", CHOICES)
    try:
        values = _turned_slice(path, choice, where)
    except UnusableImage:
        raise
    except Exception as error:  # nibabel raises a dozen types on damaged files
        raise UnusableImage(where, "cannot read NIfTI", "fetch the file again", one_line(error)) from error
    finite = np.isfinite(values)
    low, high = (values[finite].min(), values[finite].max()) if finite.any() else (0.0, 0.0)
    grey = np.where(finite, (np.where(finite, values, low) - low) / ((high - low) or 1.0), 0.0)
    encoded = BytesIO()
    Image.fromarray(np.rint(255 * grey).astype(np.uint8)).save(encoded, "PNG")
    return encoded.getvalue()


def _turned_slice(path: Path, choice: str, where: str) -> numpy.ndarray:
    """Values of the slice, float64, (H, W): the patient's right on the left, front or head up.

    Raises:
        UnusableImage: no volume of three axes, too large a one, or no such slice; nibabel's own on a damaged file.
    """
    import nibabel  # late: optional
    import numpy as np  # late: heavy
    from nibabel.orientations import aff2axcodes  # late: optional

    volume: Any = nibabel.load(path)
    shape = tuple(int(size) for size in volume.shape)
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise UnusableImage(where, "no volume of three axes", "split it into volumes", f"shape {volume.shape}")
    codes = aff2axcodes(volume.affine)
    plane, place = choice.split(":")
    letters = (("R", "L"), ("A", "P"), ("S", "I"))
    order = [next(axis for axis, code in enumerate(codes) if code in pair) for pair in letters]
    across = order[PLANES[plane]]
    number = _number(place, shape[across], codes[across] == letters[PLANES[plane]][1], where)
    if int(np.prod(shape, dtype=np.float64)) * volume.get_data_dtype().itemsize > _MOST_BYTES:
        raise UnusableImage(where, "too large a volume", "cut it", f"more than {_MOST_BYTES // 2**30} GiB")
    index = tuple(number if axis == across else slice(None) for axis in range(3)) + (0,) * (volume.ndim - 3)
    values = np.asarray(volume.dataobj[index], np.float64)
    rest = [axis for axis in range(3) if axis != across]
    columns, rows = [axis for axis in order if axis != across]
    if rest.index(columns) == 0:
        values = values.T
    # Columns run from the patient's right to the left (or from front to back), rows from front or head down.
    if codes[columns] in ("R", "A"):
        values = values[:, ::-1]
    return values[::-1] if codes[rows] in ("A", "S") else values


def _number(place: str, count: int, is_turned: bool, where: str) -> int:
    """Index of the slice as stored, of a place counted from right, back or feet."""
    wanted = count // 2 if place == "middle" else int(place.rstrip("%"))
    if place.endswith("%"):
        wanted = min(count - 1, count * wanted // 100)
    if wanted >= count:
        raise UnusableImage(where, "no such slice", "choose another", f"{wanted}, it has 0 to {count - 1}")
    return count - 1 - wanted if is_turned else wanted
