"""Texts in pieces: what was given out, one behind the other, is the answer."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")

from PIL import Image

from pefomed_plugin.adapters.serving.shelf import Shelf, features_of
from pefomed_plugin.adapters.serving.texts import GrowingText, told
from pefomed_plugin.adapters.serving.tickets import Ticket, news
from pefomed_plugin.prompts import LLAMA2_CHAT


class Letters:
    """Tokens are bytes; 0 ends an answer."""

    answer_mark = LLAMA2_CHAT.answer_mark

    def text(self, ids: Sequence[int]) -> str:
        return bytes(ids).split(b"\0")[0].decode(errors="replace")

    def answer_of(self, text: str) -> str:
        return LLAMA2_CHAT.answer_of(text)

    def is_end(self, token: int) -> bool:
        return token == 0

    def piece(self, token: int) -> str:
        return chr(token)

    def score(self, row: Any) -> Any:
        return row


def pieces(said: str, *stop: str) -> tuple[list[str], GrowingText]:
    ids = [*said.encode(), 0]
    growing, found = GrowingText(Letters(), stop), []
    for count in range(1, len(ids) + 1):
        found.append(growing.more(ids[:count], count == len(ids)))
        if growing.is_stopped or growing.began_anew:
            break
    return found, growing


@pytest.mark.parametrize(
    "said",
    ["yes", " yes ", "a  b\n", "", "  ", "ä€😀", "[INST", "x [/INS", "a [/INSTead", "no [", "\n\nHeart.\nLungs. "],
)
def test_pieces_make_the_answer(said: str) -> None:
    found, growing = pieces(said)
    assert "".join(found) == LLAMA2_CHAT.answer_of(said) == growing.whole([*said.encode(), 0])
    assert not any("\ufffd" in piece for piece in found)


@pytest.mark.parametrize(
    ("said", "stop", "answer"),
    [
        ("The heart. The lungs.", ["."], "The heart"),
        ("abcabd", ["abd"], "abc"),
        ("aab", ["ab", "b"], "a"),
        ("one\n\ntwo", ["\n\n"], "one"),
        ("one", ["e"], "on"),
        ("one", ["one"], ""),
        ("one", ["once"], "one"),
        ("héllo", ["é"], "h"),
    ],
)
def test_a_stop_text_ends_the_answer_and_is_no_part_of_it(said: str, stop: list[str], answer: str) -> None:
    found, growing = pieces(said, *stop)
    assert "".join(found) == answer
    assert growing.is_stopped == (answer != said)
    whole = GrowingText(Letters(), stop)
    assert whole.whole(said.encode()) == answer


def test_an_answer_that_begins_anew_is_known_as_such() -> None:
    found, growing = pieces("the prompt [/INST] yes")
    assert growing.began_anew and "".join(found).startswith("the prompt")
    assert growing.whole(b"the prompt [/INST] yes") == "yes"


def test_the_end_is_not_told_of() -> None:
    class Row:
        logprob, top = -1.0, [(98, -1.0), (99, -2.0)]

    found = told(Letters(), [98, 0], [Row, Row], 1)  # type: ignore[list-item]
    assert [(token.text, token.logprob, token.top) for token in found] == [("b", -1.0, [("b", -1.0)])]


@pytest.mark.parametrize("in_pieces", [False, True])
@pytest.mark.parametrize(
    ("said", "stop", "told_of"),
    [("The heart. A", "he. ", "The heart. A"), ("one two three", " two", "one"), ("ab. c", ".", "ab"), ("x", "x", "")],
)
def test_the_tokens_that_are_told_of_make_the_text(said: str, stop: str, told_of: str, in_pieces: bool) -> None:
    class Rows(Letters):
        def drop(self, answer: Any) -> None:
            answer.is_done = True

        def score(self, row: Any) -> Any:
            return SimpleNamespace(logprob=row, top=[])

    rows, answer = Rows(), SimpleNamespace(ids=[], scores=[], is_done=False)
    ticket = Ticket("", (), 99, (stop,), 0, in_pieces, 0, answer=answer, growing=GrowingText(rows, (stop,)))
    texts, tokens = "", ""
    for token in [*said.encode(), 0]:
        answer.ids.append(token)
        answer.scores.append(-1.0)
        answer.is_done = token == 0
        heard = news(ticket, rows)
        texts += heard.text if heard else ""
        tokens += "".join(one.text for one in heard.tokens) if heard else ""
        assert not in_pieces or tokens.rstrip() == texts, "they run ahead of what is certain"
        if answer.is_done:
            break
    assert tokens == texts == told_of


def test_images_are_opened_and_encoded_once_and_the_oldest_is_forgotten() -> None:
    import torch

    shelf, opened, encoded = Shelf(2), [], []

    def show(key: str) -> Any:
        image = shelf.take(key)

        def opener() -> Image.Image:
            opened.append(key)
            return Image.new("RGB", (2, 2))

        image.open(opener, lambda _: torch.full((3, 2, 2), float(ord(key))))
        return image

    def encode(images: torch.Tensor) -> torch.Tensor:
        encoded.append(len(images))
        return images.flatten(1)[:, None]

    first = [show("a"), show("b"), show("a")]
    features, new = features_of(first, encode)
    assert (features[:, 0, 0].tolist(), new, opened, encoded) == ([97.0, 98.0, 97.0], 2, ["a", "b"], [2])
    assert features_of([show("b"), show("c")], encode)[1] == 1
    show("a")
    assert opened == ["a", "b", "c", "a"] and len(shelf) == 2
    none = Shelf(0)
    assert none.take("a") is not none.take("a") and len(none) == 0


def test_an_image_that_cannot_be_opened_is_tried_again() -> None:
    image = Shelf(2).take("a")

    def broken() -> Image.Image:
        raise ValueError

    with pytest.raises(ValueError):
        image.open(broken, lambda _: None)  # type: ignore[arg-type, return-value]
    image.open(lambda: Image.new("RGB", (1, 1)), lambda _: "pixels")  # type: ignore[arg-type, return-value]
    assert image.pixels == "pixels"
