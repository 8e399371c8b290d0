"""The user's own images and texts, ``medical_custom``: a JSON-lines or CSV file a split.

``train.jsonl``, ``val.jsonl``, ``test.jsonl`` (or ``.csv``), each with ``image`` and either ``question`` and
``answer``, or ``report``, or ``caption``; optional: ``id``, ``answer_type``, ``question_type``, ``organ``, ``study``.
Images lie in ``images/`` or are given relative to the folder. A record of several has ``images`` in place of ``image``:
an object name -> path in the order in which they are shown, or a list of paths; in CSV ``frontal=a.png; lateral=b.png``
or ``a.png; b.png``. Any other column goes into ``metadata``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import DataError, named
from ..json_fields import kind_of
from ..records import SPLITS
from .captions import add_caption
from .layouts import Layout, Release
from .rows import add_question, optional_text
from .spec import DatasetSpec, Option
from .tables import read_csv, read_lines
from .textfiles import read_json_lines
from .views import ALL, FIRST, NOT_SHOWN, named_images

DATASET = "medical_custom"
_NEEDED = {"vqa": ("image", "question", "answer"), "report": ("image", "report"), "caption": ("image", "caption")}
_AS_IT_IS = "or let pefomed prepare read it as it is (docs/own-data.md)"
_OTHER_NAMES = "; pefomed prepare takes other names (--map report=COLUMN)"
_SEVERAL = "images"
_FIELDS = frozenset(
    ("image", _SEVERAL, "question", "answer", "report", "caption", "id", "answer_type", "question_type", "organ")
)

_YES_NO = frozenset(("ja", "nein", "y", "n", "oui", "non", "sí", "si", "true", "false", "wahr", "falsch"))
"""What may be meant for yes or no, which alone make an answer closed where nobody says its type."""
_OTHER_WORDS = "answer(s) such as ja, non or true, which count as OPEN; for CLOSED write yes and no, or say answer_type"
_MARKUP = re.compile(
    r"<(?:/?(?:b|i|u|p|br|div|span|font|table|tr|td|ul|li)\b[^<>]*)>|&(?:nbsp|amp|lt|gt|szlig|[aou]uml);", re.I
)
_WITH_MARKUP = "text(s) with HTML in them, kept as they are"
EMPTY_WORDS = frozenset(
    ("n/a", "na", "nan", "none", "null", "-", "--", "---", ".", "?", "k.a.", "unknown", "unbekannt")
)
_SAYING_NOTHING = "text(s) that say nothing (such as n/a or -), kept as they are"

Row = Mapping[str, Any]


def _read_files(root: Path, suffix: str, views: str) -> Release:
    layout = "JSON lines" if suffix == ".jsonl" else "CSV"
    release = Release(DATASET, layout, root)
    for split in SPLITS:
        path = root / (split + suffix)
        if path.is_file():
            release.files.append(path)
            try:
                _read_file(path, split, release, views)
            except DataError as error:
                raise DataError(
                    f"{error.summary}; {_AS_IT_IS}" if suffix == ".csv" else error.summary, error.problems
                ) from error
    read = {path.name for path in release.files}
    for name in sorted(os.listdir(root)):
        if name not in read and name.partition(".")[0] in SPLITS and (root / name).is_file():
            release.notes[f"file named after a split left out, as {layout} are read: {name}"] += 1
    return release


def _read_file(path: Path, split: str, release: Release, shows: str) -> None:
    """One task a file, known by the columns of its first record."""
    task: str | None = None
    rows = (
        read_json_lines(path, release.problems)
        if path.suffix == ".jsonl"
        else read_csv(path, (_SEVERAL if _shows_several(path) else "image",), release.problems)
    )
    for number, row in rows:
        where = f"{path.name}, line {number}"
        if not isinstance(row, dict):
            release.problems.append(f"{where}: expected an object, found {kind_of(row)}")
            continue
        if task is None:
            task = _task(row)
            if task is None:
                hint = "" if any(names[-1] in row for names in _NEEDED.values()) else _OTHER_NAMES
                release.problems.append(
                    f"{where}: needs one of question and answer, report, or caption; found {named(row)}{hint}"
                )
                return
        shown = _SEVERAL if _SEVERAL in row else "image"
        missing = [name for name in (shown, *_NEEDED[task][1:]) if name not in row]
        if missing:
            release.problems.append(
                f"{where}: missing {', '.join(missing)}; every record of a {task} file needs {', '.join(_NEEDED[task])}"
            )
        else:
            add_record(release, where, f"{split}-{number}", split, task, row, shows)
    if task is None:
        release.problems.append(f"{path.name}: no records; fill the file or delete it")


def _task(row: Row) -> str | None:
    tasks = [task for task, names in _NEEDED.items() if names[-1] in row]
    return tasks[0] if len(tasks) == 1 else None


def add_record(
    release: Release, where: str, place: str, split: str, task: str, row: Row, shows: str, *, located: bool = False
) -> None:
    """Append the sample of one record to ``release``, or a problem or skip.

    Args:
        place: follows ``medical_custom-`` in the id of a record without ``id``.
        row: the fields of ``_FIELDS``; others become metadata.
        shows: ``ALL`` images of a record of several, or the ``FIRST``.
        located: the images are paths below the root already, not names to look for in ``images/``.
    """
    odd = sorted(name for name in _FIELDS - {_SEVERAL} if isinstance(row.get(name), (bool, list, dict)))
    if odd:
        release.problems.append(f"{where}: {', '.join(odd)} must be text")
        return
    if _SEVERAL in row and str(row.get("image") or "").strip():
        release.problems.append(f"{where}: image and images; name all in images, or one in image")
        return
    images, views, problem = named_images(row[_SEVERAL]) if _SEVERAL in row else ((str(row["image"]).strip(),), (), "")
    if problem:
        release.problems.append(f"{where}: {problem}")
        return
    if shows == FIRST:
        release.notes[NOT_SHOWN] += len(images) - 1
        images, views = images[:1], ()
    image = images if located else tuple(_image(release, path) for path in images)
    metadata = {name: value for name, value in row.items() if name not in _FIELDS}
    source_id = optional_text(row.get("id"))
    if source_id:
        metadata["source_id"] = source_id
    _note(release, task, row)
    if task == "vqa":
        add_question(
            release,
            where,
            key=source_id or place,
            split=split,
            image=image,
            views=views,
            question=row["question"],
            answer=row["answer"],
            answer_type=optional_text(row.get("answer_type")),
            question_type=optional_text(row.get("question_type")),
            organ=optional_text(row.get("organ")),
            metadata=metadata,
        )
    else:
        add_caption(
            release,
            where,
            key=source_id or place,
            split=split,
            image=image,
            views=views,
            caption=row[task],
            task=task,
            metadata=metadata,
        )


def _note(release: Release, task: str, row: Row) -> None:
    """Count what is read as it stands and may not be meant so."""
    text = str(row["answer" if task == "vqa" else task] or "").strip()
    if task == "vqa":
        found = {_OTHER_WORDS: text.casefold() in _YES_NO and not optional_text(row.get("answer_type"))}
    else:
        found = {
            _SAYING_NOTHING: text.casefold() in EMPTY_WORDS,
            _WITH_MARKUP: _MARKUP.search(text) is not None,
        }
    release.notes.update(what for what, is_so in found.items() if is_so)


def _shows_several(path: Path) -> bool:
    """Whether a CSV's header has the column of several images."""
    _, header = next(read_lines(path), (1, ""))
    return _SEVERAL in (name.strip() for name in header.split(","))


def _image(release: Release, image: str) -> str:
    """The path as given where such a file is, else in ``images/``; whether it exists there is checked elsewhere.

    An absolute path that lies in ``root`` is taken as relative to it.
    """
    root, tree = release.image_root, release.tree
    if os.path.isabs(image):
        base, target = os.path.realpath(root), os.path.realpath(image)
        return Path(target).relative_to(base).as_posix() if target.startswith(base + os.sep) else image
    given = tree.leads_out(image) or tree.is_file(image) or not os.path.isdir(os.path.join(root, "images"))
    return image if given else "images/" + image


MEDICAL_CUSTOM = DatasetSpec(
    DATASET,
    "Own data",
    layouts=(
        Layout("JSON lines", ("{train,val,test}.jsonl",), partial(_read_files, suffix=".jsonl")),
        Layout("CSV", ("{train,val,test}.csv",), partial(_read_files, suffix=".csv")),
    ),
    options=(Option("views", ALL, (ALL, FIRST), "of records of several images: all of them, or the first alone"),),
    licence="to be stated by whoever collected them",
    passing_on="Images and texts of patients: to be passed on only with the right to do so.",
    citation="to be stated by whoever collected them",
    page="docs/own-data.md",
)
