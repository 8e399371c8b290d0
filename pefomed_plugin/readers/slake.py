"""SLAKE 1.0 (Liu et al. 2021), English and Chinese: the official zip and its JSON copies on Hugging Face."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from .expectations import ERROR, WARNING, Expectation, Found, disjoint, distinct, images_of, kept
from .layouts import Layout, Release, require
from .rows import add_question, load_rows, optional_text
from .spec import PUBLIC, DatasetSpec, Field, Option

DATASET = "slake"
_REQUIRED = ("qid", "img_name", "question", "answer", "answer_type")


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


def _rows_in_files(*reasons: str) -> Found:
    """Rows of the three files: samples, and rows skipped for one of these reasons."""

    def count(release: Release) -> tuple[int, ...]:
        skipped = [skip.where for skip in release.skips if skip.reason.startswith(reasons)]
        return tuple(
            samples + sum(where.startswith(file) for where in skipped)
            for samples, file in zip(kept(release), ("train", "validat", "test"))
        )

    return count


def _is_english(release: Release) -> bool:
    return {sample.metadata.get("language") for sample in release.samples} == {"en"}


_IN_FILES, _ENGLISH = (9_835, 2_099, 2_094), (4_919, 1_053, 1_061)

SLAKE = DatasetSpec(
    DATASET,
    "SLAKE",
    layouts=(
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
    ),
    tasks=("vqa",),
    options=(Option("language", "en", ("en", "zh", "all"), "en is what the paper uses; all leaks"),),
    every_row={"language": "all"},
    stage=2,
    splits={"train": 4_918, "val": 1_053, "test": 1_061},
    images=642,
    longest=(108, 129),
    mean_length=(43, 7),
    expectations=(
        Expectation("rows in the files", ERROR, (_IN_FILES, _ENGLISH), _rows_in_files("language", "empty")),
        Expectation("English rows", ERROR, (_ENGLISH,), _rows_in_files("empty"), _is_english),
        Expectation(
            "English rows without an answer",
            WARNING,
            (1,),
            lambda release: sum(skip.reason == "empty answer" for skip in release.skips),
            _is_english,
        ),
        Expectation("images by split", ERROR, ((450, 96, 96),), distinct(images_of), _is_english),
        Expectation("every image in one split only", ERROR, (True,), disjoint(images_of), _is_english, full=False),
    ),
    fields=(
        Field("question_type", "content type", {"KG": "knowledge graph"}),
        Field(
            "organ",
            "location",
            {
                "Brain_Face": "brain and face",
                "Chest_heart": "heart",
                "Chest_lung": "lung",
                "Chest_mediastinal": "mediastinum",
            },
        ),
        Field("modality", "modality", {"CT": "computed tomography", "MRI": "magnetic resonance imaging"}),
    ),
    audience=PUBLIC,
    licence_id="cc-by-4.0",
    licence="CC BY 4.0",
    citation="Liu et al., SLAKE: A Semantically-Labeled Knowledge-Enhanced Dataset for Medical Visual Question "
    "Answering, ISBI 2021, arXiv:2102.09542",
    url="https://huggingface.co/datasets/BoKelvin/SLAKE",
    quirks=(
        "English splits share no image, but 72 of the 96 English test images occur in Chinese training rows.",
        "About 400 answers are lists, whose order counts for exact match.",
    ),
    specialty="radiology",
    languages=lambda options: {"en": ("en",), "zh": ("zh",)}.get(options["language"], ("en", "zh")),
    sample_writer="pefomed_plugin.embedded.releases_vqa:write_slake",
    page="docs/data/slake.md",
)
"""Rows of another language and rows without an answer (one, qid 1622) are skipped and counted. ``question_type`` is the
release's ``content_type``, ``organ`` its ``location``; ``metadata``: ``source_id``, ``answer_type_from``, ``language``,
``modality``, ``base_type``."""
