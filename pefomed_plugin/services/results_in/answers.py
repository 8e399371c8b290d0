"""What one record of a result file says, whichever project wrote it; records made into answers, or named."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import DataError

IMAGE_TOKEN = "<image>"
SAMPLE_ID = "sample_id"
"""Column or key of our ids in files that we write in other projects' formats; theirs have none of that name."""
SEVERAL = "the first of several generations was taken"
FAILED = "the harness had no answer, only an error; it counts as missing"
REMOVED = "<base64-data-removed>"
"""In place of images in logs of inspect_ai that were written with --no-log-images."""
_MOST_IN_A_PATH = 4096
"""Characters; what is longer is the image itself, in base64."""
_DATES = (datetime.date, datetime.time, datetime.timedelta)


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
    notes: tuple[str, ...] = ()
    """What was left out or taken for something else in reading it; the same words for all alike, to be counted."""


def make_answers(
    path: Path, unit: str, rows: Sequence[tuple[Any, Any]], needed: Mapping[str, str], optional: Mapping[str, str]
) -> list[Answer]:
    """Records as answers.

    Args:
        unit: what a record is called: ``line``, ``row``.
        rows: number or name of each record, and the record.
        needed: field of ours -> their key, which every record must have.
        optional: the same, for keys that may be missing.

    Raises:
        DataError: no records, or some that lack a key or hold a date or an object as answer; every one is named.
    """
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
        said = row.get(needed["text"])
        if isinstance(first_of(said), dict):
            problems.append(f"{where}: {needed['text']} is an object, not a text; write the text alone")
            continue
        fields: dict[str, Any] = {field: as_text(row.get(key)) for field, key in keys.items()}
        fields.update(text=as_text(first_of(said)), image=as_path(fields.get("image")))
        answers.append(Answer(where, **fields, notes=(SEVERAL,) if is_several(said) else ()))
    if problems:
        raise DataError(f"{path} cannot be read", problems)
    return answers


def as_text(value: Any) -> str | None:
    """A cell as text; None for nothing and NaN; 3.0, which a spreadsheet makes of 3, is ``3``."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def as_path(image: str | None) -> str | None:
    """Where an image is; None where it is there itself, as a data URL or in base64, or only a mark says it was."""
    is_no_path = image is not None and (image.startswith(("data:", REMOVED)) or len(image) > _MOST_IN_A_PATH)
    return None if is_no_path else image


def first_of(value: Any) -> Any:
    """The first of a list, or of a list within it; anything else as it is."""
    while isinstance(value, list):
        value = value[0] if value else None
    return value


def is_several(value: Any) -> bool:
    """Whether a list holds more than one thing, at any depth."""
    while isinstance(value, list):
        if len(value) > 1:
            return True
        value = value[0] if value else None
    return False


def said_text(content: Any) -> str | None:
    """The words of a chat message: its text, or the text parts of a list, images and reasoning left out."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type", "text") == "text"]
        return "\n".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else None


def last_asked(messages: Any) -> str | None:
    """The words of the last turn of the user in a conversation; a text is the conversation itself."""
    if isinstance(messages, str):
        return messages
    turns = [turn for turn in messages if isinstance(turn, dict)] if isinstance(messages, list) else []
    asked = [said_text(turn.get("content")) for turn in turns if turn.get("role") == "user"]
    return asked[-1] if asked else None


def without_image_tokens(answers: Iterable[Answer]) -> list[Answer]:
    """Questions without ``<image>``; one that is blank is none."""
    plain = [(answer, (answer.question or "").replace(IMAGE_TOKEN, "")) for answer in answers]
    return [replace(answer, question=question if question.strip() else None) for answer, question in plain]
