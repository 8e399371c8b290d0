"""SLAKE 1.0 (Liu et al. 2021), English and Chinese: the official zip and its JSON copies on Hugging Face.

Text only; knows nothing of torch or pixels.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .layouts import Layout, Release, read_release, require
from .rows import add_question, check_choice, load_rows, optional_text

DATASET = "slake"
LANGUAGES = ("en", "zh", "all")
_REQUIRED = ("qid", "img_name", "question", "answer", "answer_type")


def read_slake(root: Path, language: str = "en") -> Release:
    """Samples of SLAKE; the folder may be text only, images are not looked at.

    Args:
        root: the folder of ``train.json``.
        language: ``en`` (the paper: 4,918 / 1,053 / 1,061), ``zh`` or ``all``. English and Chinese together leak: 72 of
            the 96 English test images occur in Chinese training rows.

    Rows of another language and rows without an answer (one, qid 1622) are skipped and counted. ``question_type`` is
    the release's ``content_type``, ``organ`` its ``location``; ``metadata``: ``source_id``, ``answer_type_from``,
    ``language``, ``modality``, ``base_type``.

    Raises:
        ConfigError: an unknown language.
        DataError: no layout recognised, or records that cannot be used, all in one message.
    """
    check_choice("slake.language", language, LANGUAGES)
    return read_release(DATASET, LAYOUTS, root, {"language": language})


def _read(root: Path, layout: str, val_name: str, language: str) -> Release:
    # English-only copies call the folder images; without either, the official name is what the user should make.
    folder = "images" if (root / "images").is_dir() and not (root / "imgs").is_dir() else "imgs"
    release = Release(DATASET, layout, root / folder)
    for split, name in (("train", "train.json"), ("val", val_name), ("test", "test.json")):
        for position, row in enumerate(load_rows(root / name, release)):
            where = f"{name}, record {position} (qid {row.get('qid', 'missing')})"
            if not require(row, _REQUIRED, where, release.problems):
                continue
            row_language = row.get("q_lang", "en")  # the English-only copies may do without
            if language not in (row_language, "all"):
                release.skip(where, f"language {row_language}, not {language}")
                continue
            add_question(
                release,
                where,
                key=row["qid"],
                split=split,
                image=row["img_name"],
                question=row["question"],
                answer=row["answer"],
                answer_type=str(row["answer_type"]),
                question_type=optional_text(row.get("content_type")),
                organ=optional_text(row.get("location")),
                metadata={
                    "source_id": row["qid"],
                    "language": row_language,
                    "modality": row.get("modality"),
                    "base_type": row.get("base_type"),
                },
            )
    return release


LAYOUTS = (
    Layout(
        "official",
        ("train.json", "validate.json", "test.json"),
        partial(_read, layout="official", val_name="validate.json"),
    ),
    Layout(
        "Hugging Face copy",
        ("train.json", "validation.json", "test.json"),
        partial(_read, layout="Hugging Face copy", val_name="validation.json"),
    ),
)
