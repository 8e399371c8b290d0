"""Requests as clients send them, and an engine that answers at once with what it was asked."""

from __future__ import annotations

import base64
from collections.abc import Callable
from io import BytesIO
from typing import Any, NamedTuple

from pefomed_plugin.config.datasets import ImagePolicy
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.services.serving.engine import Ended, Failed, Full, Piece, Question, Told
from pefomed_plugin.services.serving.images import ImageReader
from pefomed_plugin.services.serving.metrics import Metrics
from pefomed_plugin.services.serving.service import Service, Settings
from pefomed_plugin.services.web_guard import closed_passage
from tests.unit.services.small import small_image

MODEL = "tiny"
INSTRUCTIONS = {
    "caption": ("Describe the given medical image in detail.",),
    "vqa": ("Based on the image, respond to this question with a short answer: {question}",),
    "report": ("Describe the given chest x-ray image in detail.",),
}


def data_url(seed: int = 1, kind: str = "PNG") -> str:
    """A small image."""
    stream = BytesIO()
    small_image(seed).save(stream, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"


PNG = data_url()


def image(url: str = PNG, **more: Any) -> dict[str, Any]:
    """An image part."""
    return {"type": "image_url", "image_url": {"url": url, **more}}


def text(words: str) -> dict[str, Any]:
    """A text part."""
    return {"type": "text", "text": words}


def user(*parts: Any) -> dict[str, Any]:
    """A message; without parts the usual question."""
    return {"role": "user", "content": list(parts) or [image(), text("Is there a fracture?")]}


def body(*messages: Any, **more: Any) -> dict[str, Any]:
    """A request."""
    return {"model": MODEL, "messages": list(messages) or [user()], **more}


class Prepared(NamedTuple):
    """A question of the engine below."""

    question: Question
    prompt_tokens: int = 7
    limit: int = 20


class EchoEngine:
    """Says which task it was asked for and with what; ``held`` keeps answers back."""

    tasks = ("caption", "vqa", "report")
    image_size = 112
    most_images = {"caption": 1, "vqa": 2, "report": 1}
    limits = {"caption": 120, "vqa": 20, "report": 300}
    instructions = INSTRUCTIONS

    def __init__(self) -> None:
        self.waiting = self.running = 0
        self.fault = ""
        self.held = self.is_full = False
        self.fails = ""
        self.asked: list[Question] = []
        self.cancelled: list[Any] = []
        self.sinks: list[Callable[[Any], None]] = []

    def prepare(self, question: Question) -> Prepared:
        for shown in question.images.values():
            shown.open()
        if len(question.text) > 2000:
            fault = ConfigError("the text has 2,001 tokens; at most 256")
            fault.too_long = True  # type: ignore[attr-defined]
            raise fault
        return Prepared(question)

    def submit(self, ready: Prepared, sink: Callable[[Any], None]) -> None:
        if self.is_full:
            raise Full(3)
        self.asked.append(ready.question)
        self.sinks.append(sink)
        if self.held:
            return
        question = ready.question
        if self.fails:
            sink(Failed(self.fails))
            return
        tokens = (
            [Told(" yes", -0.5, [(" yes", -0.5), (" no", -1.0)][: question.top])] if question.top is not None else []
        )
        if question.in_pieces:
            sink(Piece("ye", tokens))
            tokens = []
        sink(Ended("s" if question.in_pieces else "yes", tokens, "stop", 2))

    def retry_s(self) -> int:
        return 4

    def cancel(self, ready: Any) -> None:
        self.cancelled.append(ready)

    def close(self) -> None:
        self.fault = "closed"


def service(engine: EchoEngine, folder: Any = None, **settings: Any) -> Service:
    """A server's inside."""
    given = {
        "model": MODEL,
        "fingerprint": "pefomed-0",
        "default_task": "vqa",
        "most_body": 50_000,
        "most_requests": 4,
        "passage": closed_passage("127.0.0.1"),
        "reader": ImageReader(folder, 50_000, ImagePolicy(max_pixels=1_000_000)),
        **settings,
    }
    return Service(engine, Settings(**given), Metrics())
