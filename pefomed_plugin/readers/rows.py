"""From the values of a row to a sample: the checks that the stage-2 readers share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

from ..errors import DataError
from ..records import CLOSED, OPEN, Sample
from .layouts import Release
from .tables import read_shards
from .textfiles import read_json_list

OFFICIAL_FLAG = "official flag"
YES_NO_RULE = "yes/no rule"


def load_rows(path: Path, release: Release) -> list[dict[str, Any]]:
    """Objects of a JSON list; a damaged file becomes a problem of ``release`` so that the other files are read too."""
    release.files.append(path)
    try:
        return read_json_list(path)
    except DataError as error:
        release.problems.append(str(error))
        return []


def optional_text(value: Any) -> str | None:
    """Text of an optional field; a number is spelled out, None and blanks give None."""
    return (str(value).strip() or None) if isinstance(value, (str, int)) else None


def closed_by_answer(answer: str) -> str:
    """The usual rule where a release has no flag: an answer that is yes or no is CLOSED (``no tumor`` is OPEN).

    It is not VQA-RAD's official flag: of its 451 test questions 272 are flagged CLOSED, 251 by this rule.
    """
    return CLOSED if answer.strip().lower() in ("yes", "no") else OPEN


def add_question(
    release: Release,
    where: str,
    *,
    key: Any,
    split: str,
    image: Any,
    question: Any,
    answer: Any,
    answer_type: Any = None,
    metadata: Mapping[str, Any],
    question_type: str | None = None,
    organ: str | None = None,
    phrase_type: str | None = None,
    views: tuple[str, ...] = (),
) -> None:
    """Append one VQA sample to ``release``, or record why the row cannot be one.

    Args:
        where: file and record, for messages.
        key: what follows ``<data set>-`` in the sample's id.
        image: path below the image root, or a tuple of several; must stay there, symbolic links followed.
        question, answer: kept as released; a number becomes text.
        answer_type: the release's flag; without one, ``closed_by_answer`` decides and ``metadata`` says so.
        views: what each image is called; empty where nobody says.

    A value of the wrong kind is a problem, an empty question or answer is skipped and counted.
    """
    several = isinstance(image, tuple)
    texts, problem = _as_texts({**({} if several else {"image": image}), "question": question, "answer": answer})
    images = image if several else (texts.get("image", ""),)
    flag = closed_by_answer(texts.get("answer", "")) if answer_type is None else str(answer_type).strip().upper()
    if problem is None:
        problem = _id_problem(key) or _images_problem(release, images)
    if problem is None and flag not in (OPEN, CLOSED):
        problem = f"answer_type {answer_type!r} is neither OPEN nor CLOSED; compare with the original release"
    if problem is not None:
        release.problems.append(f"{where}: {problem}")
        return
    for name in ("question", "answer"):
        if not texts[name].strip():
            release.skip(where, "empty " + name)
            return
    release.add(
        Sample(
            id=f"{release.dataset}-{key}",
            dataset=release.dataset,
            split=split,
            task="vqa",
            answer_type=flag,
            question_type=question_type,
            organ=organ,
            phrase_type=phrase_type,
            metadata={**metadata, "answer_type_from": YES_NO_RULE if answer_type is None else OFFICIAL_FLAG},
            images=images,
            views=views,
            question=texts["question"],
            answer=texts["answer"],
        ),
        where,
    )


def read_parquet_copy(
    dataset: str,
    root: Path,
    splits: Mapping[str, str],
    typed: Callable[[str], Mapping[str, Any]] = lambda question: {},
) -> Release:
    """A copy on Hugging Face with columns ``image``, ``question`` and ``answer``; ids are split and row number.

    Args:
        splits: name of a split in the file names -> ours.
        typed: of a question its ``question_type``, and ``metadata`` that say where it is from.
    """
    release = Release(dataset, "parquet", root)
    for name, split in splits.items():
        for number, (image, row) in enumerate(read_shards(release, name, ("question", "answer"))):
            found = typed(str(row["question"]))
            add_question(
                release,
                image,
                key=f"{split}-{number}",
                split=split,
                image=image,
                question=row["question"],
                answer=row["answer"],
                question_type=found.get("question_type"),
                metadata={"source_id": image, **found.get("metadata", {})},
            )
    return release


def image_problem(release: Release, image: str) -> str | None:
    """What is wrong with an image path of a data file, if anything. Whether the file exists is not asked here."""
    if release.tree.leads_out(image):
        return f"image {image!r} leads out of {release.image_root}; correct the path or replace the symbolic link"
    return None


def _id_problem(key: Any) -> str | None:
    if isinstance(key, bool) or not isinstance(key, (str, int)) or key == "":
        return f"{key!r} is not an id; number the record"
    return None


def _images_problem(release: Release, images: tuple[str, ...]) -> str | None:
    # Questions about one image follow each other, and following links costs more than all the rest of a row.
    if release.samples and release.samples[-1].images == images:
        return None
    return next(filter(None, (image_problem(release, image) for image in images)), None)


def _as_texts(values: Mapping[str, Any]) -> tuple[dict[str, str], str | None]:
    texts: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            kind = "empty (null)" if value is None else f"a {type(value).__name__}"
            return texts, f"{name} is {kind}, expected text; compare with the original release"
        texts[name] = str(value)
    return texts, None
