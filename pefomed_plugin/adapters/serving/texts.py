"""The text of an answer as it grows: what of it is certain, where it ends, and what is told of its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...services.serving.engine import Told

_HALF = "\ufffd"
"""What a part of a character is decoded as; more of it may be on its way."""


class GrowingText:
    """Gives out what later tokens cannot change. What it gave out, one behind the other, is the answer.

    ``rows`` is what the toolkit steps with (``text``, ``answer_of``, ``answer_mark``).
    """

    def __init__(self, rows: Any, stop: Sequence[str]) -> None:
        self._rows, self._stop = rows, tuple(stop)
        self._given = self._text = ""
        self.is_stopped = False
        """Whether one of the stop texts was said."""
        self.began_anew = False
        """Whether what was given out turned out not to be the answer: the model repeated the end of the prompt."""

    def look(self, ids: Sequence[int]) -> str:
        """What the tokens say up to a stop text; whether there is one is known then."""
        text: str = self._rows.text(ids)
        places = [place for place in map(text.find, self._stop) if place >= 0]
        self.is_stopped = bool(places)
        return text[: min(places)] if places else text

    def whole(self, ids: Sequence[int]) -> str:
        """The answer."""
        self._text = self.look(ids)
        answer: str = self._rows.answer_of(self._text)
        return answer

    def more(self, ids: Sequence[int], is_done: bool) -> str:
        """What can be given out besides, now that these are the tokens."""
        text = self.look(ids)
        if not (self.is_stopped or is_done):
            text = self._certain(text)
        self._text = text
        answer: str = self._rows.answer_of(text)
        if not answer.startswith(self._given):
            self.began_anew = True
            return ""
        new, self._given = answer[len(self._given) :], answer
        return new

    def tokens(self, ids: Sequence[int], begin: int) -> int:
        """How many of the tokens make the text that ``whole`` or ``more`` made last; at least ``begin`` do.

        Those of a stop text, or of what is not certain yet, are not among them; one that has a part in it is.
        """
        for count in range(begin, len(ids)):
            if str(self._rows.text(ids[:count])).startswith(self._text):
                return count
        return len(ids)

    def _certain(self, text: str) -> str:
        """Without what could be the beginning of something that is cut off, or half a character."""
        text = text.rstrip(_HALF)
        mark = self._rows.answer_mark
        for end in (*self._stop, *([mark] if mark else [])):
            for length in range(min(len(end) - 1, len(text)), 0, -1):
                if text.endswith(end[:length]):
                    text = text[:-length]
                    break
        return text


def told(rows: Any, ids: Sequence[int], scores: Sequence[Sequence[float]], top: int) -> list[Told]:
    """Tokens with their log-probabilities, but the one that ends an answer; ``top`` likeliest ones of each place."""
    found = []
    for token, row in zip(ids, scores):
        if rows.is_end(token):
            break
        known = rows.score(row)
        likely = [(rows.piece(other), value) for other, value in known.top[:top]]
        found.append(Told(rows.piece(token), known.logprob, likely))
    return found
