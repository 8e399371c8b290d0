"""Own tables with images in a folder: one file, split here, or one a split. Records become samples of
``medical_custom``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError, quoted
from ...readers import Release
from ...readers.custom import DATASET, add_record
from ...readers.layouts import inside
from ...readers.views import named_images
from ...records import SPLITS
from ...requirements import require
from ..data.folds import PATIENT, STUDY
from ..images.nifti import CHOICES, NIBABEL, is_nifti, with_slice
from ..images.parquet_images import split_address
from .columns import KEPT, match_columns, split_of, task_of
from .image_lookup import MISSING, ImageFinder
from .pseudonyms import Pseudonyms
from .splitting import Parting, part
from .tables import SUFFIXES, Table, as_metadata, as_text, read_table
from .wishes import OwnData, Wishes

TEXT_FIELDS = ("question", "answer", "report", "caption", "id", "answer_type", "question_type", "organ")
_METADATA = "metadata"
_NO_IDS = "record id(s) taken from the patient, numbered where a patient has several"


def find_tables(source: Path) -> list[tuple[Path, str]]:
    """The tables of a folder, or the one that is named, each with the split that its name says (or none).

    In sub-folders only ``<split>/metadata.csv`` (or ``.jsonl``) is looked for, the layout of Hugging Face's image
    folders.

    Raises:
        ConfigError: none, or several of which none says a split.
    """
    if source.is_file():
        return [(source, "")]
    found = _tables_in(source)
    beside = [path for folder in sorted(source.iterdir()) if split_of(folder.name) for path in _tables_in(folder)]
    split = [(path, split_of(path.stem)) for path in found if split_of(path.stem)]
    if not found:
        split = [(path, split_of(path.parent.name)) for path in beside if path.stem == _METADATA]
    if split:
        twice = [name for name, count in Counter(name for _, name in split).items() if count > 1]
        if twice:
            names = ", ".join(path.name for path, name in split if name in twice)
            raise ConfigError(f"{source}: several files of one split ({names}); keep one of each")
        return sorted(split, key=lambda table: SPLITS.index(table[1]))
    if len(found) != 1:
        raise ConfigError(
            f"{source}: name the table itself as --source, or call the tables train, val and test; tables there: "
            f"{', '.join(path.name for path in found) or 'none'}. Other folders that are read: of Hugging Face, and of "
            "DICOM files with --reports TABLE"
        )
    return [(found[0], "")]


def _tables_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES and path.is_file())
    return [path for path in found if not path.name.startswith((".", "~$"))]


def read_tables(source: Path, wishes: Wishes) -> OwnData:
    """Samples of own tables.

    Raises:
        ConfigError: what the user said does not fit the files, or a choice is missing.
        DataError: files or records that cannot be used; all of them in one message.
    """
    folder = source if source.is_dir() else source.parent
    root = Path(wishes.image_root or folder)
    if not root.is_dir():
        raise ConfigError(f"--image-root {root}: no such folder")
    wanted = list(wishes.columns.values())
    tables = [(read_table(path, wishes.manner, wanted), split) for path, split in find_tables(source)]
    release = Release(DATASET, "own tables", root)
    release.files += [table.path for table, _ in tables]
    return assemble(release, tables, wishes, f"images: linked, not copied, in {root}")


def assemble(release: Release, tables: Sequence[tuple[Table, str]], wishes: Wishes, linked: str) -> OwnData:
    """Samples of tables, each with the split that its file says (or none), their columns matched, and split.

    Args:
        linked: where the images are, in words.

    Raises:
        ConfigError, DataError: as ``read_tables``.
    """
    said: list[str] = []
    read = []
    for table, split in tables:
        columns, lines = match_columns(table.path, table.header, wishes.columns)
        if "split" in columns and (split or (wishes.shares and "split" not in wishes.columns)):
            del columns["split"]
            lines.append(
                "its column of splits is not used, as " + ("the file says its split" if split else "--split does")
            )
        task = task_of(columns, table.path, table.header)
        if not {"image", "images"} & set(columns):
            raise DataError(
                f"{table.path.name}: no column of images; name it with --map image=COLUMN. Its columns: "
                f"{', '.join(table.header)}"
            )
        read.append((table, split, columns, task))
        if "id" in columns and columns["id"] in (
            columns.get("patient"),
            columns.get("study"),
            columns.get("accession"),
        ):
            lines.append(f"{columns['id']} is written as it is, as id; leave id out of --map if nobody is to see it")
        said += [line for line in (*table.said, *lines) if line not in said]
        release.problems += table.problems_in(columns.values())
    parting = _parting([(split, columns) for _, split, columns, _ in read], wishes)
    has_people = any({"patient", "study", "accession"} & set(columns) for _, _, columns, _ in read)
    pseudonyms = Pseudonyms(wishes.salt) if has_people else None
    reader = Records(release, ImageFinder(release.image_root), pseudonyms, wishes)
    for table, split, columns, task in read:
        reader.add_table(table, split, columns, task)
    release.notes.update({what: count for what, count in reader.finder.notes.items() if what != MISSING})
    said.append(linked)
    release.finish()
    if parting:
        release.samples, lines = part(release.samples, release.places, parting)
        said += lines
    return OwnData(release, [*said, *([pseudonyms.said] if pseudonyms else [])], reader.finder.notes[MISSING])


def _parting(read: Sequence[tuple[str, Mapping[str, str]]], wishes: Wishes) -> Parting | None:
    """How to split what is not split yet; None where it is.

    Raises:
        ConfigError: it is split already and is to be split, or the choice is missing.
    """
    unsplit = any(not split and "split" not in columns for split, columns in read)
    if not unsplit:
        if wishes.shares:
            raise ConfigError("--split: the files say their split already; leave it out, or name one file as --source")
        return None
    names = {name for _, columns in read for name in columns}
    return choose_parting(names, wishes)


def choose_parting(names: set[str], wishes: Wishes) -> Parting:
    """How to split, by what is known of the records.

    Args:
        names: the fields that records have.

    Raises:
        ConfigError: the choice is missing.
    """
    known = PATIENT if "patient" in names else STUDY if {"study", "accession"} & names else ""
    if not wishes.shares:
        by = f" --split-by {known or 'image'}"
        raise ConfigError(
            "nothing says which records are for training and which for testing; choose: --split 80/10/10 (train, val, "
            f"test){by} --seed 1, or --split test to test on all, or --map split=COLUMN"
        )
    if wishes.by in (PATIENT, STUDY) and len(wishes.shares) > 1:
        has = "patient" in names if wishes.by == PATIENT else {"study", "accession"} & names
        if not has:
            raise ConfigError(
                f"--split-by {wishes.by}: no column says it; name it with --map {wishes.by}=COLUMN, or split by another"
            )
    if not wishes.by and not known and len(wishes.shares) > 1:
        raise ConfigError(
            "--split: no column says the patient or the study; name it (--map patient=COLUMN), or accept that one "
            "may be in training and in test: --split-by image (or record)"
        )
    return Parting(wishes.shares, wishes.by or known or "record", wishes.seed)


class Records:
    """Rows of tables into samples of one release."""

    def __init__(self, release: Release, finder: ImageFinder, pseudonyms: Pseudonyms | None, wishes: Wishes) -> None:
        self.release, self.finder, self.pseudonyms, self.wishes = release, finder, pseudonyms, wishes
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
            split = split_of(str(values["split"]))
            if not split:
                self.release.problems.append(
                    f"{where}: {quoted(values['split'])} is no split; write train, val or test, or split anew (--split)"
                )
                return
        record = texts_of(values)
        record.update({name[len(KEPT) :]: as_metadata(cell) for name, cell in values.items() if name.startswith(KEPT)})
        record.update(self._people(values))
        try:
            record.update(self._images(where, values))
        except ValueError as error:
            self.release.problems.append(f"{where}: {error}")
            return
        add_record(self.release, where, place, split or "train", task, record, self.wishes.views, located=True)

    def _people(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Patient and study under their pseudonyms; nothing where the cell is empty."""
        people = {}
        study = str(values.get("study") or values.get("accession") or "").strip()
        patient = str(values.get("patient") or "").strip()
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
        path = self.finder.find(beside if is_beside and (self.release.image_root / beside).is_file() else given)
        if not is_nifti(path):
            return path
        if not self.wishes.nifti_slice:
            self._volumes.append(where)
            return path
        require([NIBABEL])
        return with_slice(path, self.wishes.nifti_slice)


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
