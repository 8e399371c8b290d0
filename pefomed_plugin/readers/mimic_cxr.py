"""MIMIC-CXR-JPG 2.0.0 with the reports of MIMIC-CXR.

One sample an image, or (``per: study``) a study, with a section of its report. The paper trains on the official train
split (section 4.1); which section its captions are is not known, hence the option ``section``. Reports need
credentials: no text of them is put into a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple

from ..errors import DataError
from ..records import Sample
from ..text import join_sections
from .expectations import ERROR, WARNING, Expectation, disjoint, has_metadata, in_layout, kept, metadata_of, rows_read
from .layouts import Layout, Release, find
from .mimic_converted import read_pefomed, read_r2gen
from .mimic_reports import open_reports
from .mimic_sections import HAND_SECTIONED, official_text, sections_of
from .mimic_studies import Facts, Studies, choose_study, when_of
from .spec import PERMISSION, DatasetSpec, Field, Option
from .tables import read_csv
from .views import (
    CURRENT,
    FIRST,
    FRONTAL,
    LATERAL,
    PRIOR,
    most_images,
    note_unshown,
    shown,
    view_options,
    view_problems,
)

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
_BY_STUDY = "MIMIC-CXR-JPG by study"
_UNKNOWN = Facts()
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
    def path(self) -> str:
        return f"{self.patient_folder}/s{self.study}/{self.dicom}.jpg"

    @property
    def report(self) -> str:
        return f"{self.patient_folder}/s{self.study}.txt"


def _read_jpg(root: Path, section: str, **options: Any) -> Release:
    """``mimic-cxr-2.0.0-split.csv.gz`` (one row an image), ``-metadata.csv.gz`` where present, and the reports."""
    homes = sorted({path.parent for path in find(root, _SPLIT_FILE)})
    if len(homes) > 1:
        raise DataError(
            f"{DATASET}: {root} holds {len(homes)} releases; keep one of them", [str(home) for home in homes]
        )
    per_study = options["per"] == "study"
    release = Release(DATASET, _BY_STUDY if per_study else "MIMIC-CXR-JPG", homes[0] / "files")
    images, facts = _images(release), _facts(release, dated=per_study)
    studies = Studies(images, facts) if per_study else None
    if per_study and options["views"] != FIRST and not facts:
        release.problems.append(f"views need {_table(release, 'metadata').name}, and it is not in {homes[0]}; fetch it")
    with open_reports(root, {image.report: None for image in images}) as (place, read):
        release.layout += f", reports in {place.relative_to(root).as_posix()}"
        # Images of a study share one string, and its report is read once.
        texts: dict[str, tuple[str, str]] = {}
        for image in images:
            is_first = image.study not in texts
            if is_first:
                texts[image.study] = _report_text(image.study, read(image.report), section)
            answer, reason = texts[image.study]
            where = f"{release.files[0].name}, line {image.line}"
            if per_study and not is_first:
                continue
            if reason:
                release.skip(where, reason)
            elif studies is None:
                _add(
                    release, where, image, answer, {"images": (image.path,)}, facts.get(image.dicom, _UNKNOWN).position
                )
            else:
                _add_study(release, where, image, answer, studies, options)
    return release


def _add_study(
    release: Release, where: str, image: _Image, answer: str, studies: Studies, options: Mapping[str, Any]
) -> None:
    """The sample of a study; ``image`` is its first."""
    if options["views"] == FIRST:
        films, prior = [studies.films(image.study)[0]], None
    else:
        films, prior = choose_study(release, where, studies, image.study, image.subject, options)
    if films:
        note_unshown(release, [film.image for film in studies.films(image.study)], [film.image for film in films])
        more = {} if prior is None else {"prior_study": prior}
        _add(release, where, image, answer, shown(films), name=image.study, **more)


def _add(
    release: Release,
    where: str,
    image: _Image,
    answer: str,
    images: Mapping[str, Any],
    position: str = "",
    name: str = "",
    **more: str,
) -> None:
    metadata = {"study": image.study, "subject": image.subject, **more}
    if position:
        metadata["view_position"] = position
    release.add(
        Sample(
            id=f"{DATASET}-{name or image.dicom}",
            dataset=DATASET,
            split=image.split,
            task="caption",
            question=None,
            answer=answer,
            metadata=metadata,
            **images,
        ),
        where,
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
    text = " ".join(join_sections(texts).split())
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


def _facts(release: Release, dated: bool) -> Mapping[str, Facts]:
    """What is known by DICOM id, with the date where that is asked for; nothing without the metadata file."""
    path = _table(release, "metadata")
    facts: dict[str, Facts] = {}
    if not path.is_file():
        return facts
    rows = read_csv(path, ("dicom_id", "ViewPosition"), release.problems)
    for _, row in rows:
        facts[row["dicom_id"]] = Facts(intern(row["ViewPosition"]), when_of(row) if dated else None)
    return facts


def _table(release: Release, name: str) -> Path:
    """``mimic-cxr-2.0.0-<name>.csv``, or ``.csv.gz`` as released."""
    plain = release.image_root.parent / f"mimic-cxr-2.0.0-{name}.csv"
    path = plain if plain.is_file() else plain.with_name(plain.name + ".gz")
    if path.is_file():
        release.files.append(path)
    return path


_JPG = in_layout("MIMIC-CXR-JPG,")
"""One sample an image; the name of the layout goes on with where the reports lie."""

MIMIC_CXR = DatasetSpec(
    DATASET,
    "MIMIC-CXR",
    layouts=(
        Layout("MIMIC-CXR-JPG", (_SPLIT_FILE,), _read_jpg),
        Layout("R2Gen annotation", ("annotation.json",), read_r2gen),
        Layout("PeFoMed JSON", ("{train,val,test}.json",), read_pefomed),
    ),
    tasks=("caption",),
    options=(
        Option(
            "section",
            "findings",
            tuple(SECTIONS),
            "both: findings, then impression, one of them suffices; official: the release's own rule",
        ),
        *view_options((FRONTAL, LATERAL, CURRENT, PRIOR), "with the images that views says; MIMIC-CXR-JPG only"),
    ),
    option_problems=view_problems,
    most_images=most_images,
    stage=1,
    splits={"train": 368_960, "val": 2_991, "test": 5_159},
    expectations=(
        Expectation("images, skipped ones too", ERROR, (377_110,), rows_read, _JPG),
        Expectation(
            "images by split",
            ERROR,
            ((368_960, 2_991, 5_159),),
            kept,
            lambda release: _JPG(release) and not release.skips,
        ),
        Expectation("records by split", WARNING, ((270_790, 2_130, 3_858),), kept, in_layout("R2Gen")),
        Expectation(
            "every patient in one split only",
            ERROR,
            (True,),
            disjoint(metadata_of("subject")),
            has_metadata("subject"),
            full=False,
        ),
    ),
    fields=(Field("view_position", "view", {"AP": "anteroposterior", "PA": "posteroanterior", "LL": "left lateral"}),),
    audience=PERMISSION,
    licence="PhysioNet Credentialed Health Data License, with a data use agreement",
    passing_on="Credentialed access: neither the data nor text from them may be passed on. PhysioNet treats models "
    "trained on them as sensitive, too: share such a model through PhysioNet under the same agreement, not on a public "
    "hub.",
    citation="Johnson et al., MIMIC-CXR, a de-identified publicly available database of chest radiographs with "
    "free-text reports, Scientific Data 6:317, 2019, doi:10.1038/s41597-019-0322-0; MIMIC-CXR-JPG, arXiv:1901.07042",
    url="https://physionet.org/content/mimic-cxr-jpg/2.0.0/",
    quirks=(
        "`___` stands for what was removed to protect patients.",
        "A study may hold the same image in two brightnesses.",
    ),
    specialty="radiology",
    languages=lambda options: ("en",),
    sample_writer="pefomed_plugin.embedded.releases_caption:write_mimic_cxr",
    page="docs/data/mimic_cxr.md",
)
"""The folder is ``mimic-cxr-jpg/2.0.0`` with the reports in it, or one that holds ``mimic-cxr-jpg`` (and, with the
reports, ``mimic-cxr``), or what wget left (``physionet.org/files/...``). ``official`` is
``mimic_sections.official_text``."""
