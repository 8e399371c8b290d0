"""PathVQA (He et al. 2020): the official pickles, the JSON files of its repository, and the parquet copy.

The release flags neither closed questions nor, in most files, question types: both follow the usual rules, and every
sample says so. Question types are those of the paper's figure 4; the release's own, which has one for all that is
answered by yes or no, by an option.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..records import CLOSED
from .expectations import ERROR, WARNING, Expectation, distinct, images_of, in_layout, kept
from .layouts import Layout, Release, require
from .rows import add_question, load_rows, optional_text, read_parquet_copy
from .spec import PUBLIC, DatasetSpec, Field, Option
from .textfiles import read_plain_pickle

DATASET = "path_vqa"
_SPLITS = ("train", "val", "test")
_RULE, _FIELD, _FIGURE = "official rule", "official field", "words of the paper's figure 4"
FIGURE_4, RELEASED = "figure_4", "released"
"""Values of the option ``question_types``."""
FIGURE_4_TYPES = ("is", "does", "did", "what", "where", "when", "how", "why", "who/whose", "which", "how many/much")
"""In the order in which the paper names them (section 4.3)."""
_IMAGE = re.compile(r"(train|val|test)_\d+")
_QUESTION_WORDS = ("where", "what", "how", "when", "why")
_AUXILIARIES = ("am", "is", "are", "was", "were", "have", "has", "had", "does", "do", "did", "can", "could")
_HOW_MANY = ("how many", "how much")


def question_type_of(question: str) -> str:
    """Question type by the rule of the release (``get_q_type`` in UCSD-AI4H/PathVQA, ``pvqa_data.py:138``)."""
    text = question.lower()
    first = next(iter(text.split()), "")
    if text.startswith(_HOW_MANY):
        return "how many/how much"
    if first in ("who", "whose"):
        return "who/whose"
    if first in _QUESTION_WORDS:
        return first
    if first in _AUXILIARIES:
        return "yes/no"
    if "whose" in text:
        return "who/whose"
    if any(words in text for words in _HOW_MANY):
        return "how many/how much"
    return next((word for word in _QUESTION_WORDS if word in text), "other")


def figure_4_type_of(question: str) -> str:
    """Question type as figure 4 of the paper has it: questions for yes or no by their own first word (is, does, did).

    Words that the figure does not print stay what they are (are, do, was): the paper does not say where it counts them.
    A question that begins with none of them ("In which lung ...") goes by the first of them within it.
    """
    words = re.findall(r"[a-z]+", question.lower())
    for place, word in enumerate(words):
        if word == "how" and words[place + 1 : place + 2] in (["many"], ["much"]):
            return "how many/much"
        if word in ("who", "whose"):
            return "who/whose"
        if word in (*_QUESTION_WORDS, "which") or (place == 0 and word in _AUXILIARIES):
            return word
    return "other"


def _typed(question: Any, question_types: str, official: str | None = None) -> dict[str, Any]:
    """Question type and what the metadata say of it, for ``add_question``."""
    released, source = official or question_type_of(str(question)), _FIELD if official else _RULE
    if question_types == RELEASED:
        return {"question_type": released, "metadata": {"question_type_from": source}}
    metadata = {"question_type_from": _FIGURE, "released_type": released, "released_type_from": source}
    return {"question_type": figure_4_type_of(str(question)), "metadata": metadata}


def _read_official(root: Path, question_types: str) -> Release:
    """``qas/<split>_vqa.pkl``, which carries ids and types, or else ``qas/<split>/<split>_qa.pkl``."""
    release = Release(DATASET, "official", root / "images")
    richer = {split: root / "qas" / f"{split}_vqa.pkl" for split in _SPLITS}
    plainer = {split: root / "qas" / split / f"{split}_qa.pkl" for split in _SPLITS}
    for paths, add in ((richer, _add_vqa_row), (plainer, _add_qa_row)):
        if all(path.is_file() for path in paths.values()):
            for split, path in paths.items():
                seen: Counter[str] = Counter()
                for position, row in enumerate(_load_pickle(path, release)):
                    add(release, f"{path.name}, record {position}", split, row, seen, question_types)
            return release
    missing = [path.relative_to(root) for path in (*richer.values(), *plainer.values()) if not path.is_file()]
    release.problems.append(
        f"neither all *_vqa.pkl nor all *_qa.pkl are there; missing in {root}: {', '.join(map(str, missing))}"
    )
    return release


def _read_repository(root: Path, question_types: str) -> Release:
    """``pvqa_<split>.json`` of ``baselines/method1/saved/lxmert``: one item per image, questions beside answers."""
    release = Release(DATASET, "repository JSON", root / "images")
    for split in _SPLITS:
        name = f"pvqa_{split}.json"
        for position, item in enumerate(load_rows(root / name, release)):
            where = f"{name}, record {position}"
            if not require(item, ("img_id", "sentf", "labelf"), where, release.problems):
                continue
            pairs = _parallel(item["sentf"], item["labelf"])
            if pairs is None:
                release.problems.append(
                    f"{where}: sentf.pvqa and labelf.pvqa are not two lists of equal length; fetch the file again"
                )
                continue
            for number, (question, label) in enumerate(pairs):
                key, place = f"{item['img_id']}-{number}", f"{where}, question {number}"
                typed = _typed(question, question_types)
                _add(release, place, split, key, item["img_id"], question, _only_key(label), typed)
    return release


def _add_vqa_row(
    release: Release, where: str, split: str, row: Mapping[str, Any], seen: Counter[str], question_types: str
) -> None:
    if require(row, ("img_id", "question_id", "sent", "label"), where, release.problems):
        typed = _typed(row["sent"], question_types, optional_text(row.get("question_type")))
        _add(release, where, split, row["question_id"], row["img_id"], row["sent"], _only_key(row["label"]), typed)


def _add_qa_row(
    release: Release, where: str, split: str, row: Mapping[str, Any], seen: Counter[str], question_types: str
) -> None:
    if require(row, ("image", "question", "answer"), where, release.problems):
        image, typed = row["image"], _typed(row["question"], question_types)
        _add(release, where, split, f"{image}-{seen[str(image)]}", image, row["question"], row["answer"], typed)
        seen[str(image)] += 1


def _add(
    release: Release,
    where: str,
    split: str,
    key: Any,
    image: Any,
    question: Any,
    answer: Any,
    typed: Mapping[str, Any],
) -> None:
    match = _IMAGE.fullmatch(str(image))
    if match is None:
        release.problems.append(
            f"{where}: image {image!r} is not of the form train_0422; compare with the original release"
        )
        return
    add_question(
        release,
        where,
        key=key,
        split=split,
        image=f"{match.group(1)}/{image}.jpg",
        question=question,
        answer=answer,
        question_type=typed["question_type"],
        metadata={"source_id": key, **typed["metadata"]},
    )


def _only_key(label: Any) -> Any:
    """The answer of ``{answer: weight}``; any other label as it is, to be refused as no text."""
    return next(iter(label)) if isinstance(label, Mapping) and len(label) == 1 else label


def _parallel(sentences: Any, labels: Any) -> list[tuple[Any, Any]] | None:
    questions, answers = (part.get("pvqa") if isinstance(part, Mapping) else None for part in (sentences, labels))
    if not isinstance(questions, list) or not isinstance(answers, list) or len(questions) != len(answers):
        return None
    return list(zip(questions, answers))


def _load_pickle(path: Path, release: Release) -> list[Mapping[str, Any]]:
    release.files.append(path)
    try:
        rows = read_plain_pickle(path)
    except DataError as error:
        release.problems.append(str(error))
        return []
    if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
        return rows
    release.problems.append(f"{path}: expected a list of records; take the file from the original release")
    return []


def _has_numbers(release: Release) -> bool:
    return all(str(sample.metadata.get("source_id")).isdigit() for sample in release.samples)


def _numbers_fit(release: Release) -> bool:
    first = {"train": "1", "val": "2", "test": "3"}
    return all(str(sample.metadata["source_id"])[0] == first[sample.split] for sample in release.samples)


def _read_parquet(root: Path, question_types: str) -> Release:
    """flaviagiammarino/path-vqa: lower-cased, de-duplicated, without ids and types."""
    splits = {"train": "train", "validation": "val", "test": "test"}
    return read_parquet_copy(DATASET, root, splits, lambda question: _typed(question, question_types))


_WHOLE, _PARQUET = in_layout("official", "repository"), in_layout("parquet")

PATH_VQA = DatasetSpec(
    DATASET,
    "PathVQA",
    layouts=(
        Layout("official", ("qas/**/*qa.pkl",), _read_official),
        Layout("repository JSON", tuple(f"pvqa_{split}.json" for split in _SPLITS), _read_repository),
        Layout("parquet", ("data/train-*.parquet", "data/validation-*.parquet", "data/test-*.parquet"), _read_parquet),
    ),
    tasks=("vqa",),
    options=(
        Option(
            "question_types",
            FIGURE_4,
            (FIGURE_4, RELEASED),
            "figure_4 has is, does, did where released has one type yes/no",
        ),
    ),
    stage=2,
    splits={"train": 19_755, "val": 6_279, "test": 6_761},
    images=4_289,
    longest=(264, 220),
    mean_length=(40, 11),
    expectations=(
        Expectation("questions by split", ERROR, ((19_755, 6_279, 6_761),), kept, _WHOLE),
        Expectation("questions by split", ERROR, ((19_654, 6_259, 6_719),), kept, _PARQUET),
        Expectation("images referenced by split", WARNING, ((2_599, 832, 858),), distinct(images_of), _WHOLE),
        Expectation(
            "closed questions in test",
            WARNING,
            (3_391,),
            lambda release: sum(sample.split == "test" and sample.answer_type == CLOSED for sample in release.samples),
            _WHOLE,
        ),
        Expectation(
            "question_id starts with the split's digit", WARNING, (True,), _numbers_fit, _has_numbers, full=False
        ),
    ),
    fields=(
        Field("question_type", "question word", order=FIGURE_4_TYPES),
        Field("released_type", "question type of the release"),
    ),
    audience=PUBLIC,
    licence="questions MIT (the repository's licence); the images come from copyrighted textbooks and are not free",
    passing_on="The images may not be passed on.",
    citation="He et al., PathVQA: 30000+ Questions for Medical Visual Question Answering, arXiv:2003.10286",
    url="https://github.com/UCSD-AI4H/PathVQA",
    quirks=(
        "Questions were made from captions by rules; 42 test rows repeat an earlier one.",
        "The copy on the Hugging Face hub is de-duplicated: its test split is not the paper's.",
    ),
    specialty="pathology",
    languages=lambda options: ("en",),
    sample_writer="pefomed_plugin.embedded.releases_vqa:write_path_vqa",
    page="docs/data/path_vqa.md",
)
"""An id is the official ``question_id`` where the files have one (``*_vqa.pkl``), else image and running number of the
question on it (``path_vqa-test_0001-2``), or split and row of the parquet copy. ``metadata``: ``source_id``,
``answer_type_from``, ``question_type_from``; with the question types of figure 4 also ``released_type`` (the release's
field, or its rule) and ``released_type_from``."""
