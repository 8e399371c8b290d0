"""Result files of other projects, read as they write them: one ``Answer`` a record. Knows no data set of ours.

Which fields each project writes, and what of it was verified, stands in docs/other-peoples-predictions.md.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable
from zipfile import BadZipFile

from ..errors import ConfigError, DataError
from ..readers.textfiles import read_json, read_json_lines, read_json_list

_IMAGE_TOKEN = "<image>"


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
    rows = [(number, row) for number, row in read_json_lines(path)]
    found = _answers(path, "line", rows, {"text": "text", "key": "question_id"}, {"question": "prompt"})
    return [replace(sample, question=sample.question and sample.question.replace(_IMAGE_TOKEN, "")) for sample in found]


def read_medevalkit(path: Path) -> list[Answer]:
    """MedEvalKit's ``results.json``: a list with ``question``, ``answer``, ``response``, neither id nor image.

    Of a response that reasons, the answer is what stands in ``\\boxed{}`` or ``<answer>``, as the kit itself takes it.

    Raises:
        DataError: not such a file; every damaged record is named.
    """
    found = _answers(
        path,
        "record",
        list(enumerate(read_json_list(path))),
        {"text": "response", "question": "question", "reference": "answer"},
        {},
    )
    return [replace(each, text=each.text and _final_answer(each.text)) for each in found]


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
        ".json": read_json_list,
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
    content = read_json(path)
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
        list(enumerate(read_json_list(path))),
        {"text": "generated_report", "image": "image_path", "reference": "ground_truth"},
        {},
    )


FORMATS: dict[str, Callable[[Path], list[Answer]]] = {
    "llava_med": read_llava_med,
    "medevalkit": read_medevalkit,
    "vlmevalkit": read_vlmevalkit,
    "pefomed": read_authors,
}
"""Name on the command line -> reader; ``pefomed`` is what the authors' published scripts write."""


def read_llava_questions(path: Path) -> dict[str, tuple[str, str]]:
    """LLaVA-Med's question file: id -> (question, image), for answers whose ids are not the data set's.

    Raises:
        DataError: a record without ``id``, ``image`` or a first turn.
    """
    found: dict[str, tuple[str, str]] = {}
    problems: list[str] = []
    for number, row in enumerate(read_json_list(path)):
        turns = row.get("conversations") or row.get("conversatons")  # the released files hold both spellings
        try:
            found[str(row["id"])] = (str(turns[0]["value"]).replace(_IMAGE_TOKEN, ""), str(row["image"]))
        except (KeyError, IndexError, TypeError):
            problems.append(f"{path}, record {number}: needs id, image and conversations")
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
        values = {field: _text(row.get(key)) for field, key in {**needed, **optional}.items()}
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


def _final_answer(response: str) -> str:
    boxed = re.findall(r"\\boxed\{([^{}]*)\}", response)
    if boxed:
        return boxed[-1].strip()
    tagged = re.search(r"<answer>(.*?)(?:</answer>|$)", response, re.DOTALL)
    return tagged.group(1).strip() if tagged else response


def _read_xlsx(path: Path) -> list[dict[str, Any]]:
    try:
        from openpyxl import load_workbook  # late: optional
        from openpyxl.utils.exceptions import InvalidFileException  # late: optional
    except ImportError as error:
        raise ConfigError("spreadsheets need openpyxl; pip install 'pefomed_plugin[report]'") from error
    try:
        book = load_workbook(path, read_only=True)  # formulas stay text: an answer may begin with "="
    except (OSError, BadZipFile, InvalidFileException, KeyError) as error:
        raise DataError(f"{path} is not a spreadsheet: {error}") from error
    rows: Iterator[tuple[Any, ...]] = book.worksheets[0].iter_rows(values_only=True)
    header = [str(each) for each in next(rows, ())]
    return [dict(zip(header, row)) for row in rows if any(each is not None for each in row)]


def _read_tsv(path: Path) -> list[dict[str, Any]]:
    csv.field_size_limit(1 << 30)  # the kit's tables may carry images as base64
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, delimiter="\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
