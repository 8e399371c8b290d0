"""JSONL and JSON on disk: one schema with a version, whole files only, predictions merged over ranks.

Raises rather than repairs: two records of one id are an error, never a choice.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from uuid import uuid4

from .errors import DataError, one_line
from .records import Prediction, Sample, Score
from .text import read_json_text, without_surrogates

SCHEMA = 1
"""Version of ``predictions.jsonl``, ``scores/*.jsonl``, prepared splits and ``metrics.json``; see docs/files.md."""

_Record = TypeVar("_Record", bound=Sample)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to be written, which takes the place of ``path`` once it is whole; after an error the old one stays.

    It gets the permissions that the umask leaves, as any new file; ``tempfile`` would make it the user's alone.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid4().hex[:8]}.part")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        if partial.exists():
            partial.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new text, never half of one. Half a character becomes U+FFFD.

    Raises:
        DataError: the folder cannot be written or the disk is full; the old file is untouched.
    """
    try:
        with replacing(path) as file:
            file.write(without_surrogates(text).encode("utf-8"))
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error


def drop_half_line(path: Path) -> None:
    """Cut off the last line of a file of records where the process that wrote it was killed within it."""
    text = Path(path).read_bytes()
    whole = text[: text.rfind(b"\n") + 1]
    if whole != text:
        Path(path).write_bytes(whole)


def set_aside(path: Path) -> Path:
    """Rename a file or folder to ``<name>.1`` (or the next free number), so that nothing is overwritten; its new name.

    Raises:
        OSError: it cannot be renamed.
    """
    number = 1
    while Path(f"{path}.{number}").exists():
        number += 1
    return Path(path).rename(f"{path}.{number}")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an indented JSON file with the schema's version; NaN is refused.

    Raises:
        DataError: a number is not finite, or the file cannot be written.
    """
    try:
        text = json.dumps({"schema": SCHEMA, **content}, indent=2, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise DataError(f"{path}: a value is not a finite number") from error
    write_text(path, text + "\n")


def write_records(path: Path, records: Iterable[Any]) -> None:
    """Write samples, predictions or scores, one JSON object a line.

    Raises:
        DataError: two records of one id, a value that is no finite number, or the file cannot be written.
    """
    records = list(records)
    _refuse_duplicates(records, str(path))
    rows = [record.to_json() for record in records]
    try:
        lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows]
    except ValueError as error:
        found = [f"{row.get('id') or row.get('sample_id')}: {name}" for row in rows for name in not_finite(row)]
        raise DataError(f"{path}: a value is not a finite number", found) from error
    write_text(path, "".join(line + "\n" for line in lines))


def not_finite(value: Any, name: str = "") -> list[str]:
    """Where numbers within a JSON value are NaN or infinite, as ``metadata.age``."""
    if isinstance(value, float):
        return [] if math.isfinite(value) else [name]
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in not_finite(item, f"{name}.{key}" if name else str(key))]


def read_predictions(path: Path, may_be_empty: bool = False) -> list[Prediction]:
    """Predictions of a file, whoever wrote it: JSON lines or a JSON list, with or without a BOM.

    Raises:
        DataError: not JSON lines of predictions, empty (unless it may be), or two of one id; names file and line.
    """
    return _read(Path(path), Prediction, may_be_empty)


def read_samples(path: Path) -> list[Sample]:
    """Samples of a prepared split. Raises DataError as ``read_predictions``."""
    return _read(Path(path), Sample)


def merge_ranks(paths: Sequence[Path], order: Sequence[str]) -> list[Prediction]:
    """Predictions of all ranks in the order of the test set.

    Raises:
        DataError: a sample is missing, unknown or answered twice.
    """
    merged = [prediction for path in paths for prediction in read_predictions(path, may_be_empty=True)]
    _refuse_duplicates(merged, "merged predictions")
    by_id = {prediction.id: prediction for prediction in merged}
    missing = [sample_id for sample_id in order if sample_id not in by_id]
    unknown = sorted(set(by_id) - set(order))
    if missing or unknown:
        raise DataError(
            "merged predictions do not cover the test set",
            [
                *(f"{sample_id}: no rank answered it" for sample_id in missing),
                *(f"{sample_id}: not in the test set" for sample_id in unknown),
            ],
        )
    return [by_id[sample_id] for sample_id in order]


def _read(path: Path, kind: type[_Record], may_be_empty: bool = False) -> list[_Record]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {one_line(error)}") from error
    records: list[_Record] = []
    problems: list[str] = []
    halves = 0
    for where, line in _split(path, text):
        try:
            content, has_half = read_json_text(line)
            records.append(kind.from_json(content))
            halves += has_half
        except (ValueError, TypeError, AttributeError) as error:
            problems.append(f"{where}: {one_line(error)}")
    if problems:
        raise DataError(f"{path} is not a file of {kind.__name__.lower()}s", problems)
    if not records and not may_be_empty:
        raise DataError(f"{path} holds no {kind.__name__.lower()}s")
    _refuse_duplicates(records, str(path))
    if halves:
        print(
            f"{path}: {halves:,} records hold half a character, as of an emoji that was cut; read as U+FFFD",
            file=sys.stderr,
        )
    return records


def _split(path: Path, text: str) -> Iterator[tuple[str, str]]:
    """Where each record stands, and its JSON: a line, or one of the list that the whole file is."""
    if text.lstrip().startswith("["):
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise DataError(f"{path} is neither JSON lines nor a JSON list: {one_line(error)}") from error
        yield from ((f"{path}, record {number}", json.dumps(row)) for number, row in enumerate(rows))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{path}, line {number}", line


def _refuse_duplicates(records: Sequence[Any], where: str) -> None:
    seen: dict[str, int] = {}
    for record in records:
        key = record.sample_id if isinstance(record, Score) else record.id
        seen[key] = seen.get(key, 0) + 1
    twice = [f"id {key!r} occurs {count} times" for key, count in seen.items() if count > 1]
    if twice:
        raise DataError(f"{where}: two records of one id; keep one of them", twice)
