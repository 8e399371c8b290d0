"""What the server asks of whoever answers, and what it hears from there. Plain values; no model, no HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple, Protocol, Union

from PIL import Image


class ShownImage(NamedTuple):
    """One image of a question."""

    key: str
    """Equal for equal contents."""
    open: Callable[[], Image.Image]
    """RGB, 8 bits. Raises ImageError where it cannot be used."""


@dataclass(frozen=True)
class Question:
    """One thing that is asked about one image, or about several together."""

    task: str
    text: str
    """The question of ``vqa``; of other tasks an instruction in place of the usual one, or nothing."""
    images: Mapping[str, ShownImage]
    """By name, in their order; one image by itself has the name ``""``."""
    most_tokens: int | None = None
    """Limit of the answer, where it is smaller than the task's."""
    stop: tuple[str, ...] = ()
    """Texts of which the first ends the answer, without it."""
    top: int | None = None
    """How many likely tokens are told of each; None: nothing is told of tokens."""
    in_pieces: bool = False
    """Whether the text is wanted as it grows."""


class Told(NamedTuple):
    """One token of an answer."""

    text: str
    logprob: float
    top: Sequence[tuple[str, float]]


class Piece(NamedTuple):
    """What an answer has grown by."""

    text: str
    tokens: Sequence[Told] = ()


class Ended(NamedTuple):
    """The rest of an answer, or all of it where no pieces were wanted."""

    text: str
    tokens: Sequence[Told]
    reason: str
    """``stop`` or ``length``, as OpenAI calls them."""
    answer_tokens: int
    """All of it, the one that ends it included."""


class Failed(NamedTuple):
    """There will be no answer."""

    words: str


Event = Union[Piece, Ended, Failed]


class Full(Exception):
    """As many are waiting as may; ``retry_s`` is when to come again."""

    def __init__(self, retry_s: int) -> None:
        super().__init__(f"the queue is full; come again in {retry_s} s")
        self.retry_s = retry_s


class Ready(Protocol):
    """A question that can be answered."""

    prompt_tokens: int
    """Of the whole prompt, images included."""
    limit: int
    """Most tokens of the answer."""


class Engine(Protocol):
    """Answers questions; one thread of its own has the model."""

    tasks: Sequence[str]
    """What can be asked for."""
    image_size: int
    """Side in pixels of the square in which an image is seen."""
    most_images: Mapping[str, int]
    """How many a prompt shows at most, by task."""
    limits: Mapping[str, int]
    """Most tokens of an answer, by task."""
    instructions: Mapping[str, Sequence[str]]
    """What evaluation asks with, by task; ``{question}`` where the question goes."""

    def prepare(self, question: Question) -> Ready:
        """Opens its images and lays out its prompt; from any thread.

        Raises:
            PefomedError: it cannot be asked; its ``too_long`` says whether that is for its length.
        """

    def submit(self, ready: Any, sink: Callable[[Event], None]) -> None:
        """Put it into the queue. ``sink`` is called in the engine's thread.

        Raises:
            Full: the queue is.
        """

    def retry_s(self) -> int:
        """When somebody who finds the queue full should come again."""

    def cancel(self, ready: Any) -> None:
        """Nobody waits for it any more; its place is free with the next step."""

    def close(self) -> None:
        """Whatever is left fails, and the thread ends."""

    @property
    def waiting(self) -> int:
        """Questions that have no place yet."""

    @property
    def running(self) -> int:
        """Questions that are being answered."""

    @property
    def fault(self) -> str:
        """Why it answers no more; empty while it does."""


@dataclass
class Watch:
    """Who is told what the engine does; each does nothing where it is not set."""

    admitted: Callable[[int, int], None] = field(default=lambda questions, prefixes: None)
    """So many questions began, behind so many prefixes that were read."""
    stepped: Callable[[int], None] = field(default=lambda rows: None)
    """One token more in so many rows."""
    images: Callable[[int, int], None] = field(default=lambda known, new: None)
    """Of the images of those who began, so many were known, and so many went through the vision encoder."""
    waited: Callable[[float], None] = field(default=lambda seconds: None)
    """So long a question waited for its place."""
    state: Callable[[int, int], None] = field(default=lambda waiting, rows: None)
    """So many wait, and so many are being answered."""
