"""A folder of DICOM files as a PACS exports it, under any names: patient, study, series and view by their headers.

Patients, studies and images get pseudonyms here, before anything is kept: nothing that this module gives holds a
``PatientID``, an accession number or a UID but ``Study.keys``, by which a table of reports is joined.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import DataError, why
from ...readers.views import Film
from ...requirements import require
from ..console import progress
from ..data.folds import PATIENT, STUDY
from ..images.dicom import PYDICOM, looks_like_dicom, read_header
from ..images.faults import UnusableImage
from .dicom_views import UNTOLD, view_of
from .pseudonyms import Pseudonyms

ACCESSION = "accession"
JOINS: Mapping[str, str] = {ACCESSION: "AccessionNumber", STUDY: "StudyInstanceUID", PATIENT: "PatientID"}
"""What a table of reports is joined by -> the element of the header."""
_ELEMENTS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "AccessionNumber",
    "Modality",
    "ViewPosition",
    "ViewCodeSequence",
    "ImageLaterality",
    "Laterality",
    "SeriesDescription",
    "ProtocolName",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "InstanceNumber",
]
_VIEW = "view"
_NO_KIND, _DAMAGED = "of no kind", "a damaged DICOM file; fetch it again"
_SLICED = frozenset(("CT", "MR", "PT", "NM"))
"""Modalities whose series are slices of one volume, of which none stands for the study."""
NO_DICOM = "no DICOM"
SHOWN = 5


@dataclass
class Study:
    """A study, under a pseudonym."""

    name: str
    patient: str
    """Pseudonym; empty where the headers do not say the patient."""
    keys: dict[str, str]
    """``accession``, ``study``, ``patient`` -> what the header says: of patients, to join by and never to be
    written."""
    films: list[Film] = field(default_factory=list)
    """Paths in the folder of copies."""
    modality: str = ""


@dataclass
class Tree:
    """What a folder of DICOM files holds."""

    studies: list[Study] = field(default_factory=list)
    films: dict[str, Path] = field(default_factory=dict)
    """Path in the folder of copies -> the file."""
    views: Counter[str] = field(default_factory=Counter)
    """Element that said a view -> films."""
    left_out: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    """Why files are no films that can be shown -> which."""
    series: int = 0
    several: Counter[str] = field(default_factory=Counter)
    """Element of which the headers of a study hold several values -> studies."""


def read_tree(source: Path, pseudonyms: Pseudonyms) -> Tree:
    """Read the headers of every file below a folder.

    Raises:
        ConfigError: pydicom is missing.
        DataError: a folder cannot be listed, or there is no film in it.
    """
    require([PYDICOM])
    tree = Tree()
    found: dict[str, list[tuple[str, str, Path, Any]]] = defaultdict(list)
    seen: set[str] = set()
    paths = _files(source)
    with progress(f"{source.name}: DICOM headers", len(paths)) as advance:
        for path in paths:
            advance(1)
            header = _header(path, tree)
            if header is None:
                continue
            instance = _text(header, "SOPInstanceUID")
            if instance and instance in seen:
                tree.left_out["copy of another file of the folder (one SOPInstanceUID)"].append(path)
                continue
            seen.add(instance)
            found[_text(header, "StudyInstanceUID")].append(
                (_text(header, "SeriesInstanceUID"), _order(header), path, header)
            )
    tree.left_out["without StudyInstanceUID, so of no study"] += [path for *_, path, _ in found.pop("", ())]
    for uid in sorted(found):
        _add_study(tree, uid, found[uid], pseudonyms)
    tree.left_out = {why_: paths for why_, paths in tree.left_out.items() if paths}
    if not tree.studies:
        raise DataError(
            f"{source}: no DICOM film that can be shown; found",
            [f"{len(paths):,} {reason}" for reason, paths in tree.left_out.items()],
        )
    tree.studies.sort(key=lambda study: study.name)
    return tree


def _files(source: Path) -> list[Path]:
    paths: list[Path] = []

    def refuse(error: OSError) -> None:
        raise DataError(f"cannot list {error.filename}: {why(error)}") from error

    for folder, folders, names in os.walk(source, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths += [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
    return paths


def _header(path: Path, tree: Tree) -> dict[str, Any] | None:
    """The header of a film; None for everything else, which is noted with its kind."""
    try:
        if path.is_symlink() or not path.is_file():
            tree.left_out["a link or special file; put the file itself there"].append(path)
            return None
        with open(path, "rb") as file:
            if not looks_like_dicom(file.read(132)):
                tree.left_out[f"{NO_DICOM} ({path.suffix.lower() or 'no ending'})"].append(path)
                return None
        header = read_header(path, _ELEMENTS)
        kind = _kind(header)
        frames = int(header.get("NumberOfFrames") or 1)
        has_pixels = bool(header.get("Rows") and header.get("Columns"))
        values = {name: header.get(name) for name in _ELEMENTS}  # now, as pydicom reads each when it is asked for
        values[_VIEW] = view_of(header)
    except UnusableImage as error:
        tree.left_out[f"{error.fault}; fetch it again"].append(path)
        return None
    except OSError as error:
        tree.left_out[f"that cannot be read ({error.strerror})"].append(path)
        return None
    except Exception:  # a number in the header that is none
        tree.left_out[_DAMAGED].append(path)
        return None
    if not has_pixels:
        tree.left_out[f"without an image ({kind})" if kind != _NO_KIND else _DAMAGED].append(path)
        return None
    if frames > 1:
        tree.left_out[f"of several frames ({kind}); export the frame to show as an image of its own"].append(path)
        return None
    return values


def _kind(header: Any) -> str:
    """What kind of object it is, in the words of the standard."""
    uid = header.get("SOPClassUID")
    name = str(getattr(uid, "name", "") or "")
    return name.removesuffix(" Storage") or _NO_KIND


def _add_study(tree: Tree, uid: str, films: list[tuple[str, str, Path, Any]], pseudonyms: Pseudonyms) -> None:
    by_series: dict[str, list[tuple[str, str, Path, Any]]] = defaultdict(list)
    for film in films:
        by_series[film[0]].append(film)
    keys = {STUDY: uid}
    for key in (PATIENT, ACCESSION):
        values = sorted({_text(header, JOINS[key]) for *_, header in films} - {""})
        keys[key] = values[0] if values else ""
        if len(values) > 1:
            tree.several[JOINS[key]] += 1
    study = Study(
        pseudonyms.name(STUDY, uid),
        pseudonyms.name(PATIENT, keys[PATIENT]) if keys[PATIENT] else "",
        keys,
        modality=_text(films[0][3], "Modality"),
    )
    for series in sorted(by_series):
        rows = sorted(by_series[series], key=lambda film: (film[1], str(film[2])))
        modality = _text(rows[0][3], "Modality").upper()
        if modality in _SLICED and len(rows) > 1:
            tree.left_out[
                f"slices of {modality} series; a model sees single images: export key images, or NIfTI (--nifti-slice)"
            ] += [path for *_, path, _ in rows]
            continue
        tree.series += 1
        for _, _, path, header in rows:
            view, said_by = header[_VIEW]
            tree.views[said_by] += 1
            name = pseudonyms.name("image", _text(header, "SOPInstanceUID") or str(path))
            copy = f"{study.patient or 'unknown'}/{study.name}/{name}.dcm"
            tree.films[copy] = path
            study.films.append(Film(copy, view))
    if study.films:
        tree.studies.append(study)


def _order(header: Any) -> str:
    number = _text(header, "InstanceNumber")
    return number.zfill(8)


def _text(header: Any, name: str) -> str:
    value = header.get(name)
    return "" if value is None else str(value).strip().strip("\0")


def views_said(tree: Tree) -> str:
    """By which element views were told, and of how many films none does."""
    told = ", ".join(f"{count:,} by {name}" for name, count in tree.views.most_common() if name != UNTOLD)
    return f"views: {told or 'none told'}; {tree.views[UNTOLD]:,} film(s) of which no header says the view"
