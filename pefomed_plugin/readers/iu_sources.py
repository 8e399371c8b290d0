"""The raw releases of IU-Xray as studies: OpenI's XML reports and Kaggle's two tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from ..errors import DataError, one_line
from .iu_studies import Study
from .layouts import Release, find
from .tables import read_csv
from .textfiles import read_text

REPORTS_XML = "ecgen-radiology/*.xml"
REPORTS_CSV = "indiana_reports.csv"
PROJECTIONS_CSV = "indiana_projections.csv"
_DECLARATION = re.compile(r"<!(DOCTYPE|ENTITY)")

Found = tuple[str, str, Study]
"""File and record for messages, the study's number (``9999``), and the study."""


def read_openi(release: Release, root: Path) -> Iterator[Found]:
    """Studies of ``ecgen-radiology/<number>.xml``, by number. A damaged file becomes a problem of ``release``.

    An image is ``parentImage/@id`` + ``.png``: the ``url`` beside it names a ``.jpg`` that is not shipped.
    """
    for path in sorted(find(root, REPORTS_XML), key=lambda path: (len(path.stem), path.stem)):
        release.files.append(path)
        try:
            study = _parse_report(path)
        except DataError as error:
            release.problems.append(str(error))
            continue
        yield path.name, study.id[len("CXR") :], study


def read_kaggle(release: Release, root: Path) -> Iterator[Found]:
    """Studies of ``indiana_reports.csv`` with their images of ``indiana_projections.csv``, in file order."""
    images: dict[str, list[tuple[str, str]]] = {}
    release.files += [root / PROJECTIONS_CSV, root / REPORTS_CSV]
    try:
        for _, row in read_csv(root / PROJECTIONS_CSV, ("uid", "filename", "projection"), release.problems):
            images.setdefault(row["uid"], []).append((row["filename"], row["projection"]))
        seen = set()
        for line, row in read_csv(root / REPORTS_CSV, ("uid", "findings", "impression"), release.problems):
            uid, where = row["uid"], f"{REPORTS_CSV}, line {line} (uid {row['uid']})"
            if not uid.isdigit() or uid in seen:
                wrong = "occurs twice" if uid in seen else "is not a number"
                release.problems.append(f"{where}: the uid {wrong}; take the file from the original release")
                continue
            seen.add(uid)
            files = images.pop(uid, [])
            yield (
                where,
                uid,
                Study(
                    "CXR" + uid,
                    tuple(name for name, _ in files),
                    row["findings"],
                    row["impression"],
                    tuple(view for _, view in files),
                ),
            )
        for uid in images:
            release.problems.append(
                f"{PROJECTIONS_CSV}: uid {uid} has no report in {REPORTS_CSV}; fetch both files again"
            )
    except DataError as error:
        release.problems.append(str(error))


def _parse_report(path: Path) -> Study:
    text = read_text(path)
    # A report needs neither, and both can make a parser read other files or fill the memory.
    declaration = _DECLARATION.search(text)
    if declaration:
        raise DataError(
            f"{path}: holds <!{declaration[1]}; reports have no such declaration, take the file from the original "
            "release"
        )
    try:
        report = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(
            f"{path}: not XML ({one_line(error)}); the file is damaged or incomplete, fetch it again"
        ) from error
    uid = report.find("uId")
    number = "" if uid is None else uid.get("id", "")
    if not re.fullmatch(r"CXR\d+", number):
        raise DataError(f"{path}: uId {number!r} is not of the form CXR9999; take the file from the original release")
    images = [image.get("id", "") + ".png" for image in report.iter("parentImage")]
    return Study(number, tuple(images), _section(report, "FINDINGS"), _section(report, "IMPRESSION"))


def _section(report: ElementTree.Element, label: str) -> str:
    texts = ("".join(part.itertext()) for part in report.iter("AbstractText") if part.get("Label") == label)
    return " ".join(text.strip() for text in texts if text.strip())
