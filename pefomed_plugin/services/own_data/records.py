"""Rows of own tables into samples of one release: patients under other names, images found below one folder."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import quoted
from ...readers import Release
from ...readers.custom import add_record
from ...readers.image_tree import inside
from ...readers.views import named_images
from ...requirements import require
from ..data.folds import PATIENT, STUDY
from ..images.nifti import CHOICES, NIBABEL, is_nifti, with_slice
from ..images.parquet_images import split_address
from .columns import KEPT, PEOPLE, split_of
from .image_lookup import ImageFinder
from .pseudonyms import Pseudonyms
from .tables import Table, as_metadata, as_text
from .wishes import Wishes

_LEAST_ID = 4
"""Signs of an id that is looked for in the names of images: shorter ones are in them by chance."""
TEXT_FIELDS = ("question", "answer", "report", "caption", "id", "answer_type", "question_type", "organ")
_HELD = (
    "image name(s) hold their patient's or study's id, and are written as they are: rename the files if that is private"
)
_NOBODY = frozenset(("nan", "none", "null", "n/a", "na", "<na>", "-", "--", "?", "unknown", "unbekannt", "anonymous"))
_PLACEHOLDERS = "record(s) whose patient is a word such as nan or unknown: all of one word are taken for one patient"
_NO_IDS = "record id(s) taken from the patient, numbered where a patient has several"


class Records:
    """Rows of tables into samples of one release."""

    def __init__(self, release: Release, finder: ImageFinder, pseudonyms: Pseudonyms | None, wishes: Wishes) -> None:
        self.release, self.finder, self.pseudonyms, self.wishes = release, finder, pseudonyms, wishes
        self.volumes = 0
        """Records that name a NIfTI volume, of which a slice was to be chosen."""
        self._volumes: list[str] = []
        self._folder = ""

    def add_table(self, table: Table, split: str, columns: Mapping[str, str], task: str) -> None:
        if not table.rows and not table.problems:
            self.release.problems.append(f"{table.path.name}: no records below its header; fill the file or delete it")
        self._folder = _below(table.path.parent, self.release.image_root)
        is_patients = "id" in columns and columns["id"] == columns.get("patient")
        ids = Counter(str(as_text(row.get(columns["id"]))) for _, row in table.rows) if is_patients else Counter()
        seen: Counter[str] = Counter()
        for order, (where, row) in enumerate(table.rows):
            values = {name: as_text(row.get(column, "")) for name, column in columns.items()}
            if is_patients and values["id"]:
                self.release.notes[_NO_IDS] += 1
                seen[values["id"]] += 1
                if ids[values["id"]] > 1:
                    values["id"] = f"{values['id'].strip()}-{seen[values['id']]}"
            number = str(order) if table.is_numbered else where.rpartition(" ")[2]
            self._add(where, f"{split}-{number}" if split else number, split, task, values)
        if self._volumes:
            self.release.problems.append(
                f"{len(self._volumes):,} record(s) name a NIfTI volume, the first {self._volumes[0]}; a model sees one "
                f"slice of it, so choose: {CHOICES}"
            )
            self._volumes = []

    def _add(self, where: str, place: str, split: str, task: str, values: Mapping[str, Any]) -> None:
        if "split" in values and not split:
            split = told_split(self.release, where, values["split"])
            if not split:
                return
        record = texts_of(values)
        record.update({name[len(KEPT) :]: as_metadata(cell) for name, cell in values.items() if name.startswith(KEPT)})
        record.update(self._people(values))
        try:
            record.update(self._images(where, values))
        except ValueError as error:
            self.release.problems.append(f"{where}: {error}")
            return
        shown = json.dumps(record.get("images") or record.get("image"), ensure_ascii=False)
        people = {str(values.get(name) or "").strip() for name in PEOPLE}
        if any(len(value) >= _LEAST_ID and value in shown for value in people):
            self.release.notes[_HELD] += 1
        add_record(self.release, where, place, split or "train", task, record, self.wishes.views, located=True)

    def _people(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Patient and study under their pseudonyms; nothing where the cell is empty."""
        people = {}
        for name in (PATIENT, STUDY):
            if name in values and not str(values[name] or "").strip():
                self.release.notes[f"record(s) that do not say their {name}"] += 1
        study = str(values.get("study") or values.get("accession") or "").strip()
        patient = str(values.get("patient") or "").strip()
        if patient.casefold() in _NOBODY:
            self.release.notes[_PLACEHOLDERS] += 1
        if self.pseudonyms and patient:
            people["subject"] = self.pseudonyms.name(PATIENT, patient)
        if self.pseudonyms and study:
            people["study"] = self.pseudonyms.name(STUDY, study)
        return people

    def _images(self, where: str, values: Mapping[str, Any]) -> dict[str, Any]:
        several = values.get("images")
        if isinstance(values.get("image"), list):  # a column of lists, as Hugging Face data sets have them
            several = values["image"] if len(values["image"]) > 1 else None
            values = {**values, "image": "".join(map(str, values["image"][:1])) if several is None else ""}
        if several and str(values.get("image") or "").strip():
            raise ValueError("image and images; name all in images, or one in image")
        if several:
            paths, names, problem = named_images(several)
            if problem:
                raise ValueError(problem)
            found = [self._image(where, path) for path in paths]
            return {"images": dict(zip(names, found)) if names else found}
        if not isinstance(values.get("image", ""), str):
            raise ValueError("image must be text, a path")
        return {"image": self._image(where, values.get("image", ""))}

    def _image(self, where: str, given: str) -> str:
        if split_address(given) and inside(self.release.image_root, given):
            return given
        beside = f"{self._folder}/{given.strip()}"
        is_beside = bool(self._folder) and inside(self.release.image_root, beside) is not None
        path = self.finder.find(beside if is_beside and os.path.isfile(self.release.image_root / beside) else given)
        if not is_nifti(path):
            return path
        self.volumes += 1
        if not self.wishes.nifti_slice:
            self._volumes.append(where)
            return path
        require([NIBABEL])
        self.release.notes[f"record(s) show the slice {self.wishes.nifti_slice} of a volume"] += 1
        return with_slice(path, self.wishes.nifti_slice)


def told_split(release: Release, where: str, value: Any) -> str:
    """Our name of the split that a cell says; empty where it says none, which becomes a problem."""
    split = split_of(str(value))
    if not split:
        release.problems.append(
            f"{where}: {quoted(value)} is no split; write train, val or test, or split anew (--split)"
        )
    return split


def texts_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record that are texts, blanks around them removed."""
    found = {name: values[name] for name in TEXT_FIELDS if name in values}
    return {name: value.strip() if isinstance(value, str) else value for name, value in found.items()}


def _below(folder: Path, root: Path) -> str:
    """Where a table's folder is below the images' folder; empty where it is that folder, or elsewhere."""
    try:
        found = folder.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return ""
    return "" if found == "." else found
