"""Own files in miniature, all invented: tables beside drawn images, trees of DICOM files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.services.images.dicom import looks_like_dicom
from pefomed_plugin.services.own_data.own_tables import read_tables
from pefomed_plugin.services.own_data.splitting import read_shares
from pefomed_plugin.services.own_data.wishes import Wishes
from tests.unit.services.small import small_image


def run(command: str) -> int:
    """Exit code of ``pefomed`` with these words."""
    return main(command.split())


def write_images(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        small_image(number, 24).save(folder / name)
    return folder


def write_table(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_bytes("".join(line + "\r\n" for line in lines).encode(encoding))
    return path


def write_book(path: Path, *rows: Any, formats: Any = (), others: Any = ()) -> Path:
    """An XLSX file; ``formats``: cell -> number format, ``others``: names of further sheets with something in them."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Befunde"
    for row in rows:
        sheet.append(row)
    for cell, number_format in dict(formats).items():
        sheet[cell].number_format = number_format
    for name in others:
        book.create_sheet(name).append(["something"])
    book.save(path)
    return path


def write_film(path: Path, seed: int, *, study: str, patient: str = "PAT^4711", **tags: Any) -> Path:
    """A grey DICOM film; tags by their keywords, of which None deletes one."""
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

    film = pydicom.Dataset()
    pixels = small_image(seed, 24).convert("L")
    content: dict[str, Any] = {
        "SOPClassUID": DigitalXRayImageStorageForPresentation,
        "SOPInstanceUID": generate_uid(entropy_srcs=[f"{path.name} {seed}"]),
        "StudyInstanceUID": study,
        "SeriesInstanceUID": f"{study}.1",
        "PatientID": patient,
        "PatientName": "Muster^Erika",
        "AccessionNumber": "A" + study[-1],
        "Modality": "DX",
        "Rows": 24,
        "Columns": 24,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        **tags,
    }
    for name, value in content.items():
        if value is not None:
            setattr(film, name, value)
    if content.get("Rows"):
        film.PixelData = pixels.tobytes() * int(content.get("NumberOfFrames") or 1)
    film.file_meta = FileMetaDataset()
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    film.file_meta.MediaStorageSOPClassUID = content["SOPClassUID"]
    film.file_meta.MediaStorageSOPInstanceUID = content["SOPInstanceUID"]
    path.parent.mkdir(parents=True, exist_ok=True)
    film.save_as(path, enforce_file_format=True)
    assert looks_like_dicom(path.read_bytes()[:132])
    return path


def lines(patients: int, each: int = 2) -> list[str]:
    """Reports of patients that have several images each."""
    return [
        f"bild_{patient}_{film}.png;{patient:04d};Herz groß, Nummer {patient}_{film}."
        for patient in range(patients)
        for film in range(each)
    ]


def write_hospital(tmp_path: Path, patients: int = 10) -> Path:
    write_images(tmp_path / "bilder", *(line.partition(";")[0] for line in lines(patients)))
    return write_table(tmp_path / "befunde.csv", "Dateiname;PatID;Befund", *lines(patients), encoding="latin-1")


def wishes(**fields: Any) -> Wishes:
    return Wishes(**{"image_root": Path("bilder"), "shares": read_shares("80/10/10"), **fields})


def problems(source: Path, **fields: Any) -> tuple[str, ...]:
    with pytest.raises((DataError, ConfigError)) as caught:
        read_tables(source, wishes(**fields))
    return caught.value.problems or (str(caught.value),)
