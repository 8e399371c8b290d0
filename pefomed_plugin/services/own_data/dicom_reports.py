"""A tree of DICOM files joined with a table of reports (or of questions) by a key that the user chooses."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ...readers import Release
from ...readers.custom import DATASET, add_record
from ...readers.views import all_films, numbered_images
from ..console import progress
from ..data.folds import PATIENT
from .columns import KEPT, match_columns, task_of
from .dicom_copies import copy_film
from .dicom_join import join, join_of
from .dicom_tree import JOINS, SHOWN, Study, Tree, read_tree, views_said
from .joined_columns import join_columns
from .own_tables import leave_split, parting_of
from .pseudonyms import Pseudonyms
from .records import texts_of, told_split
from .splitting import part
from .tables import as_metadata, as_text, read_table
from .wishes import OwnData, Wishes

IMAGES = "images"
"""Folder of the copies below the prepared folder."""
PER = ("image", "study")
_OURS = re.compile(r"i-[0-9a-f]{16}\.dcm")
_BY_TABLE = "row(s) whose patient the table says, as no header does"
_OTHER_PATIENT = "row(s) whose patient is another one than the header's, which is taken"


def read_dicom_folder(source: Path, wishes: Wishes, out: Path) -> OwnData:
    """Samples of the studies of a folder, with the texts of ``wishes.reports``; copies of the films without the
    patient are made in ``out``.

    Raises:
        ConfigError: a choice is missing or does not fit.
        DataError: files or rows that cannot be used; all of them in one message.
    """
    if wishes.reports is None:
        raise ConfigError(
            f"{source}: DICOM files without texts; give the table of their reports: --reports TABLE --join accession "
            f"(or {', '.join(list(JOINS)[1:])}); a table that names its images is given as --source itself"
        )
    if wishes.image_root or wishes.nifti_slice:
        raise ConfigError("--image-root and --nifti-slice are of tables that name images; leave them out")
    table = read_table(wishes.reports, wishes.manner, list(wishes.columns.values()))
    joined_texts = join_columns(table, wishes.columns)
    columns, lines = match_columns(table.path, table.header, wishes.columns, table.joined)
    lines += joined_texts + _leave_images(columns, wishes) + leave_split(columns, "", wishes)
    key = join_of(wishes, columns, table)
    parting = parting_of([("", {**columns, "patient": "", "study": ""})], wishes)
    pseudonyms = Pseudonyms(wishes.salt)
    tree = read_tree(source, pseudonyms)
    problems = table.problems_in(columns.values())
    release = Release(DATASET, "DICOM folder with a table", out / IMAGES, files=[table.path], problems=problems)
    joined = join(release, table, columns, key, tree)
    _add_samples(release, joined, columns, task_of(columns, table.path, table.header), wishes, pseudonyms)
    for reason, paths in tree.left_out.items():
        release.notes[f"file(s) left out: {reason}"] += len(paths)
    release.finish()
    split: list[str] = []
    if parting:
        release.samples, split = part(release.samples, release.places, parting, pseudonyms)
    copied = _copy(out / IMAGES, tree, {image for sample in release.samples for image in sample.images})
    said = [*table.said, *lines, *_tree_said(tree), *split, copied, pseudonyms.said]
    shown = [
        f"left out: {reason}: {', '.join(str(path) for path in paths[:SHOWN])}"
        + (f" and {len(paths) - SHOWN:,} more" if len(paths) > SHOWN else "")
        for reason, paths in tree.left_out.items()
    ]
    return OwnData(release, [*said, *shown], public_said=said)


def _leave_images(columns: dict[str, str], wishes: Wishes) -> list[str]:
    """Take columns of images out, as the folder has the films, and tell so.

    Raises:
        ConfigError: the user gave them.
    """
    named = [name for name in ("image", "images") if columns.pop(name, None)]
    given = [f"--map {name}={wishes.columns[name]}" for name in named if name in wishes.columns]
    if given:
        raise ConfigError(f"{', '.join(given)}: the images are the films of the folder; leave it out")
    return ["its column of images is not used: the films are those of the folder"] if named else []


def _tree_said(tree: Tree) -> list[str]:
    patients = len({study.patient for study in tree.studies if study.patient})
    lines = [
        f"DICOM: {len(tree.films):,} film(s) in {tree.series:,} series of {len(tree.studies):,} studies of "
        f"{patients:,} patient(s)",
        views_said(tree),
    ]
    nameless = sum(not study.patient for study in tree.studies)
    if nameless:
        lines.append(f"{nameless:,} studies whose headers say no PatientID")
    return lines + [
        f"{count:,} studies whose headers hold several {element}; the first is taken"
        for element, count in tree.several.items()
    ]


def _add_samples(
    release: Release,
    joined: Sequence[tuple[str, Mapping[str, Any], Study]],
    columns: Mapping[str, str],
    task: str,
    wishes: Wishes,
    pseudonyms: Pseudonyms,
) -> None:
    first: dict[str, str] = {}
    rows: dict[str, int] = defaultdict(int)
    for where, row, study in joined:
        if task != "vqa" and study.name in first:
            release.problems.append(
                f"{where}: a second {task} for the study of {first[study.name]}; keep one of the rows"
            )
            continue
        first.setdefault(study.name, where)
        values = {name: as_text(row.get(column, "")) for name, column in columns.items()}
        record = texts_of(values)
        record.update({name[len(KEPT) :]: as_metadata(cell) for name, cell in values.items() if name.startswith(KEPT)})
        split = told_split(release, where, values["split"]) if "split" in values else "train"
        if not split:
            continue
        record["study"] = study.name
        subject = _patient(release, study, str(values.get(PATIENT) or "").strip(), pseudonyms)
        if subject:
            record["subject"] = subject
        if study.modality:
            record["modality"] = study.modality
        number = rows[study.name]
        rows[study.name] += 1
        own = str(record.pop("id", "") or "") or (f"{study.name}-{number}" if task == "vqa" else study.name)
        films = all_films(study.films)
        if wishes.per == "study":
            names = tuple(film.view for film in films)
            several: Any = {film.view: film.image for film in films}
            if names == numbered_images(len(films)):
                several = [film.image for film in films]
            shown = [{"images": several} if len(films) > 1 else {"image": films[0].image}]
        else:
            shown = [{"image": film.image, **({"view": film.view} if film.view else {})} for film in study.films]
        for place, images in enumerate(shown):
            record_id = f"{own}-{place}" if len(shown) > 1 else own
            add_record(release, where, record_id, split, task, {**record, **images}, wishes.views, located=True)


def _patient(release: Release, study: Study, told: str, pseudonyms: Pseudonyms) -> str:
    """The patient's pseudonym: as the header says, else as the table does; empty where neither does."""
    by_table = pseudonyms.name(PATIENT, told) if told else ""
    if by_table and study.patient != by_table:
        release.notes[_OTHER_PATIENT if study.patient else _BY_TABLE] += 1
    return study.patient or by_table


def _copy(folder: Path, tree: Tree, wanted: set[str]) -> str:
    """Copies of the films that say nothing of the patient, under their pseudonyms; in words.

    Raises:
        DataError: a film cannot be read, or the folder cannot be written.
    """
    there = folder.glob("*/*/*.dcm") if folder.is_dir() else ()
    old = [path for path in there if _OURS.fullmatch(path.name) and path.relative_to(folder).as_posix() not in wanted]
    for path in old:
        path.unlink()
    written = 0
    with progress("copies without the patient", len(wanted)) as advance:
        for image in sorted(wanted):
            written += copy_film(tree.films[image], folder / image, Path(image).stem)
            advance(1)
    known = f"; {len(wanted) - written:,} of them were there" if written < len(wanted) else ""
    removed = f"; {len(old):,} other copies of an earlier run are removed" if old else ""
    return (
        f"images: {len(wanted):,} copies in {folder}{known}: the pixels as they were, in the header nothing of the "
        f"patient; what is burnt into the picture stays{removed}"
    )
