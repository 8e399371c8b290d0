"""JSONL and JSON on disk: one schema with a version, whole files only, predictions merged over ranks.

Raises rather than repairs: two records of one id are an error, never a choice.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar

from .atomic import check_place, replacing, settle
from .errors import DataError, one_line, quoted, why
from .input_files import lines_of, open_input
from .json_text import JsonFault, mark_half_characters, parse_json, read_json_text, tell_half_characters
from .records import Prediction, Sample, Score
from .text import without_surrogates

SCHEMA = 1
"""Version of ``predictions.jsonl``, ``scores/*.jsonl``, prepared splits and ``metrics.json``; see docs/files.md."""

_Record = TypeVar("_Record", bound=Sample)
_BLANK = b" \t\r\n\xef\xbb\xbf"
"""White space of JSON, and a BOM."""
_PLACES = 5
"""Of an id that occurs again, in a message."""


def why_unwritable(folder: Path) -> str:
    """Why nothing can be written in a folder, be it there or not; empty where it can. Leaves nothing behind."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"{place}: {why(error)}"


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old or the new text, never half of one. Half a character becomes U+FFFD.

    Raises:
        DataError: the folder cannot be written or the disk is full; the old file is untouched.
    """
    write_pieces(path, [text])


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """A file from pieces of its text, each written before the next one is made. Raises DataError as ``write_text``."""
    _write(path, (without_surrogates(piece).encode("utf-8") for piece in pieces))


def write_bytes(path: Path, content: bytes) -> None:
    """A file of bytes that were made before. Raises DataError as ``write_text``."""
    _write(path, [content])


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    """A file from what is made on the way; an error in making it is not taken for one of writing.

    Raises:
        DataError: the file cannot be written, or another one that is read for it cannot be read; the old file is
            untouched.
    """
    made, cause, source = iter(chunks), None, None
    try:
        with replacing(path) as file:
            while True:
                try:
                    chunk = next(made, None)
                except OSError as error:
                    cause, source = error, error.filename
                    raise
                if chunk is None:
                    break
                file.write(chunk)
    except OSError as error:
        failed = f"write {path}" if error is not cause else f"read {source or f'what goes into {path}'}"
        kept = f"{Path(path).name} is as it was before" if Path(path).is_file() else "nothing was written"
        safe = "" if error is cause else f"; {kept}"
        raise DataError(f"cannot {failed}: {why(error)}{safe}") from error


def drop_half_line(path: Path) -> None:
    """Cut off the last line of a file of records where the process that wrote it was killed within it."""
    with open(path, "r+b") as file:
        text = file.read()
        whole = text.rfind(b"\n") + 1
        if whole != len(text):
            file.truncate(whole)  # at once: a kill leaves the half line or none
            os.fsync(file.fileno())


def refuse_place(path: Path) -> None:
    """Raises DataError where no file may be written at a path, as a folder, a device, a pipe or a socket is there."""
    try:
        check_place(path)
    except OSError as error:
        raise DataError(f"cannot write {path}: {why(error)}") from error


def set_aside(path: Path) -> Path:
    """Rename a file or folder to ``<name>.1`` (or the next free number), so that nothing is overwritten; its new name.

    Raises:
        OSError: it cannot be renamed, or is neither.
    """
    if not path.is_dir():
        check_place(path)
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
    """Write samples, predictions or scores, one JSON object a line, each written before the next one is taken.

    Raises:
        DataError: two records of one id, a value that is no finite number, or the file cannot be written; the old file
            is untouched.
    """
    ids: list[str] = []
    is_finite, found, halves = True, [], 0

    def lines() -> Iterator[bytes]:
        nonlocal is_finite, found, halves
        for record in records:
            ids.append(_id_of(record))
            try:
                line, changed = line_of(record)
            except ValueError:
                is_finite = False
                found += [f"{_id_of(record)}: {name}" for name in not_finite(record.to_json())]
            else:
                halves += changed
                yield line.encode("utf-8")
        refuse_twice(((key, f"line {number}") for number, key in enumerate(ids, 1)), str(path))
        if not is_finite:
            raise DataError(f"{path}: a value is not a finite number", found)

    _write(path, lines())
    tell_half_characters(str(path), halves)


def line_of(record: Any) -> tuple[str, int]:
    """A sample, prediction or score as a line of a file, and 1 where half a character in it is U+FFFD there, else 0.

    Raises:
        ValueError: a number is not finite.
    """
    line = json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False) + "\n"
    whole, changed = mark_half_characters(line)
    return whole, changed


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
    read = [(prediction, path) for path in paths for prediction in read_predictions(path, may_be_empty=True)]
    refuse_twice(((prediction.id, path.name) for prediction, path in read), "merged predictions")
    merged = [prediction for prediction, _ in read]
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
    settle(path.parent)
    records: list[_Record] = []
    places: list[str] = []
    problems: list[str] = []
    halves = 0
    before: Any = {}
    for place, content, changed in _contents(path, problems):
        before = share_with(before, content)
        try:
            records.append(kind.from_json(before))
        except ValueError as error:
            problems.append(f"{path}, {place}: {one_line(error, None)}")
            continue
        places.append(place)
        halves += changed
    if problems:
        lines = path.with_suffix(".jsonl")
        is_table = path.suffix.lower() in (".csv", ".xlsx") and lines.is_file()
        instead = f", it is a table for people; programs read {lines}" if is_table else ""
        raise DataError(f"{path} is not a file of {kind.__name__.lower()}s{instead}", problems)
    if not records and not may_be_empty:
        raise DataError(f"{path} holds no {kind.__name__.lower()}s")
    refuse_twice(zip(map(_id_of, records), places), str(path))
    tell_half_characters(str(path), halves)
    return records


def _contents(path: Path, problems: list[str]) -> Iterator[tuple[str, Any, int]]:
    """Where each record stands, what it is, and 1 where it held half a character: a line, or one of the list that the
    whole file is. What is no JSON becomes a line of ``problems``.
    """
    with open_input(path) as file:
        start = next((line for _, line in lines_of(file, path) if line.strip(_BLANK)), b"")
        if start.lstrip(_BLANK).startswith(b"["):
            try:
                rows = parse_json(start + file.read())
            except JsonFault as fault:
                raise DataError(f"{path} is neither JSON lines nor a JSON list", fault.at(str(path))) from None
            yield from ((f"record {number}", *mark_half_characters(row)) for number, row in enumerate(rows))
            return
        file.seek(0)
        for number, line in lines_of(file, path):
            if line.strip(_BLANK):
                try:
                    content, halves = read_json_text(line)
                except JsonFault as fault:
                    problems += fault.at(str(path), number)
                else:
                    yield f"line {number}", content, min(halves, 1)


def share_with(before: Any, content: Any) -> Any:
    """A record whose texts and mappings are those of the record before it where they are equal: most say the same of
    their data set, split and producer, and a million copies of that would fill the memory.
    """
    if not isinstance(content, dict) or not isinstance(before, dict):
        return content
    shared, is_same = {}, True
    for name, value in content.items():
        old = before.get(name)
        is_old = isinstance(value, str) and value == old
        kept = old if is_old else share_with(old, value) if isinstance(value, dict) else value
        shared[sys.intern(name)] = kept
        is_same = is_same and kept is old
    return before if is_same and shared.keys() == before.keys() else shared


def _id_of(record: Any) -> str:
    return str(record.sample_id if isinstance(record, Score) else record.id)


def refuse_twice(places: Iterable[tuple[str, str]], where: str) -> None:
    """Refuse ids that occur more than once.

    Args:
        places: pairs of id and where it stands (``line 7``).

    Raises:
        DataError: names each such id with all of its places.
    """
    found = list(places)
    counts = Counter(key for key, _ in found)
    if len(counts) == len(found):
        return
    twice: dict[str, list[str]] = {}
    for key, place in found:
        if counts[key] > 1:
            twice.setdefault(key, []).append(place)
    raise DataError(
        f"{where}: two records of one id; keep one of them",
        [f"id {quoted(key, limit=120)} occurs {len(at)} times: {_listed(at)}" for key, at in twice.items()],
    )


def _listed(places: Sequence[str]) -> str:
    shown = ", ".join(places[:_PLACES])
    return shown if len(places) <= _PLACES else f"{shown} and {len(places) - _PLACES:,} more"
