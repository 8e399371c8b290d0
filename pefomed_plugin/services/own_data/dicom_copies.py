"""Copies of DICOM films that say nothing of the patient: the pixels as they were, and what is needed to show them.

What is kept is listed; everything else, known or not, is dropped (a list of what to drop would miss what is not on it).
What is burnt into the pixels stays: no header tells it for certain.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from ...atomic import replacing
from ...errors import DataError, one_line, why
from ..images.dicom import read_whole
from ..images.faults import UnusableImage

_KEPT = (
    "SOPClassUID Modality ViewPosition ImageLaterality Laterality BodyPartExamined PatientOrientation "
    "BurnedInAnnotation "
    "SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns PixelAspectRatio "
    "PixelSpacing ImagerPixelSpacing BitsAllocated BitsStored HighBit PixelRepresentation PixelPaddingValue "
    "PixelPaddingRangeLimit WindowCenter WindowWidth VOILUTFunction RescaleIntercept RescaleSlope RescaleType "
    "PresentationLUTShape LossyImageCompression RedPaletteColorLookupTableDescriptor "
    "GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData "
    "GreenPaletteColorLookupTableData BluePaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData "
    "SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData PixelData"
)
KEPT = tuple(_KEPT.split())
"""Elements of a copy, by PS3.6's keywords; beside them the two tables below, and what says that identity was
removed."""
_TABLES = ("ModalityLUTSequence", "VOILUTSequence")
_OF_TABLES = ("LUTDescriptor", "ModalityLUTType", "LUTData")
_METHOD = "pefomed: listed elements kept, all others removed"
_UID_ROOT = "2.25."
"""Of UIDs that are a number anyone may make (PS3.5, B.2)."""


def copy_film(file: Path, copy: Path, name: str) -> bool:
    """Write the film without who the patient is; whether it had to be written anew.

    Args:
        name: the film's pseudonym, which its new UID is made from.

    Raises:
        DataError: the file cannot be read, or the copy cannot be written.
    """
    status = file.stat()
    if copy.is_file() and copy.stat().st_mtime_ns == status.st_mtime_ns:
        return False
    try:
        whole = read_whole(file)
    except UnusableImage as error:
        raise DataError(str(error)) from error
    except OSError as error:
        raise DataError(f"cannot read {file}: {why(error)}") from error
    try:
        film = _without_patient(whole, name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with replacing(copy) as written:
            film.save_as(written, enforce_file_format=True)
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    except OSError as error:
        raise DataError(f"cannot write {copy}: {why(error)}") from error
    except Exception as error:  # pydicom raises a dozen types on values that are none
        raise DataError(f"{file}: cannot be written as DICOM ({one_line(error)}); take it out of the folder") from error
    return True


def _without_patient(film: Any, name: str) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset  # late: optional

    kept = Dataset()
    for keyword in KEPT:
        if keyword in film:
            kept[keyword] = film[keyword]
    for keyword in _TABLES:
        if film.get(keyword):
            tables = []
            for item in film[keyword].value:
                table = Dataset()
                for part in _OF_TABLES:
                    if part in item:
                        table[part] = item[part]
                tables.append(table)
            setattr(kept, keyword, tables)
    kept.SOPInstanceUID = _UID_ROOT + str(int(hashlib.sha256(name.encode()).hexdigest()[:30], 16))
    kept.PatientIdentityRemoved = "YES"
    kept.DeidentificationMethod = _METHOD
    kept.file_meta = FileMetaDataset()
    kept.file_meta.TransferSyntaxUID = film.file_meta.TransferSyntaxUID
    kept.file_meta.MediaStorageSOPClassUID = film.get("SOPClassUID", "")
    kept.file_meta.MediaStorageSOPInstanceUID = kept.SOPInstanceUID
    return kept
