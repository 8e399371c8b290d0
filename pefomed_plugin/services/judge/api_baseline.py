"""Another model's answers by API, zero-shot: the same questions and images, as the paper's GPT-4v rows.

What is asked and what comes back; the asking itself is ``asking.py``'s.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from ... import __version__
from ...origins import Origins
from ...prompts import plain_parts, template_of
from ...records import Prediction, Sample
from ...text import without_reasoning
from ..images.decoding import open_image
from ..images.pixels import resize_square
from .chat import CHAT, ChatRequest
from .ledger import Ledger
from .settling import entries_of

PROMPT_VERSION = "1"


def baseline_questions(
    samples: Sequence[Sample],
    image_root: Path,
    parameters: Mapping[str, Any],
    image_size_px: int = 448,
    server: str = "",
    endpoint: str = CHAT,
) -> list[ChatRequest]:
    """One question per sample: its image, resized as for the model (no crop), and its instruction.

    Of several images each stands behind its name.

    Raises:
        UnusableImage: an image is missing or damaged; nothing is asked then.
    """
    images: dict[str, str] = {}
    questions = []
    for sample in samples:
        for image in sample.images:
            if image not in images:
                images[image] = _data_uri(image_root, image, image_size_px)
        content = _content(sample, images)
        questions.append(
            ChatRequest(
                [{"role": "user", "content": content}],
                parameters,
                0,
                {"sample_id": sample.id},
                server,
                endpoint=endpoint,
            )
        )
    return questions


def _content(sample: Sample, images: Mapping[str, str]) -> list[dict[str, Any]]:
    """What is asked about a sample, as parts of a message."""
    return [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": images[sample.images[part]]}}
        for part in plain_parts(sample.task, sample.question, sample.image_names)
    ]


def _prompt(sample: Sample) -> str:
    """What was asked, in words; of several images the names that stood before them come first."""
    names = [name + ": (image)" for name in sample.image_names] if len(sample.images) > 1 else []
    return " ".join([*names, template_of(sample.task).draw_instruction(sample.question)])


def is_answer(entry: Mapping[str, Any]) -> bool:
    """Whether a ledger entry settles its question: it says something besides what the model thought aloud, or is the
    empty answer of a ``pefomed serve``, which evaluation would get too."""
    text = entry.get("text")
    return isinstance(text, str) and (not text or bool(without_reasoning(text)))


def collect_predictions(
    samples: Sequence[Sample], questions: Sequence[ChatRequest], ledger: Ledger, origin: str
) -> list[Prediction]:
    """Predictions from the ledger; None where the model refused or never gave an answer.

    ``origin``: of the samples, ``origins.GENERATED`` or ``REAL``.
    """
    predictions = []
    for sample, question in zip(samples, questions):
        entries = entries_of(ledger, question)
        entry = next((e for e in entries if is_answer(e)), entries[-1] if entries else {})
        answer = without_reasoning(entry["text"]) if is_answer(entry) else None
        producer = {
            "model": question.parameters["model"],
            "returned_model": entry.get("returned_model"),
            "system_fingerprint": entry.get("system_fingerprint"),
            "zero_shot": True,
            "version": __version__,
            "prompt": _prompt(sample),
            "prompt_version": PROMPT_VERSION,
            "fault": None if answer is not None else entry.get("fault") or "only reasoning, no answer",
            "origin": Origins({sample.dataset: origin}).to_json(),
        }
        predictions.append(Prediction.of(sample, answer, producer))
    return predictions


def _data_uri(root: Path, image: str, size_px: int) -> str:
    stream = BytesIO()
    resize_square(open_image(root, image), size_px).save(stream, format="PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
