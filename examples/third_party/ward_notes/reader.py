"""Ward notes: one CSV a split with film, question, reply and ward; the films lie in ``films/``."""

from __future__ import annotations

from pathlib import Path

from pefomed_plugin.readers import DatasetSpec, Field, Layout, Option, Release
from pefomed_plugin.readers.rows import add_question
from pefomed_plugin.readers.tables import read_csv


def _read_notes(root: Path, ward: str) -> Release:
    release = Release("ward_notes", "notes", image_root=root / "films")
    for split, name in (("train", "notes_train.csv"), ("test", "notes_test.csv")):
        path = root / name
        release.files.append(path)
        for line, row in read_csv(path, ("film", "question", "reply", "ward"), release.problems):
            where = f"{name}, line {line}"
            if ward not in ("all", row["ward"]):
                release.skip(where, "another ward")
                continue
            add_question(
                release,
                where,
                key=f"{split}-{line}",
                split=split,
                image=row["film"],
                question=row["question"],
                answer=row["reply"],
                metadata={"ward": row["ward"]},
            )
    return release


WARD_NOTES = DatasetSpec(
    name="ward_notes",
    title="Ward notes",
    layouts=(Layout("notes", ("notes_train.csv", "notes_test.csv"), _read_notes),),
    tasks=("vqa",),
    options=(Option("ward", default="all", help="read the notes of one ward alone"),),
    fields=(Field("ward", "ward", {"B2": "surgery", "C1": "cardiology"}),),
    longest=(80, 40),
    licence="the hospital's own; not for others",
    specialty="radiology",
)
