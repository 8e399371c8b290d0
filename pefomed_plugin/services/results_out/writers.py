"""The content of the files of each format, as its project writes them, and what of the answers it does not carry."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError
from ...records import Prediction
from ..results_in.answers import SAMPLE_ID
from ..results_in.tables import FAILURE, GENERATED, REFERENCES
from ..spreadsheets import FORMULA_STARTS, MOST_IN_A_CELL, MOST_ROWS, OPENPYXL, escaped, set_text
from .studies import one_a_study, read_studies, refuse_other_split, refuse_other_studies, study_of

_FAILED = f"{FAILURE} via API."
_PANDAS_NONE = frozenset(
    """#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null""".split("|")  # noqa: SIM905
)
"""Texts that pandas reads as an empty cell, as its documentation lists them."""
_FIELDS = ("index", SAMPLE_ID, "question", "answer", "image_path", "prediction")


@dataclass(frozen=True)
class Given:
    """What the user says besides."""

    model: str
    """Name of the model, for names of files."""
    studies: Path | None = None
    """ReXrank's data file."""
    view: str = ""
    """Which answer of a study that has several."""


@dataclass
class Files:
    """What is to be written."""

    contents: dict[str, bytes] = field(default_factory=dict)
    """Name of a file -> its content."""
    notes: list[str] = field(default_factory=list)
    """What the format does not carry, a sentence each."""
    answers: int = 0
    """How many answers are in it."""

    def note(self, count: int, words: str) -> None:
        """Say something that is so of ``count`` answers, if it is of any."""
        if count:
            self.notes.append(f"{count:,} {words}")


def write_lmms_eval(predictions: Sequence[Prediction], given: Given) -> Files:
    """``<model>_samples_<task>.jsonl``, as lmms-eval 0.7 logs its samples, with ``sample_id`` besides."""
    files = Files(answers=len(predictions))
    rows = [
        {
            "doc_id": number,
            "target": prediction.answer,
            "filtered_resps": prediction.prediction,
            "token_counts": [None],
            "doc_hash": hashlib.sha256(json.dumps(prediction.sample.to_json()).encode()).hexdigest(),
            "input": prediction.question or "",
            SAMPLE_ID: prediction.id,
        }
        for number, prediction in enumerate(predictions)
    ]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    files.contents[f"{_file_name(given.model)}_samples_{_test_set(predictions)}.jsonl"] = text.encode()
    files.note(_missing(predictions), "without a text have null there; lmms-eval leaves those out where it compares")
    files.note(len(predictions), "have no image there: lmms-eval's samples carry none")
    return files


def write_vlmevalkit_tsv(predictions: Sequence[Prediction], given: Given) -> Files:
    """``<model>_<test set>.tsv``, every cell quoted, as VLMEvalKit writes with ``PRED_FORMAT=tsv``."""
    files = Files(answers=len(predictions))
    rows = [[str(cell) for cell in row] for row in _table(predictions, files)]
    content = _csv([list(_FIELDS), *rows], "\t")
    _note_formulas(files, (cell for row in rows for cell in row))
    files.contents[f"{_file_name(given.model)}_{_test_set(predictions)}.tsv"] = content
    return files


def write_vlmevalkit(predictions: Sequence[Prediction], given: Given) -> Files:
    """``<model>_<test set>.xlsx``, VLMEvalKit's own default.

    Raises:
        ConfigError: openpyxl is missing.
        DataError: a text is longer than a cell can be, or there are more answers than rows.
    """
    try:
        from openpyxl import Workbook  # late: optional
    except ImportError:
        raise ConfigError(OPENPYXL.message) from None
    if len(predictions) >= MOST_ROWS:
        raise DataError(f"a sheet holds {MOST_ROWS:,} rows, and these are {len(predictions):,}; write vlmevalkit_tsv")
    files = Files(answers=len(predictions))
    book = Workbook(write_only=False)
    sheet, changed, problems = book.active, 0, []
    for line, row in enumerate([list(_FIELDS), *_table(predictions, files)], 1):
        for column, value in enumerate(row, 1):
            if isinstance(value, int):
                sheet.cell(line, column, value)
                continue
            text = escaped(value)
            changed += text != value
            if len(text) > MOST_IN_A_CELL:
                problems.append(f"{row[1]}, {_FIELDS[column - 1]}: {len(text):,} characters")
                continue
            set_text(sheet.cell(line, column), text)
    if problems:
        raise DataError(f"a cell holds {MOST_IN_A_CELL:,} characters at most; write vlmevalkit_tsv", problems)
    content = io.BytesIO()
    book.save(content)
    files.contents[f"{_file_name(given.model)}_{_test_set(predictions)}.xlsx"] = content.getvalue()
    files.note(
        changed,
        "cells hold characters that a spreadsheet escapes (_x000D_), and pandas leaves so; vlmevalkit_tsv does not",
    )
    return files


def write_rexrank(predictions: Sequence[Prediction], given: Given) -> Files:
    """``prediction.json``: ReXrank's records with ``model_prediction``.

    With its data file all of its fields, and exactly its studies; without it, R2Gen's IU-Xray test split, which
    ReXrank's is, and what we know of it.

    Raises:
        ConfigError: studies have several answers, and no view is asked for.
        DataError: the studies are others than ReXrank's; all are named.
    """
    records = read_studies(given.studies) if given.studies else None
    answered = list(dict.fromkeys(map(study_of, predictions)))
    if records is None or given.studies is None:
        refuse_other_split(answered, predictions[0].dataset, predictions[0].split)
        chosen = one_a_study(predictions, given.view)
        files = Files(answers=len(chosen))
        content = {study: _record(prediction) for study, prediction in chosen.items()}
        files.notes.append(
            "the impression, the context and the key image are not in our data; ReXrank's script reads "
            "section_impression, which is null: give its data file as --studies to have them"
        )
    else:
        refuse_other_studies(answered, list(records), given.studies)
        keys = {study: str(record.get("key_image_path") or "") for study, record in records.items()}
        chosen = one_a_study(predictions, given.view, keys)
        files = Files(answers=len(chosen))
        content = {study: {**record, "model_prediction": _said(chosen[study])} for study, record in records.items()}
        differ = sum(
            " ".join(str(record["section_findings"]).split()) != " ".join(chosen[study].answer.split())
            for study, record in records.items()
        )
        files.note(
            differ, "references differ from the findings in ReXrank's file: another release, or another section?"
        )
    files.contents["prediction.json"] = (json.dumps(content, indent=4, ensure_ascii=False) + "\n").encode()
    _note_study_texts(files, predictions, chosen)
    return files


def write_r2gen(predictions: Sequence[Prediction], given: Given) -> Files:
    """``res.csv`` (generated) and ``gts.csv`` (references), one report a line, no header, no ids.

    Raises:
        ConfigError: studies have several answers, and no view is asked for.
    """
    chosen = one_a_study(predictions, given.view)
    files = Files(answers=len(chosen))
    said = [_said(prediction) for prediction in chosen.values()]
    files.contents[GENERATED] = _csv([text] for text in said)
    files.contents[REFERENCES] = _csv([prediction.answer] for prediction in chosen.values())
    files.note(len(chosen), "have no id there: the order is that of the predictions, and the references tell it again")
    files.notes.append("texts are as they are: R2Gen's own are in lower case, cut, and have <unk> for rare words")
    _note_study_texts(files, predictions, chosen)
    _note_pandas(files, [*said, *(prediction.answer for prediction in chosen.values())])
    _note_formulas(files, [*said, *(prediction.answer for prediction in chosen.values())])
    return files


# -- what they share ---------------------------------------------------------------------------------------------------


def _table(predictions: Sequence[Prediction], files: Files) -> list[list[Any]]:
    """Rows of VLMEvalKit's table; what it cannot carry is noted."""
    rows: list[list[Any]] = [
        [
            number,
            prediction.id,
            prediction.question or "",
            prediction.answer,
            prediction.images[0] if len(prediction.images) == 1 else str(list(prediction.images)),
            _FAILED if prediction.prediction is None else prediction.prediction,
        ]
        for number, prediction in enumerate(predictions)
    ]
    files.note(_missing(predictions), f"without a text are {_FAILED!r} there, as the kit writes it")
    _note_empty(files, predictions)
    _note_pandas(files, [text for prediction, row in zip(predictions, rows) for text in (prediction.answer, row[-1])])
    return rows


def _record(prediction: Prediction) -> dict[str, Any]:
    images = prediction.metadata.get("images") or prediction.images
    return {
        "image_path": list(images),
        "section_findings": prediction.answer,
        "section_impression": None,
        "split": prediction.split,
        "model_prediction": _said(prediction),
    }


def _said(prediction: Prediction) -> str:
    return prediction.prediction or ""


def _note_study_texts(files: Files, predictions: Sequence[Prediction], chosen: Mapping[str, Prediction]) -> None:
    files.note(len(predictions) - len(chosen), "answers about other images of the same studies are left out")
    files.note(_missing(chosen.values()), "without a text are an empty text there")
    _note_empty(files, chosen.values())


def _note_empty(files: Files, predictions: Iterable[Prediction]) -> None:
    files.note(sum(prediction.prediction == "" for prediction in predictions), "empty texts are read back as missing")


def _note_pandas(files: Files, texts: Iterable[str]) -> None:
    count = sum(text in _PANDAS_NONE for text in texts)
    files.note(count, "answers or references such as 'None' are empty cells to pandas")


def _note_formulas(files: Files, texts: Iterable[str]) -> None:
    """A mark before them, as in our own tables, would be in the way of the project that reads the file."""
    count = sum(text.startswith(FORMULA_STARTS) for text in texts)
    files.note(count, "cells begin as a formula does: whoever opens the file in a spreadsheet imports it as text")


def _missing(predictions: Iterable[Prediction]) -> int:
    return sum(prediction.prediction is None for prediction in predictions)


def _csv(rows: Iterable[Sequence[str]], delimiter: str = ",") -> bytes:
    """Every cell in quotes: a lone carriage return would end a row elsewhere."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _test_set(predictions: Sequence[Prediction]) -> str:
    return _file_name(f"{predictions[0].dataset}_{predictions[0].split}")


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name) or "model"
