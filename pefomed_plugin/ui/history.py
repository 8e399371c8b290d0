"""What was asked in a session, as the records of every other answer: shown, and saved as ``predictions.jsonl`` is."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from ..records import CONFIDENCE, Prediction, Sample
from ..services.images.image_folder import DATASET
from ..storage import write_records
from .desk import Said, checkpoint_name, confidence_in_words

FILE = "chat.jsonl"
NOTHING = "<p class='quiet'>Nothing asked yet.</p>"
_TURN = "turn"


def records_of(
    turn: int,
    image: str,
    task: str,
    question: str,
    said: Sequence[Said],
    facts: Sequence[Mapping[str, Any]],
    sample: Sample | None = None,
) -> list[Prediction]:
    """A record of each model's answer to one question.

    Args:
        turn: number of the question in its session, from 1.
        image: its name where it comes from.
        facts: of each model, as ``MedicalModel.facts``.
        sample: of a data set, that asks this very question; its answer becomes the reference.
    """
    asked = {"sample": sample.id, "dataset": sample.dataset} if sample else {"reference": "none"}
    return [
        Prediction(
            id=f"{DATASET}-chat-{turn}" + (f"-{letter}" if len(said) > 1 else ""),
            dataset=DATASET,
            split="test",
            images=(image,),
            task=task,
            question=question if task == "vqa" else None,
            answer=sample.answer if sample else "",
            answer_type=sample.answer_type if sample else None,
            metadata={**asked, _TURN: turn},
            prediction=one.text,
            producer={**own, "prompt": one.prompt, CONFIDENCE: one.confidence},
        )
        for letter, one, own in zip("ab", said, facts)
    ]


def next_turn(records: Sequence[Prediction]) -> int:
    """The number of the question that comes next."""
    return int(records[-1].metadata[_TURN]) + 1 if records else 1


def show_history(records: Sequence[Prediction]) -> str:
    """As HTML, the latest first."""
    turns = [list(group) for _, group in groupby(records, key=lambda record: record.metadata[_TURN])]
    if not turns:
        return NOTHING
    items = []
    for turn in reversed(turns):
        letters = ("A: ", "B: ") if len(turn) > 1 else ("",)
        items.append(f"<li>{_question(turn[0])}<dl>{''.join(map(_answer, turn, letters))}</dl></li>")
    return f"<ol class='history' reversed>{''.join(items)}</ol>"


def show_reference(records: Sequence[Prediction]) -> str:
    """The reference of what was asked last, as HTML."""
    if not records:
        return "<p class='quiet'>No answer yet; ask something first.</p>"
    last = records[-1]
    if last.metadata.get("reference") == "none":
        return (
            f"<p class='quiet'>Nobody says what is right here: {escape(_asked(last))} is no question of the data.</p>"
        )
    return (
        f"<p class='reference'><strong>{escape(last.answer)}</strong> "
        f"<span class='quiet'>to: {escape(_asked(last))} ({escape(str(last.metadata['sample']))})</span></p>"
    )


def save_history(records: Sequence[Prediction], folder: str | None = None) -> str:
    """Write them below ``folder``, by default the system's for temporary files; the file."""
    path = Path(tempfile.mkdtemp(prefix="pefomed-history-", dir=folder)) / FILE  # readable by this user alone
    write_records(path, records)
    return str(path)


def _question(record: Prediction) -> str:
    return f"<strong>{escape(_asked(record))}</strong> <span class='quiet'>{escape(record.images[0])}</span>"


def _asked(record: Prediction) -> str:
    return record.question or f"Write a {record.task}"


def _answer(record: Prediction, letter: str) -> str:
    return (
        f"<dt>{letter}{escape(checkpoint_name(record.producer))}</dt><dd>{escape(record.prediction or '(nothing)')} "
        f"<span class='quiet'>{escape(confidence_in_words(record.producer[CONFIDENCE]))}</span></dd>"
    )
