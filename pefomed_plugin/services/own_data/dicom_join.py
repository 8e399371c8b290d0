"""Rows of a table of reports and the studies that they belong to, by a key that the user chooses.

Keys are of patients: no message says one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ...errors import ConfigError, DataError
from ...readers import Release
from ..data.folds import PATIENT
from .columns import in_clear
from .dicom_tree import JOINS, Study, Tree
from .tables import Table, as_text
from .wishes import Wishes

NO_STUDY = "no study of the folder has its key"
_ZEROS_LOST = (
    "row(s) without a study differ from one in leading zeros or case alone: format the column as text, correct it"
)
_UNREPORTED = "studies of the folder without a row in the table"


def join_of(wishes: Wishes, columns: Mapping[str, str], table: Table) -> str:
    """The field that joins. Raises ConfigError where it is not chosen, or the table does not have it."""
    has = [name for name in JOINS if name in columns]
    if not wishes.join:
        known = (
            f"the table has {', '.join(f'{name} ({columns[name]})' for name in has)}"
            if has
            else (f"its columns: {', '.join(table.header)}; name one with --map accession=COLUMN")
        )
        raise ConfigError(
            f"--join: say by what {table.path.name} is joined with the studies: {', '.join(JOINS)}; {known}"
        )
    if wishes.join not in columns:
        raise ConfigError(
            f"--join {wishes.join}: no column of {table.path.name} says it; name it with --map {wishes.join}=COLUMN. "
            f"Its columns: {', '.join(table.header)}"
        )
    clear = in_clear(columns, table.joined)
    if clear:
        raise ConfigError(
            f"--map {clear[0]}={columns[clear[0]]}: this column says who the patient is, and would be written as it "
            "is; leave it out, patients and studies have names of their own"
        )
    return wishes.join


def join(
    release: Release, table: Table, columns: Mapping[str, str], key: str, tree: Tree
) -> list[tuple[str, Mapping[str, Any], Study]]:
    """Rows with the study that each belongs to; the others are counted, or problems of ``release``.

    Raises:
        DataError: not one row finds a study.
    """
    studies: dict[str, list[Study]] = defaultdict(list)
    for study in tree.studies:
        if study.keys[key]:
            studies[study.keys[key]].append(study)
    bare = set(map(_bare, studies))
    joined: list[tuple[str, Mapping[str, Any], Study]] = []
    used: set[str] = set()
    for where, row in table.rows:
        value = str(as_text(row.get(columns[key]))).strip()
        found = studies.get(value, [])
        if not value:
            release.problems.append(f"{where}: no {key}; fill it, or delete the row")
        elif len(found) > 1:
            release.problems.append(
                f"{where}: {len(found)} studies have this {key}, and nothing says which one it means; join by "
                f"{' or '.join(name for name in JOINS if name not in (key, PATIENT))}"
            )
        elif found:
            used.add(found[0].name)
            joined.append((where, row, found[0]))
        else:
            release.skip(where, NO_STUDY)
            if _bare(value) in bare:
                release.notes[_ZEROS_LOST] += 1
    if not joined and not release.problems:
        raise DataError(
            f"{table.path.name}: none of {len(table.rows):,} rows has the {JOINS[key]} of one of {len(tree.studies):,} "
            f"studies; {_hint(table, columns, key, tree)}"
        )
    release.notes[_UNREPORTED] += len(tree.studies) - len(used)
    release.notes[f"of them whose headers say no {JOINS[key]}"] += sum(not study.keys[key] for study in tree.studies)
    return joined


def _hint(table: Table, columns: Mapping[str, str], key: str, tree: Tree) -> str:
    """What may be wrong with a join that finds nothing; tells no value."""
    values = {str(as_text(row.get(columns[key]))).strip() for _, row in table.rows}
    for other, element in JOINS.items():
        count = sum(study.keys[other] in values for study in tree.studies if study.keys[other])
        if other != key and count:
            return f"its column {columns[key]} holds the {element} of {count:,} of them: --map {other}={columns[key]}"
    bare = set(map(_bare, values))
    count = sum(_bare(study.keys[key]) in bare for study in tree.studies if study.keys[key])
    if count:
        return f"{count:,} differ in leading zeros or case alone: format the column as text and enter it anew"
    return "see that the column and --join say the same thing"


def _bare(key: str) -> str:
    """The same for keys that spreadsheets and people make of one."""
    return key.casefold().lstrip("0")
