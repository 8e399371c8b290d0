"""A chest X-ray study of IU-Xray, its report section, its split, and the samples it gives."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import DataError
from ..records import SPLITS, Sample
from ..text import join_sections
from .layouts import Release, require
from .rows import image_problem
from .textfiles import read_json
from .views import FIRST, Film, choose_films, note_unshown, shown

DATASET = "iu_xray"
SECTIONS = ("findings", "impression", "both")
ANNOTATION = "annotation.json"
HASHED_SPLIT = "seeded hash of the study id, 7:1:2"
_HASH_SEED = "pefomed-0"
_HASH_SPLITS = ("train",) * 7 + ("val",) + ("test",) * 2
_STUDY_NUMBER = re.compile(r"CXR(\d+)_")
OPEN_I = "open_i_"
"""Before the number of a report, in lists made from Open-i's (MedEvalKit)."""


@dataclass(frozen=True)
class Study:
    """One study with its report."""

    id: str
    """``CXR9999``; with R2Gen, the folder name ``CXR9999_IM-0001``."""
    images: tuple[str, ...]
    """Paths below the image root."""
    findings: str
    impression: str = ""
    views: tuple[str, ...] = ()
    """``Frontal`` or ``Lateral``, parallel to ``images``; empty where the release does not say."""

    def report(self, section: str) -> str:
        """``findings``, ``impression``, or ``both``: what there is of the two, findings first."""
        wanted = {
            "findings": (self.findings,),
            "impression": (self.impression,),
            "both": (self.findings, self.impression),
        }[section]
        return join_sections(wanted)


class Annotated(NamedTuple):
    """Where R2Gen put a study."""

    folder: str
    """R2Gen's id and image folder: ``CXR9999_IM-0001``."""
    split: str


def add_study(
    release: Release, where: str, study: Study, *, split: str, options: Mapping[str, Any], metadata: Mapping[str, Any]
) -> None:
    """Append the samples of a study, by ``options``: one for each image as in the paper, or one.

    An id is the image's path without ending (``iu_xray-CXR9_IM-0001/0``), or ``iu_xray-<study>``. Images of a study
    share its report; ``metadata["study"]`` says which samples belong together. A study without image or report is
    skipped and counted.
    """
    section = options["section"]
    report = study.report(section)
    if not study.images:
        release.skip(where, "no image")
    elif not report:
        release.skip(where, f"no {'report' if section == 'both' else section} text")
    else:
        problems = [problem for problem in (image_problem(release, image) for image in study.images) if problem]
        release.problems += [f"{where}: {problem}" for problem in problems]
        if not problems:
            metadata = {**metadata, "study": study.id}
            release.samples += [
                Sample(
                    dataset=DATASET, split=split, task="report", question=None, answer=report, **{**fields, **extras}
                )
                for fields, extras in _shown(release, where, study, options, metadata)
            ]


def _shown(
    release: Release, where: str, study: Study, options: Mapping[str, Any], metadata: Mapping[str, Any]
) -> Iterable[tuple[dict[str, Any], dict[str, Any]]]:
    """Id and images of each sample of a study, and its metadata."""
    views = study.views or ("",) * len(study.images)
    if options["per"] == "image" or options["views"] == FIRST:
        per_study = options["per"] == "study"
        for image, view in list(zip(study.images, views))[: 1 if per_study else None]:
            key = study.id if per_study else image.rpartition(".")[0] or image
            extras: dict[str, Any] = {"source_id": study.id if per_study else image}
            if view:
                extras["view"] = view
            if per_study:
                extras["images"] = list(study.images)
                note_unshown(release, study.images, (image,))
            yield {"id": f"{DATASET}-{key}", "images": (image,)}, {"metadata": {**metadata, **extras}}
        return
    films = [Film(image, view.lower()) for image, view in zip(study.images, views)]
    chosen = choose_films(release, where, films, options["views"], options["missing_views"])
    if chosen:
        note_unshown(release, study.images, [film.image for film in chosen])
        yield (
            {"id": f"{DATASET}-{study.id}", **shown(chosen)},
            {"metadata": {**metadata, "source_id": study.id, "images": list(study.images)}},
        )


def open_i_name(study: str) -> str | None:
    """``open_i_9999`` of ``CXR9999`` or ``CXR9999_IM-0001``; None where the study's name has no such number."""
    number = re.match(r"CXR(\d+)(_|$)", study)
    return OPEN_I + number[1] if number else None


def split_by_hash(study: str) -> str:
    """A split for releases that define none: 7:1:2, the same at every read, all images of a study together.

    The paper's split is R2Gen's, which is random and written down only in its ``annotation.json``.
    """
    digest = hashlib.sha256(f"{_HASH_SEED}:{study}".encode()).digest()
    return _HASH_SPLITS[int.from_bytes(digest[:8], "big") % len(_HASH_SPLITS)]


def read_annotation(path: Path, problems: list[str]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Records of R2Gen's ``annotation.json`` as (where, split, record).

    Copies circulate whose test key is four blanks, so a record's own ``split`` counts, the key where there is none.

    Raises:
        DataError: not JSON, or not an object of lists.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not all(isinstance(studies, list) for studies in content.values()):
        raise DataError(f"{path}: expected an object with a list for each split; take the file from R2Gen")
    records: list[tuple[str, str, Mapping[str, Any]]] = []
    for key, rows in content.items():
        for position, row in enumerate(rows):
            where = f"{path.name}, {key!r} record {position}"
            if require(row, ("id", "report", "image_path"), where, problems):
                split = row.get("split", key)
                if split not in SPLITS or (key in SPLITS and key != split):
                    problems.append(
                        f"{where} ({row['id']}): split {split!r} under the key {key!r}; one of them is wrong"
                    )
                else:
                    records.append((where, split, row))
    return records


def annotated_studies(path: Path, problems: list[str]) -> dict[str, Annotated]:
    """R2Gen's folder and split by study number: ``{"9999": ("CXR9999_IM-0001", "test")}``."""
    by_number: dict[str, Annotated] = {}
    for where, split, row in read_annotation(path, problems):
        match = _STUDY_NUMBER.match(str(row["id"]))
        if match is None:
            problems.append(f"{where}: id {row['id']!r} is not of the form CXR9999_IM-0001")
        elif match[1] in by_number:
            problems.append(f"{where}: study {match[1]} occurs twice; keep one of the two records")
        else:
            by_number[match[1]] = Annotated(str(row["id"]), split)
    return by_number


def in_folder(image: str, folder: str) -> bool:
    """Whether an image of the raw releases is of the series that R2Gen's folder is named after.

    R2Gen's folder name is the start of OpenI's file name, and ``CXR`` and the start of Kaggle's. Of the 2,955 studies
    2,943 have no image of another series (Kaggle).
    """
    name = image if image.startswith("CXR") else "CXR" + image
    return name.startswith(folder + "-")


def place_study(study: Study, number: str, annotated: Mapping[str, Annotated] | None) -> tuple[str | None, dict]:
    """Split of a raw study and what to note of it; no split where R2Gen's annotation leaves the study out."""
    if annotated is None:
        return split_by_hash(study.id), {"split_from": HASHED_SPLIT}
    place = annotated.get(number)
    if place is None:
        return None, {}
    same = all(in_folder(image, place.folder) for image in study.images)
    return place.split, {"split_from": ANNOTATION, "r2gen_id": place.folder, "same_series": same}
