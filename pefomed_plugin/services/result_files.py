"""Result files of other projects, read as they write them: one ``Answer`` per record. Which of our data
sets they belong to is decided elsewhere.

Which fields each project writes, and what of it was verified, stands in docs/other-peoples-predictions.md.
"""

from __future__ import annotations

import csv
import datetime
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from io import TextIOWrapper
from itertools import zip_longest
from pathlib import Path
from typing import Any, Callable

from ..errors import ConfigError, DataError, why
from ..input_files import open_input
from ..json_text import mark_half_characters, tell_half_characters
from ..readers.textfiles import read_json, read_json_list, read_rows
from ..text import without_reasoning
from .spreadsheets import opened_workbook, rows_of

_rows, _list = partial(read_rows, with_nan=True), partial(read_json_list, with_nan=True)
"""Pandas writes an empty cell as NaN."""
_IMAGE_TOKEN = "<image>"
_DATES = (datetime.date, datetime.time, datetime.timedelta)
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_BOX = re.compile(r"\\boxed\s*\{")
_BRACE = re.compile(r"\\boxed\s*\{|\\.|[{}]", re.DOTALL)
"""A brace, or what is none: one behind a backslash."""
_WRAPPED = re.compile(r"\\(?:text(?:bf|it|rm|sf|tt)?|math(?:bf|it|rm|sf|tt)|mbox|operatorname)\s*\{([^{}]*)\}")
"""TeX around words that only says how they are set."""


@dataclass(frozen=True)
class Answer:
    """What one record of a result file says."""

    where: str
    """File and record, for messages."""
    text: str | None
    """The generated text; None where the file has none (an empty cell, NaN)."""
    key: str | None = None
    """Id of the sample, in whatever numbering the project uses."""
    question: str | None = None
    """The question, perhaps inside a prompt."""
    image: str | None = None
    """Path of the image, below some root."""
    reference: str | None = None
    """The reference that the project compared with."""


def read_llava_med(path: Path) -> list[Answer]:
    """LLaVA-Med's answers: JSON lines with ``question_id``, ``prompt``, ``text``.

    Raises:
        DataError: not such a file; every damaged record is named.
    """
    found = _answers(path, "line", _rows(path), {"text": "text", "key": "question_id"}, {"question": "prompt"})
    return [replace(sample, question=sample.question and sample.question.replace(_IMAGE_TOKEN, "")) for sample in found]


def read_medevalkit(path: Path) -> list[Answer]:
    """MedEvalKit's ``results.json``: a list with ``question``, ``answer``, ``response``, neither id nor image.

    Its reports (IU-Xray, MIMIC-CXR) have ``image`` and ``findings`` instead. Of a response that reasons, the answer is
    what stands in the last ``\\boxed{}`` or ``<answer>``, as the kit itself takes it.

    Raises:
        DataError: not such a file; every damaged record is named.
    """
    rows = list(enumerate(_list(path)))
    if rows and "question" not in rows[0][1] and "findings" in rows[0][1]:
        rows = [(number, {**row, "image": _first(row.get("image"))}) for number, row in rows]
        needed, optional = {"text": "response", "image": "image"}, {"reference": "findings"}
    else:
        needed, optional = {"text": "response", "question": "question", "reference": "answer"}, {}
    found = _answers(path, "record", rows, needed, optional)
    return [replace(answer, text=answer.text and _final_answer(answer.text)) for answer in found]


def read_lmms_eval(path: Path) -> list[Answer]:
    """lmms-eval's samples (``--log_samples``): JSON lines with ``doc``, ``target`` and ``filtered_resps``.

    Raises:
        DataError: not such a file; every damaged record is named.
    """

    def fields(row: dict[str, Any]) -> dict[str, Any]:
        asked = {"question": row["doc"].get("question")} if isinstance(row.get("doc"), dict) else {}
        said = {"filtered_resps": _first(row["filtered_resps"])} if "filtered_resps" in row else {}
        return {**asked, **said}

    names = {"text": "filtered_resps", "question": "question", "reference": "target"}
    return _answers(path, "line", _with(fields, path), names, {})


def read_ms_swift(path: Path) -> list[Answer]:
    """ms-swift's inference results: JSON lines with ``response``, ``labels``, ``messages`` and ``images``.

    Raises:
        DataError: not such a file; every damaged record is named.
    """

    def fields(row: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(row.get("messages"), list):
            return {}
        turns = [turn for turn in row["messages"] if isinstance(turn, dict)]
        asked = [turn.get("content") for turn in turns if turn.get("role") == "user"]
        image = _first(row.get("images"))
        shown = image.get("path") if isinstance(image, dict) else image
        return {"question": asked[-1] if asked else None, "image": shown}

    names = {"text": "response", "question": "question"}
    found = _answers(path, "line", _with(fields, path), names, {"reference": "labels", "image": "image"})
    return [replace(answer, question=(answer.question or "").replace(_IMAGE_TOKEN, "")) for answer in found]


def read_llama_factory(path: Path) -> list[Answer]:
    """LLaMA-Factory's ``generated_predictions.jsonl``: ``prompt`` (with the question in it), ``predict``, ``label``.

    Raises:
        DataError: not such a file; every damaged record is named.
    """
    return _answers(
        path,
        "line",
        _rows(path),
        {"text": "predict", "question": "prompt", "reference": "label"},
        {},
    )


def _with(fields: Callable[[dict[str, Any]], dict[str, Any]], path: Path) -> list[tuple[int, Any]]:
    """Rows of a file with more fields, made of the others; what is no record stays, to be named."""
    return [(number, {**row, **fields(row)} if isinstance(row, dict) else row) for number, row in _rows(path)]


def _first(value: Any) -> Any:
    """The first of a list, or of a list within it; anything else as it is."""
    while isinstance(value, list):
        value = value[0] if value else None
    return value


def read_vlmevalkit(path: Path) -> list[Answer]:
    """VLMEvalKit's prediction table (.xlsx, .tsv, .json): ``index``, ``question``, ``answer``, ``prediction``.

    ``index`` numbers the kit's own table and is not used.

    Raises:
        ConfigError: another ending, or no openpyxl for a spreadsheet.
        DataError: not such a file; every damaged record is named.
    """
    readers: dict[str, Callable[[Path], Sequence[Mapping[str, Any]]]] = {
        ".xlsx": _read_xlsx,
        ".tsv": _read_tsv,
        ".json": _list,
    }
    if path.suffix.lower() not in readers:
        raise ConfigError(f"{path}: VLMEvalKit writes {', '.join(readers)}")
    rows = list(enumerate(readers[path.suffix.lower()](path), 1))
    return _answers(
        path,
        "row",
        rows,
        {"text": "prediction", "question": "question", "reference": "answer"},
        {"image": "image_path"},
    )


def read_authors(path: Path) -> list[Answer]:
    """The authors' own files: VQA a mapping of qid -> record, IU-Xray a list with ``image_path``.

    Raises:
        DataError: neither; every damaged record is named.
    """
    content = read_json(path, with_nan=True)
    if isinstance(content, dict):
        found = _answers(
            path,
            "qid",
            list(content.items()),
            {"text": "generated_answer", "question": "question", "reference": "ground_truth"},
            {},
        )
        return [replace(each, key=str(key)) for key, each in zip(content, found)]
    return _answers(
        path,
        "record",
        list(enumerate(_list(path))),
        {"text": "generated_report", "image": "image_path", "reference": "ground_truth"},
        {},
    )


FORMATS: dict[str, Callable[[Path], list[Answer]]] = {
    "llava_med": read_llava_med,
    "medevalkit": read_medevalkit,
    "vlmevalkit": read_vlmevalkit,
    "lmms_eval": read_lmms_eval,
    "ms_swift": read_ms_swift,
    "llama_factory": read_llama_factory,
    "pefomed": read_authors,
}
"""Name on the command line -> reader; ``pefomed`` is what the authors' published scripts write."""


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
            asked = (str(turns[0]["value"] if turns else row["text"]).replace(_IMAGE_TOKEN, ""), str(row["image"]))
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


def _answers(
    path: Path, unit: str, rows: Sequence[tuple[Any, Any]], needed: Mapping[str, str], optional: Mapping[str, str]
) -> list[Answer]:
    """Records as answers: our field -> their key."""
    if not rows:
        raise DataError(f"{path} holds no answers")
    answers: list[Answer] = []
    problems: list[str] = []
    for name, row in rows:
        where = f"{path.name}, {unit} {name}"
        missing = [key for key in needed.values() if not isinstance(row, dict) or key not in row]
        if missing:
            problems.append(f"{where}: no {', '.join(missing)}; is this a file of this format?")
            continue
        keys = {**needed, **optional}
        dates = [key for key in keys.values() if isinstance(row.get(key), _DATES)]
        if dates:
            problems.append(
                f"{where}: a spreadsheet has turned {', '.join(dates)} into a date or a time; take the file that the "
                "project itself wrote"
            )
            continue
        values = {field: _text(row.get(key)) for field, key in keys.items()}
        answers.append(Answer(where, **values))
    if problems:
        raise DataError(f"{path} cannot be read", problems)
    return answers


def _text(value: Any) -> str | None:
    """A cell as text; None for nothing and NaN; 3.0, which a spreadsheet makes of 3, is ``3``."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _final_answer(response: str) -> str | None:
    said = without_reasoning(response)
    for text in (said or "", response):
        boxed = _last_box(text)
        if boxed is not None:
            return boxed
        tagged = re.findall(r"<answer>(.*?)(?:</answer>|$)", text, re.DOTALL)
        if tagged:
            return tagged[-1].strip()
    return response if said == response.strip() else said


def _last_box(text: str) -> str | None:
    """What the last ``\\boxed{}`` with balanced braces holds, without the TeX that only sets its words."""
    found, opened = None, []
    boxes = {match.end() - 1 for match in _BOX.finditer(text)}
    # One pass; of braces within a box only its own closing one counts, and the box that begins last wins.
    latest = -1
    for mark in _BRACE.finditer(text):
        if mark.group() == "{" or mark.end() - 1 in boxes:
            opened.append(mark.end() - 1)
        elif mark.group() == "}" and opened:
            start = opened.pop()
            if start in boxes and start > latest:
                latest, found = start, text[start + 1 : mark.start()]
    before = None
    while found is not None and found != before:
        before, found = found, _WRAPPED.sub(r"\1", found)
    return found if found is None else found.strip()


def _read_xlsx(path: Path) -> list[dict[str, Any]]:
    with opened_workbook(path) as book:
        rows = rows_of(book.worksheets[0])
        header = [str(_unescaped(name)) for name in next(rows, ())]
        found = [
            {name: _unescaped(cell) for name, cell in zip_longest(header, row[: len(header)])} for row in rows if row
        ]
    whole, halves = mark_half_characters(found)
    tell_half_characters(str(path), halves)
    return whole


def _unescaped(cell: Any) -> Any:
    """A cell with the escapes of ECMA-376 (ST_Xstring) read: ``_xHHHH_`` is a character, ``_x005F_`` an underscore."""
    if not isinstance(cell, str):
        return cell
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), cell)


def _read_tsv(path: Path) -> list[dict[str, Any]]:
    try:
        with open_input(path) as raw, TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {why(error)}") from error
