"""Ward notes: one CSV a split with film, question, reply and ward; the films lie in ``films/``."""

from __future__ import annotations

from pathlib import Path

from pefomed_plugin.readers.layouts import Layout, Release, read_release
from pefomed_plugin.readers.rows import add_question
from pefomed_plugin.readers.tables import read_csv

DATASET = "ward_notes"


def read_ward_notes(root: Path, ward: str = "all") -> Release:
    """Samples of ward notes; ``ward`` is an option: ``datasets.ward_notes.options.ward`` or ``--option ward=B2``."""
    return read_release(DATASET, LAYOUTS, root, {"ward": ward})


def _read_notes(root: Path, ward: str) -> Release:
    release = Release(DATASET, "notes", image_root=root / "films")
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


LAYOUTS = (Layout("notes", ("notes_train.csv", "notes_test.csv"), _read_notes),)
