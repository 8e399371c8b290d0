"""Result files in JSON: LLaVA-Med, MedEvalKit, lmms-eval, ms-swift, LLaMA-Factory, ReXrank and the paper's authors.

Which fields each project writes, and what of it was verified, stands in docs/other-peoples-predictions.md.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Callable

from ...errors import DataError, named
from ...input_files import open_input
from ...json_fields import kind_of
from ...readers.iu_studies import OPEN_I
from ...readers.textfiles import read_json, read_json_list, read_rows
from .answers import (
    IMAGE_TOKEN,
    SAMPLE_ID,
    Answer,
    first_of,
    last_asked,
    make_answers,
    without_image_tokens,
)
from .final_answers import final_answer

_rows, _list = partial(read_rows, with_nan=True), partial(read_json_list, with_nan=True)
"""Pandas writes an empty cell as NaN."""
_OUR_RECORD = {"id", "dataset", "prediction"}
_STUDY = "study"


def read_llava_med(path: Path) -> list[Answer]:
    """LLaVA-Med's answers: JSON lines with ``question_id``, ``prompt``, ``text``.

    Raises:
        DataError: not such a file, or of several models; every damaged record is named.
    """
    rows = _rows(path)
    found = make_answers(path, "line", rows, {"text": "text", "key": "question_id"}, {"question": "prompt"})
    models = sorted({str(row["model_id"]) for _, row in rows if row.get("model_id")})
    if len(models) > 1:
        raise DataError(f"{path} holds answers of several models, {named(models)}; give each a file of its own")
    return [replace(sample, question=sample.question and sample.question.replace(IMAGE_TOKEN, "")) for sample in found]


def read_medevalkit(path: Path) -> list[Answer]:
    """MedEvalKit's ``results.json``: a list with ``question``, ``answer``, ``response``, neither id nor image.

    Its reports (IU-Xray, MIMIC-CXR) have ``image`` and ``findings`` instead, and IU-Xray's the number that Open-i gave
    the report (``open_i_1020``), while images have names of their own. Of a response that reasons, the answer is
    what stands in the last ``\\boxed{}`` or ``<answer>``, as the kit itself takes it.

    Raises:
        DataError: not such a file; every damaged record is named.
    """
    rows: list[tuple[int, Any]] = list(enumerate(_list(path)))
    if rows and "question" not in rows[0][1] and "findings" in rows[0][1]:
        rows = [(number, {**row, "image": first_of(row.get("image")), _STUDY: _open_i(row)}) for number, row in rows]
        needed, optional = {"text": "response", "image": "image"}, {"reference": "findings", "key": _STUDY}
    else:
        needed = {"text": "response", "question": "question", "reference": "answer"}
        optional = {}
    found = make_answers(path, "record", rows, needed, optional)
    return [replace(answer, text=answer.text and final_answer(answer.text)) for answer in found]


def read_lmms_eval(path: Path) -> list[Answer]:
    """lmms-eval's samples (``--log_samples``): JSON lines with ``doc_id``, ``target``, ``filtered_resps``.

    ``input`` is the prompt. Earlier versions wrote ``doc`` in its place, of which ``question`` is read, and up to 0.2
    the samples as ``logs`` of one object. Our own files
    of this format carry ``sample_id``, and tasks that we write log the record of the sample. Records are put in the
    order of ``doc_id``, which several processes mix.

    Raises:
        DataError: not such a file, or likelihoods of choices in place of answers; every damaged record is named.
    """

    def fields(row: dict[str, Any]) -> dict[str, Any]:
        asked = row["doc"].get("question") if isinstance(row.get("doc"), dict) else None
        return {"question": asked or last_asked(row.get("input")), SAMPLE_ID: row.get(SAMPLE_ID) or _id_in(row)}

    rows = _in_their_order(_logged(path), "doc_id")
    likelihoods = [
        f"{path.name}, line {number}"
        for number, row in rows
        if isinstance(row, dict) and _is_likelihood(row.get("filtered_resps"))
    ]
    if likelihoods:
        raise DataError(
            f"{path} holds the likelihoods of choices, no answers; run the task as one that generates "
            "(output_type: generate_until)",
            likelihoods,
        )
    names = {"text": "filtered_resps", "reference": "target"}
    found = make_answers(path, "line", _with(fields, rows), names, {"question": "question", "key": SAMPLE_ID})
    return without_image_tokens(found)


def read_ms_swift(path: Path) -> list[Answer]:
    """ms-swift's inference results: JSON lines with ``response``, ``labels``, ``messages`` and ``images``.

    Until version 3 ``query`` and ``label`` in place of messages and labels.

    Raises:
        DataError: not such a file; every damaged record is named.
    """

    def fields(row: dict[str, Any]) -> dict[str, Any]:
        if isinstance(row.get("query"), str) and "messages" not in row:
            row = {**row, "messages": [{"role": "user", "content": row["query"]}]}
        if not isinstance(row.get("messages"), list):
            return {}
        image = first_of(row.get("images"))
        shown = image.get("path") if isinstance(image, dict) else image
        labels = row["labels"] if "labels" in row else row.get("label")
        return {"question": last_asked(row["messages"]), "image": shown, "labels": labels}

    names = {"text": "response", "question": "question"}
    found = make_answers(path, "line", _with(fields, _rows(path)), names, {"reference": "labels", "image": "image"})
    return without_image_tokens(found)


def read_llama_factory(path: Path) -> list[Answer]:
    """LLaMA-Factory's ``generated_predictions.jsonl``: ``prompt`` (with the question in it), ``predict``, ``label``.

    Raises:
        DataError: not such a file; every damaged record is named.
    """
    names = {"text": "predict", "question": "prompt", "reference": "label"}
    return make_answers(path, "line", _rows(path), names, {})


def read_rexrank(path: Path) -> list[Answer]:
    """ReXrank's predictions: an object of study -> ``model_prediction``, ``section_findings``, ``image_path``.

    An empty ``model_prediction`` is none.

    Raises:
        DataError: not such a file; every damaged record is named.
    """
    content = read_json(path, with_nan=True)
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected an object of study -> record, found {kind_of(content)}")
    rows = [
        (study, {**row, "image_path": first_of(row.get("image_path"))} if isinstance(row, dict) else row)
        for study, row in content.items()
    ]
    optional = {"image": "image_path", "reference": "section_findings"}
    found = make_answers(path, "study", rows, {"text": "model_prediction"}, optional)
    return [replace(answer, key=study, text=answer.text or None) for study, answer in zip(content, found)]


def _logged(path: Path) -> list[tuple[int, Any]]:
    """Records of lmms-eval: lines, or ``logs`` of one object."""
    with open_input(path) as file:
        start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    content = read_json(path, with_nan=True) if re.match(rb"{\s*\"args\"", start) else None
    logs = content.get("logs") if isinstance(content, dict) else None
    return list(enumerate(logs)) if isinstance(logs, list) else _rows(path)


def _is_likelihood(said: Any) -> bool:
    """Whether it is pairs of a number and whether it was the likeliest, in lists, perhaps as texts."""
    if isinstance(said, list) and len(said) == 2 and str(said[1]) in ("True", "False"):
        return _is_number(said[0])
    return isinstance(said, list) and bool(said) and all(map(_is_likelihood, said))


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _open_i(row: dict[str, Any]) -> str | None:
    """Open-i's number of a report; None for ids of another kind."""
    key = row.get("id")
    return key if isinstance(key, str) and key.startswith(OPEN_I) else None


def _with(fields: Callable[[dict[str, Any]], dict[str, Any]], rows: list[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """Records with more fields, made of the others; what is no record stays, to be named."""
    return [(number, {**row, **fields(row)} if isinstance(row, dict) else row) for number, row in rows]


def _id_in(row: dict[str, Any]) -> Any:
    """The id in the record that a task of ours logs as its metrics; None in other projects' tasks."""
    records = (value for value in row.values() if isinstance(value, dict) and value.keys() >= _OUR_RECORD)
    return next((record["id"] for record in records), None)


def _in_their_order(rows: list[tuple[int, Any]], key: str) -> list[tuple[int, Any]]:
    """Records by the number that they carry; as they are where one carries none."""
    numbers = [row.get(key) if isinstance(row, dict) else None for _, row in rows]
    if not all(isinstance(number, int) for number in numbers):
        return rows
    return [rows[place] for place in sorted(range(len(rows)), key=lambda place: int(numbers[place] or 0))]


def read_authors(path: Path) -> list[Answer]:
    """The authors' own files: VQA a mapping of qid -> record, IU-Xray a list with ``image_path``.

    Raises:
        DataError: neither; every damaged record is named.
    """
    content = read_json(path, with_nan=True)
    if isinstance(content, dict):
        found = make_answers(
            path,
            "qid",
            list(content.items()),
            {"text": "generated_answer", "question": "question", "reference": "ground_truth"},
            {},
        )
        return [replace(each, key=str(key)) for key, each in zip(content, found)]
    return make_answers(
        path,
        "record",
        list(enumerate(_list(path))),
        {"text": "generated_report", "image": "image_path", "reference": "ground_truth"},
        {},
    )


def read_llava_questions(path: Path) -> dict[str, tuple[str, str]]:
    """LLaVA-Med's question file: id -> (question, image), for answers whose ids are not the data set's.

    A record has ``id``, ``image``, ``conversations`` (JSON list), or ``question_id``, ``image``, ``text`` (JSON lines).

    Raises:
        DataError: a record has neither, or the id of another.
    """
    found: dict[str, tuple[str, str]] = {}
    problems: list[str] = []
    for number, row in _rows(path):
        try:
            turns = row.get("conversations") or row.get("conversatons")  # the released files hold both spellings
            key = str(row["question_id"] if "question_id" in row else row["id"])
            asked = (str(turns[0]["value"] if turns else row["text"]).replace(IMAGE_TOKEN, ""), str(row["image"]))
        except (KeyError, IndexError, TypeError, AttributeError):
            problems.append(
                f"{path}, record {number}: needs id, image and conversations, or question_id, image and text"
            )
            continue
        if found.setdefault(key, asked) != asked:
            problems.append(f"{path}, record {number}: the id {key} is that of another question")
    if problems:
        raise DataError(f"{path} is not a question file of LLaVA-Med", problems)
    return found
