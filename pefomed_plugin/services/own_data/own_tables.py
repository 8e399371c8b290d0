"""Own tables with images in a folder: one file, split here, or one a split. Records become samples of
``medical_custom``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import ConfigError, DataError, named
from ...readers import Release
from ...readers.custom import DATASET
from ...records import SPLITS
from ..data.folds import PATIENT, STUDY
from ..images.image_folder import SUFFIXES as IMAGES
from .columns import PEOPLE, in_clear, match_columns, split_of, task_of
from .image_lookup import MISSING, ImageFinder
from .joined_columns import join_columns
from .pseudonyms import Pseudonyms
from .records import Records
from .splitting import Parting, part
from .tables import SUFFIXES, UNREAD, Table, read_table
from .wishes import OwnData, Wishes

_METADATA = "metadata"


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


def _unread_in(source: Path) -> list[str]:
    """Names of files in a folder that look like tables, by their ending or a split's name, in a form not read here."""
    if source.is_file():
        return []
    names = sorted(path.name for path in source.iterdir() if path.is_file() and not path.name.startswith((".", "~$")))
    endings = SUFFIXES | IMAGES
    others = [name for name in names if Path(name).suffix.lower() not in endings and not name.endswith(".nii.gz")]
    return [name for name in others if Path(name).suffix.lower() in UNREAD or split_of(name.partition(".")[0])]


def _all_tables(source: Path) -> list[Path]:
    if source.is_file():
        return []
    folders = [source, *(folder for folder in sorted(source.iterdir()) if split_of(folder.name))]
    return [path for folder in folders for path in _tables_in(folder)]


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
    own = assemble(release, tables, wishes, f"images: linked, not copied, in {root}")
    unread = _unread_in(source)
    if unread:
        own.said.append(f"files left out, as tables of this form are not read: {named(unread)}")
    left = [path for path in _all_tables(source) if path not in release.files]
    if left:
        own.said.append(
            f"tables left out, as nothing says their split: {named(path.relative_to(folder) for path in left)}"
        )
    return own


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
        joined = join_columns(table, wishes.columns)
        columns, lines = match_columns(table.path, table.header, wishes.columns, table.joined)
        lines += joined + leave_split(columns, split, wishes)
        task = task_of(columns, table.path, table.header)
        if not {"image", "images"} & set(columns):
            raise DataError(
                f"{table.path.name}: no column of images; name it with --map image=COLUMN, or, if it is about DICOM "
                f"studies, give it as --reports and their folder as --source. Its columns: {named(table.header)}"
            )
        read.append((table, split, columns, task))
        lines += [
            f"{columns[name]} is written as it is, as {name}; leave {name} out of --map if nobody is to see it"
            for name in in_clear(columns, table.joined)
        ]
        said += [line for line in (*table.said, *lines) if line not in said]
        release.problems += table.problems_in(columns.values())
    parting = parting_of([(split, columns) for _, split, columns, _ in read], wishes)
    has_people = any(set(PEOPLE) & set(columns) for _, _, columns, _ in read)
    pseudonyms = Pseudonyms(wishes.salt) if has_people else None
    reader = Records(release, ImageFinder(release.image_root), pseudonyms, wishes)
    for table, split, columns, task in read:
        reader.add_table(table, split, columns, task)
    if wishes.nifti_slice and not reader.volumes:
        raise ConfigError(f"--nifti-slice {wishes.nifti_slice}: no record names a NIfTI volume; leave it out")
    release.notes.update({what: count for what, count in reader.finder.notes.items() if what != MISSING})
    said.append(linked)
    release.finish()
    if parting:
        release.samples, lines = part(release.samples, release.places, parting, pseudonyms)
        said += lines
    return OwnData(release, [*said, *([pseudonyms.said] if pseudonyms else [])], reader.finder.notes[MISSING])


def leave_split(columns: dict[str, str], split: str, wishes: Wishes) -> list[str]:
    """Take the column of splits out where the file or ``--split`` says it, and tell so."""
    if "split" in columns and (split or (wishes.shares and "split" not in wishes.columns)):
        del columns["split"]
        return ["its column of splits is not used, as " + ("the file says its split" if split else "--split does")]
    return []


def parting_of(read: Sequence[tuple[str, Mapping[str, str]]], wishes: Wishes) -> Parting | None:
    """How to split what is not split yet; None where it is.

    Raises:
        ConfigError: it is split already and is to be split, or the choice is missing.
    """
    unsplit = any(not split and "split" not in columns for split, columns in read)
    if not unsplit:
        if wishes.shares:
            raise ConfigError("--split: the files say their split already; leave it out, or name one file as --source")
        return None
    return _choose_parting({name for _, columns in read for name in columns}, wishes)


def _choose_parting(names: set[str], wishes: Wishes) -> Parting:
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
