"""MIMIC-CXR-JPG 2.0.0 with the reports of MIMIC-CXR. Text only; knows nothing of torch or pixels.

One sample an image, with a section of its study's report. The paper trains on the official train split (section 4.1);
which section its captions are is not known, hence the option ``section``. Reports need credentials: no text of them
is put into a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from sys import intern
from typing import NamedTuple

from ..errors import DataError
from ..records import Sample
from .layouts import Layout, Release, find, read_release
from .mimic_converted import read_pefomed, read_r2gen
from .mimic_reports import open_reports
from .mimic_sections import HAND_SECTIONED, official_text, sections_of
from .rows import check_choice
from .tables import read_csv

DATASET = "mimic_cxr"
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "findings": ("findings",),
    "impression": ("impression",),
    "both": ("findings", "impression"),
    "official": (),
}
_SPLITS = {"train": "train", "validate": "val", "test": "test"}
_SUBJECT, _STUDY = re.compile(r"1\d{7}"), re.compile(r"5\d{7}")
_DICOM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
_HOMES = "{,mimic-cxr-jpg/*/,physionet.org/files/mimic-cxr-jpg/*/}"
_SPLIT_FILE = _HOMES + "mimic-cxr-2.0.0-split.csv{,.gz}"


class _Image(NamedTuple):
    dicom: str
    study: str
    subject: str
    split: str
    line: int

    @property
    def patient_folder(self) -> str:
        return f"p{self.subject[:2]}/p{self.subject}"

    @property
    def report(self) -> str:
        return f"{self.patient_folder}/s{self.study}.txt"


def read_mimic_cxr(root: Path, section: str = "findings") -> Release:
    """Samples of MIMIC-CXR.

    Args:
        root: ``mimic-cxr-jpg/2.0.0`` with the reports in it, or a folder that holds ``mimic-cxr-jpg`` (and, with the
            reports, ``mimic-cxr``), or what wget left (``physionet.org/files/...``).
        section: ``findings``, ``impression``, ``both`` (findings, then impression; one of them suffices), or
            ``official`` (see ``mimic_sections.official_text``).

    Raises:
        ConfigError: unknown ``section``.
        DataError: no layout recognised, or records that cannot be used, all in one message.
    """
    check_choice("mimic_cxr.section", section, tuple(SECTIONS))
    return read_release(DATASET, LAYOUTS, root, {"section": section})


def _read_jpg(root: Path, section: str) -> Release:
    """``mimic-cxr-2.0.0-split.csv.gz`` (one row an image), ``-metadata.csv.gz`` where present, and the reports."""
    homes = sorted({path.parent for path in find(root, _SPLIT_FILE)})
    if len(homes) > 1:
        raise DataError(
            f"{DATASET}: {root} holds {len(homes)} releases; keep one of them", [str(home) for home in homes]
        )
    release = Release(DATASET, "MIMIC-CXR-JPG", homes[0] / "files")
    images, views = _images(release), _views(release)
    with open_reports(root, {image.report: None for image in images}) as (place, read):
        release.layout += f", reports in {place.relative_to(root).as_posix()}"
        # Images of a study share one string, and its report is read once.
        texts: dict[str, tuple[str, str]] = {}
        for image in images:
            if image.study not in texts:
                texts[image.study] = _report_text(image.study, read(image.report), section)
            answer, reason = texts[image.study]
            if reason:
                release.skip(f"{release.files[0].name}, line {image.line}", reason)
            else:
                release.samples.append(_sample(image, answer, views))
    return release


def _sample(image: _Image, answer: str, views: Mapping[str, str]) -> Sample:
    metadata = {"study": image.study, "subject": image.subject}
    if image.dicom in views:
        metadata["view_position"] = views[image.dicom]
    return Sample(
        id=f"{DATASET}-{image.dicom}",
        dataset=DATASET,
        split=image.split,
        image=f"{image.patient_folder}/s{image.study}/{image.dicom}.jpg",
        task="caption",
        question=None,
        answer=answer,
        metadata=metadata,
    )


def _report_text(study: str, report: str | None, section: str) -> tuple[str, str]:
    """The wanted text in one line, or why there is none."""
    if report is None:
        return "", "no report file"
    if section == "official":
        texts, reason = [official_text(study, report)], "no text by the official rule"
    elif study in HAND_SECTIONED:
        texts, reason = [], "left out of the official table of sections"
    else:
        sections = sections_of(report)
        texts = [sections[name] for name in SECTIONS[section] if name in sections]
        reason = f"no {' or '.join(SECTIONS[section])} section"
    # Line ends are those of a fixed-width print, not of the text.
    text = " ".join(" ".join(texts).split())
    return text, "" if text else reason


def _images(release: Release) -> list[_Image]:
    """Rows of the split file. Ids of the documented form cannot lead out of the root, so no path is followed here."""
    path = _table(release, "split")
    images: list[_Image] = []
    for line, row in read_csv(path, ("dicom_id", "study_id", "subject_id", "split"), release.problems):
        dicom, study, subject = row["dicom_id"], intern(row["study_id"]), intern(row["subject_id"])
        split = _SPLITS.get(row["split"])
        if split is None or not (_DICOM.fullmatch(dicom) and _STUDY.fullmatch(study) and _SUBJECT.fullmatch(subject)):
            release.problems.append(
                f"{path.name}, line {line}: split or ids are not of the release's form; fetch the file again"
            )
        else:
            images.append(_Image(dicom, study, subject, split, line))
    return images


def _views(release: Release) -> dict[str, str]:
    """View position by DICOM id; nothing without the metadata file."""
    path = _table(release, "metadata")
    if not path.is_file():
        return {}
    rows = read_csv(path, ("dicom_id", "ViewPosition"), release.problems)
    return {row["dicom_id"]: intern(row["ViewPosition"]) for _, row in rows if row["ViewPosition"]}


def _table(release: Release, name: str) -> Path:
    """``mimic-cxr-2.0.0-<name>.csv``, or ``.csv.gz`` as released."""
    plain = release.image_root.parent / f"mimic-cxr-2.0.0-{name}.csv"
    path = plain if plain.is_file() else plain.with_name(plain.name + ".gz")
    if path.is_file():
        release.files.append(path)
    return path


LAYOUTS = (
    Layout("MIMIC-CXR-JPG", (_SPLIT_FILE,), _read_jpg),
    Layout("R2Gen annotation", ("annotation.json",), read_r2gen),
    Layout("PeFoMed JSON", ("{train,val,test}.json",), read_pefomed),
)
