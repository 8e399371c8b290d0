"""A question on its way: opened and laid out before it waits, and what there is to tell of it once it is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from ...errors import ConfigError
from ...services.serving.engine import Ended, Event, Failed, Piece, Question
from ..medical_model import MedicalModel, Request
from .shelf import Shelf, Shelved
from .texts import told


@dataclass(eq=False)
class Ticket:
    """A question on its way."""

    text: str
    """``instruction_input``."""
    images: tuple[Shelved, ...]
    limit: int
    stop: tuple[str, ...]
    top: int | None
    in_pieces: bool
    prompt_tokens: int
    sink: Callable[[Event], None] = lambda event: None
    came: float = 0.0
    is_gone: bool = False
    """Whether nobody waits for it any more."""
    answer: Any = None
    """Of the toolkit, once it is being answered."""
    seen: int = 0
    """Tokens that were looked at."""
    told: int = 0
    """Tokens that were told of."""
    growing: Any = None

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for the same images in the same order."""
        return tuple(image.key for image in self.images)


class TooLong(ConfigError):
    """A prompt of too many tokens."""

    too_long = True


class Preparing:
    """Makes tickets of questions, in the threads of those who ask."""

    def __init__(
        self, model: MedicalModel, packer: Any, limits: Mapping[str, int], most_text_tokens: int, kept_images: int
    ) -> None:
        """Prepare.

        Args:
            packer: of the model.
            limits: most tokens of an answer, by task.
            most_text_tokens: of a prompt, beside its images.
            kept_images: of which the features are kept.
        """
        self._model, self._packer, self._limits = model, packer, limits
        self._most_text_tokens, self._shelf = most_text_tokens, Shelf(kept_images)

    def prepare(self, question: Question) -> Ticket:
        """Open the images of a question and lay out its prompt; from any thread.

        Raises:
            ConfigError: it cannot be asked; TooLong: it has too many tokens.
            ImageError: an image cannot be used.
        """
        network = self._model.network
        names = dict.fromkeys(question.images, "")  # the prompt takes the names alone
        shown: Any = names if len(names) > 1 else ""
        text = self._model.instruction_input(Request(shown, question.task, question.text or None))
        length = network.prompt_length(text)
        words = length - len(names) * network.visual_tokens
        if words > self._most_text_tokens or length > network.max_context_len:
            raise TooLong(
                f"the text has {words:,} tokens; at most {self._most_text_tokens:,} beside {len(names)} image(s) of "
                f"{network.visual_tokens:,}, {network.max_context_len:,} in all"
            )
        images = []
        for image in question.images.values():
            shelved = self._shelf.take(image.key)
            shelved.open(image.open, self._model.pixels)
            images.append(shelved)
        limit = min(self._limits[question.task], question.most_tokens or self._limits[question.task])
        tokens = self._packer([text], None, [""])[0].separately_padded_length
        return Ticket(text, tuple(images), limit, question.stop, question.top, question.in_pieces, tokens)


def news(ticket: Ticket, rows: Any) -> Event | None:
    """What there is new to say of a ticket that is being answered; None where that is nothing.

    One that ends before its tokens do, by a stop text or because nobody can be told what came of it, leaves its row.

    Args:
        rows: what the toolkit steps with.
    """
    answer, growing = ticket.answer, ticket.growing
    ticket.seen = len(answer.ids)
    text = growing.more(answer.ids, answer.is_done) if ticket.in_pieces else ""
    if not ticket.in_pieces and ticket.stop:
        growing.look(answer.ids)
    if growing.is_stopped or growing.began_anew:
        rows.drop(answer)
    if growing.began_anew:
        return Failed("the answer began anew after it was sent in parts; ask without stream")
    if answer.is_done:
        ends = growing.is_stopped or rows.is_end(answer.ids[-1])
        rest = text if ticket.in_pieces else growing.whole(answer.ids)
        return Ended(rest, _told(ticket, rows, not growing.is_stopped), "stop" if ends else "length", len(answer.ids))
    return Piece(text, _told(ticket, rows, False)) if text else None


def _told(ticket: Ticket, rows: Any, is_all: bool) -> Sequence[Any]:
    """The tokens of what is given out with them; ``is_all``: nothing was cut off, and nothing is held back."""
    if ticket.top is None:
        return ()
    answer, begin = ticket.answer, ticket.told
    ticket.told = len(answer.ids) if is_all else ticket.growing.tokens(answer.ids, begin)
    return told(rows, answer.ids[begin : ticket.told], answer.scores[begin : ticket.told], ticket.top)
