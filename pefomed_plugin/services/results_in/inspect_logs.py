"""Logs of inspect_ai: ``.eval``, a zip (``inspect_archives``), or the same log as one JSON file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...readers.textfiles import read_json
from .answers import FAILED, Answer, as_path, as_text, first_of, last_asked, said_text
from .inspect_archives import is_zip, packed_header, packed_samples

_ATTACHED = "attachment://"
"""Begins what stands in place of a text: its key among the attachments follows."""
_EPOCHS = "only the first of several epochs was taken"
_CUT = "cut short by a limit of the harness or the model, or by a filter of contents; taken as it is"
_ERRED = "the sample ended in an error after the model had said something; taken as it is"
_INVALID = "marked as invalid in the log (inspect log invalidate); taken as it is"
UNFINISHED = "the log is of an evaluation that did not end"
_WHOLE = frozenset(("stop", "tool_calls", "unknown"))
"""Reasons to stop of an answer that ended by itself, or of which nothing is known."""


def read_inspect(path: Path) -> list[Answer]:
    """Every sample of a log, in the order of its ids where these are numbers; of several epochs the first.

    An id that is a number is the log's own, so that such samples are joined by question and reference.

    Raises:
        ConfigError: the log is packed with Zstandard, and nothing here unpacks that.
        DataError: not such a log, damaged, or unpacks to too much; every damaged sample is named.
    """
    found: dict[Any, tuple[int, Answer]] = {}
    again: set[Any] = set()
    problems: list[str] = []
    content = None if is_zip(path) else read_json(path, with_nan=True)
    samples = packed_samples(path, problems) if content is None else _samples_in(path, content)
    for where, sample in samples:
        if not isinstance(sample, Mapping) or "id" not in sample or not ({"output", "error"} & sample.keys()):
            problems.append(f"{where}: no id and output; is this a file of this format?")
            continue
        key, epoch = str(sample["id"]), sample.get("epoch")
        number = epoch if isinstance(epoch, int) else 1
        attached = sample.get("attachments")
        answer = _answer(f"{path.name}, sample {key}", sample)
        answer = _with_attachments(answer, attached if isinstance(attached, Mapping) else {})
        if (answer.text or "").startswith(_ATTACHED):
            problems.append(f"{answer.where}: its answer is among the attachments, and they lack it; take a whole log")
        again |= {key} if key in found else set()
        if key not in found or number < found[key][0]:
            found[key] = (number, answer)
    if problems:
        raise DataError(f"{path} cannot be read", problems)
    if not found:
        raise DataError(f"{path} holds no samples; was the log written with --no-log-samples?")
    keys = sorted(found, key=lambda key: (0, int(key), "") if key.isdecimal() else (1, 0, ""))  # stable
    header = packed_header(path) if content is None else content
    status = "started" if header is None else _status_in(header)  # the header is written last
    unfinished = () if status == "success" else (f"{UNFINISHED} (status: {status})",)
    return [
        replace(answer, notes=(*answer.notes, *([_EPOCHS] if key in again else []), *unfinished))
        for key, answer in ((key, found[key][1]) for key in keys)
    ]


def _answer(where: str, sample: Mapping[str, Any]) -> Answer:
    output = sample.get("output") if isinstance(sample.get("output"), Mapping) else {}
    said = _said(output)  # type: ignore[arg-type]
    has_failed = said is None or (bool(sample.get("error")) and not said)
    key = str(sample["id"])
    return Answer(
        where,
        None if has_failed else said,
        key=None if key.isdecimal() else key,
        question=last_asked(sample.get("input")) or None,
        image=as_path(_image(sample)),
        reference=as_text(first_of(sample.get("target"))),
        notes=(
            *_of_other_model(output),  # type: ignore[arg-type]
            *((FAILED,) if has_failed else (_CUT,) if _is_cut(sample, output) else ()),  # type: ignore[arg-type]
            *((_ERRED,) if sample.get("error") and not has_failed else ()),
            *((_INVALID,) if sample.get("invalidation") else ()),
        ),
    )


def _of_other_model(output: Mapping[str, Any]) -> tuple[str, ...]:
    """A note where the provider let another model answer than was asked for."""
    fallback = output.get("fallback")
    name = fallback.get("fallback_model") if isinstance(fallback, Mapping) else None
    return (f"answered by {name}, to which the provider fell back; taken as it is",) if name else ()


def _with_attachments(answer: Answer, attached: Mapping[Any, Any]) -> Answer:
    """The answer with the texts that stand among the attachments in place of their keys."""

    def whole(text: str | None) -> str | None:
        found = attached.get(text[len(_ATTACHED) :]) if text and text.startswith(_ATTACHED) else None
        return found if isinstance(found, str) else text

    lines = [whole(line) or "" for line in (answer.question or "").split("\n")]  # the parts of a message are joined
    return replace(
        answer, text=whole(answer.text), question="\n".join(lines) or None, reference=whole(answer.reference)
    )


def _is_cut(sample: Mapping[str, Any], output: Mapping[str, Any]) -> bool:
    choice = first_of(output.get("choices"))
    reason = choice.get("stop_reason") if isinstance(choice, Mapping) else None
    return bool(sample.get("limit")) or (isinstance(reason, str) and reason not in _WHOLE)


def _said(output: Mapping[str, Any]) -> str | None:
    """What the model said, without its reasoning; None where it said nothing."""
    completion = output.get("completion")
    if isinstance(completion, str) and completion:
        return completion
    choice = first_of(output.get("choices"))
    message = choice.get("message") if isinstance(choice, Mapping) else None
    return said_text(message.get("content")) if isinstance(message, Mapping) else None


def _image(sample: Mapping[str, Any]) -> str | None:
    """Path of the image: what the data set says of it, else that in the conversation, if it is a path."""
    metadata = sample.get("metadata") if isinstance(sample.get("metadata"), Mapping) else {}
    for name in ("image", "images", "image_path"):
        image = first_of(metadata.get(name))  # type: ignore[union-attr]
        if isinstance(image, str):
            return image
    for turn in sample["input"] if isinstance(sample.get("input"), list) else ():
        for part in turn.get("content") or () if isinstance(turn, Mapping) else ():
            image = part.get("image") if isinstance(part, Mapping) else None
            if isinstance(image, str) and not image.startswith(("data:", "attachment:", "http:", "https:")):
                return image
    return None


def _status_in(header: Any) -> str:
    """Nothing is said in logs from before there was a status."""
    return str((header.get("status") if isinstance(header, Mapping) else None) or "success")


def _samples_in(path: Path, content: Any) -> Iterator[tuple[str, Any]]:
    samples = content.get("samples") if isinstance(content, dict) else None
    if not isinstance(samples, list):
        raise DataError(f"{path}: no list of samples; is this a log of inspect_ai?")
    yield from ((f"{path.name}, sample {number}", sample) for number, sample in enumerate(samples))
