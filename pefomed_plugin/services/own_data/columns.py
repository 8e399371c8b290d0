"""Which column of a user's table is which field of a record: as ``--map`` says, or by names that are common.

The common names stand here alone; which were recognised is said each time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from ...errors import ConfigError, DataError, named, near_names

_COMMON = {
    "image": "image file filename filepath path picture img imagefile imagename imagepath imageid dateiname datei "
    "dateipfad bild bilddatei bildname bildpfad pfad",
    "images": "images bilder",
    "question": "question questiontext frage fragetext",
    "answer": "answer answertext antwort antworttext",
    "report": "report reporttext radiologyreport befund befundtext bericht",
    "caption": "caption bildunterschrift legende bildbeschreibung",
    "id": "id recordid sampleid questionid qid",
    "answer_type": "answertype antworttyp",
    "question_type": "questiontype fragetyp",
    "organ": "organ region koerperregion korperregion",
    "patient": "patient patientid patid pat pid patientno patientnumber patientennummer patientenid patnr patientnr "
    "subject subjectid",
    "study": "study studyid studyinstanceuid studyuid exam examid untersuchung untersuchungsnummer studie",
    "accession": "accession accessionnumber accessionno accno accnr anforderungsnummer auftragsnummer",
    "split": "split partition",
}
COMMON_NAMES: Mapping[str, tuple[str, ...]] = {name: tuple(words.split()) for name, words in _COMMON.items()}
"""Field -> names of columns, in English and German, without case, accents, blanks and marks."""
FIELDS = tuple(COMMON_NAMES)
TEXTS = {"vqa": ("question", "answer"), "report": ("report",), "caption": ("caption",)}
"""Task -> the fields that it needs beside an image."""
TEXT_FIELDS = tuple(name for names in TEXTS.values() for name in names)
_SHOWN_FIELDS = ("image", "images", *TEXT_FIELDS)
PEOPLE = ("patient", "study", "accession")
"""Fields that say who somebody is, and are written under other names."""
JOIN = "+"
"""Between the columns that a text is joined of."""
KEPT = "metadata."
"""Begins the field of a column that is kept with the sample as it is."""
_OURS = frozenset((*FIELDS, "subject", "view", "modality", "source_id", "answer_type_from"))
"""What samples' metadata hold by themselves, or records as fields."""
SPLIT_NAMES = {
    "train": ("train", "training", "fit"),
    "val": ("val", "valid", "validation", "dev", "development"),
    "test": ("test", "testing", "eval", "evaluation", "heldout"),
}
"""Our split -> what others call it."""


_FILE_NAME = re.compile(r".+\.(?:png|jpe?g|tiff?|dcm|bmp|webp|nii|gz)", re.IGNORECASE)


def names_in(cells: Iterable[str], wanted: Iterable[str] = ()) -> list[str]:
    """Those cells that are common names of columns, or names that the user gave."""
    words = {word for words in COMMON_NAMES.values() for word in words}
    words |= {_plain(part) for name in wanted for part in (name, *name.split(JOIN)) if _plain(part)}
    return [cell.strip() for cell in cells if _plain(cell) in words]


def stands_in(name: str, header: Collection[str]) -> bool:
    """Whether a header has a name that the user gave, or each part of it (``joined_columns``)."""
    return name in header or (JOIN in name and all(part.strip() in header for part in name.split(JOIN)))


def split_of(name: str) -> str:
    """Our name of a split; empty where it is none of ``SPLIT_NAMES``."""
    plain = _plain(name)
    return next((ours for ours, names in SPLIT_NAMES.items() if plain in names), "")


def read_map(given: Sequence[str]) -> dict[str, str]:
    """``--map FIELD=COLUMN ...`` as field -> column.

    Raises:
        ConfigError: something else, an unknown field, or a field twice; all of them.
    """
    found: dict[str, str] = {}
    problems = []
    for text in given:
        name, mark, column = (part.strip() for part in text.partition("="))
        if not mark or not name or not column:
            problems.append(f"{text!r}: write it as field=column")
        elif name not in FIELDS and (not name.startswith(KEPT) or name == KEPT):
            known = near_names(name, FIELDS)
            problems.append(
                f"{text!r}: no field {name!r}; {known} A column that is to stay as it is: {KEPT}{name}={column}"
            )
        elif name[len(KEPT) :] in _OURS and name.startswith(KEPT):
            problems.append(
                f"{text!r}: {name[len(KEPT) :]} has a meaning of its own; keep the column under another name"
            )
        elif name in found:
            joined = f"; of both: {name}={found[name]}+{column}" if name in TEXT_FIELDS else ""
            problems.append(f"{text!r}: {name} is {found[name]!r} already{joined}")
        else:
            found[name] = column
    if problems:
        raise ConfigError("--map cannot be used", problems)
    return found


def match_columns(
    path: Path,
    header: Sequence[str],
    given: Mapping[str, str],
    joined: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> tuple[dict[str, str], list[str]]:
    """Field -> column of this table, and in words how each was found and which columns are left out.

    Args:
        joined: column of ``header`` that was made of others -> those.

    Raises:
        DataError: a column that the table does not have, has twice, or that cannot be told from another; all of them.
    """
    problems: list[str] = []
    columns: dict[str, str] = {}
    said: list[str] = []
    for name, column in given.items():
        found = named_columns(column, header)
        if len(found) != 1:
            what = f"{len(found)} columns {column!r}; rename one" if found else ""
            problems.append(
                f"--map {name}={column}: {path.name} has {what or f'no such column; {near_columns(column, header)}'}"
            )
            continue
        columns[name] = found[0]
        spelt = "" if found[0] == column else f" (asked for as {column!r})"
        said.append(f"{name} = {found[0]}{spelt}")
    recognised, doubts = _recognise(header, given)
    shown: dict[str, list[str]] = {}
    for name in (name for name in _SHOWN_FIELDS if name in columns):
        for part in joined.get(columns[name], (columns[name],)):
            shown.setdefault(part, []).append(name)
    doubts += [f"{column!r} cannot be {' and '.join(names)}" for column, names in shown.items() if len(names) > 1]
    problems += [f"{path.name}: {doubt}" for doubt in doubts]
    if problems:
        raise DataError("the columns of the table cannot be told", problems)
    columns.update(recognised)
    lines = ["columns: " + ", ".join(said)] if said else []
    if recognised:
        lines.append(
            "columns known by their names: "
            + ", ".join(name if name == column else f"{name} = {column}" for name, column in recognised.items())
            + " (--map says otherwise)"
        )
    used = {*columns.values(), *(part for column in columns.values() for part in joined.get(column, ()))}
    left = [name for name in header if name and name not in used]
    if left:
        lines.append(f"columns left out: {named(left)} (keep one with --map {KEPT}NAME=COLUMN)")
    return columns, lines


def in_clear(columns: Mapping[str, str], joined: Mapping[str, Sequence[str]]) -> list[str]:
    """Fields that would keep, as it is, a column that says who somebody is. ``joined`` as in ``match_columns``."""
    people = {columns[name] for name in PEOPLE if name in columns}
    kept = [name for name in columns if name in ("id", *TEXT_FIELDS) or name.startswith(KEPT)]
    return [name for name in kept if people & {columns[name], *joined.get(columns[name], ())}]


def task_of(columns: Iterable[str], path: Path, header: Sequence[str]) -> str:
    """``vqa``, ``report`` or ``caption``, by the fields that a table has.

    Raises:
        DataError: none of them, or several.
    """
    names = set(columns)
    tasks = [task for task, needed in TEXTS.items() if names & set(needed)]
    if len(tasks) != 1:
        found = " and ".join(tasks) if tasks else "none of them"
        headless = any(_FILE_NAME.fullmatch(name) for name in header)
        raise DataError(
            f"{path.name}: needs question and answer, or report, or caption, and has {found}; name the columns, for "
            f"example --map report=COLUMN. Its columns: {named(header) or 'none'}"
            + (". Is that a record? Then put a line above it that names the columns" if headless else "")
        )
    missing = [name for name in TEXTS[tasks[0]] if name not in names]
    if missing:
        raise DataError(
            f"{path.name}: no column for {', '.join(missing)}; name it with --map {missing[0]}=COLUMN. Its columns: "
            f"{named(header)}"
        )
    return tasks[0]


def _recognise(header: Sequence[str], given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Field -> column by common names, of fields that the user did not give; and what cannot be told."""
    has_text = any(name in given for name in TEXT_FIELDS)
    skipped = set(given) | (set(TEXT_FIELDS) - {"question", "answer"} if has_text else set())
    if has_text and not {"question", "answer"} & set(given):
        skipped |= {"question", "answer"}
    if {"image", "images"} & set(given):
        skipped |= {"image", "images"}
    found: dict[str, str] = {}
    doubts = []
    for name, words in COMMON_NAMES.items():
        if name in skipped:
            continue
        fitting = [column for column in dict.fromkeys(header) if _plain(column) in words]
        exact = [column for column in fitting if column == name]
        chosen = exact if len(exact) == 1 else fitting
        if len(chosen) > 1:
            doubts.append(f"{' and '.join(chosen)} may both be the {name}; say which: --map {name}={chosen[0]}")
        elif chosen:
            found[name] = chosen[0]
            if list(header).count(chosen[0]) > 1:
                doubts.append(f"two columns are called {chosen[0]!r}; rename one")
    return found, doubts


def named_columns(column: str, header: Sequence[str]) -> list[str]:
    """The columns of this name; if there are none, those that differ in case, accents, blanks and marks alone."""
    exact = [name for name in header if name == column]
    return exact or [name for name in header if _plain(name) == _plain(column) and _plain(name)]


def near_columns(column: str, header: Sequence[str]) -> str:
    """Which columns may have been meant, for a message."""
    return near_names(column, [name for name in header if name])


def _plain(name: str) -> str:
    """Letters and digits alone, without case and accents."""
    parts = unicodedata.normalize("NFKD", name).casefold()
    return re.sub(r"[\W_]", "", "".join(sign for sign in parts if not unicodedata.combining(sign)))
