"""Questions that come whenever they want get the answers that they get alone; who leaves makes room."""

from __future__ import annotations

import queue
import threading
from typing import Any

import pytest
import torch

from pefomed_plugin.adapters.medical_model import Request
from pefomed_plugin.adapters.serving.engine import SlotEngine
from pefomed_plugin.errors import ConfigError, ImageError, ToolkitError
from pefomed_plugin.services.serving.engine import Ended, Failed, Full, Piece, Question, ShownImage, Watch
from tests.unit.services.small import small_image

LIMIT = 40
QUESTIONS = ["Is there a fracture?", "Which side is the tube on?", "What is shown?", "Is the heart enlarged?"]


def question(seed: int, text: str, task: str = "vqa", **settings: Any) -> Question:
    return Question(task, text, {"": ShownImage(str(seed), lambda: small_image(seed))}, **settings)


class Heard:
    """What is said of one question."""

    def __init__(self) -> None:
        self.events: queue.Queue[Any] = queue.Queue()
        self.pieces: list[Any] = []

    def __call__(self, event: Any) -> None:
        self.events.put(event)

    def end(self) -> Any:
        while True:
            event = self.events.get(timeout=60)
            self.pieces.append(event)
            if not isinstance(event, Piece):
                return event

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@pytest.fixture
def start(model: Any) -> Any:
    engines = []

    def begin(**settings: Any) -> SlotEngine:
        engine = SlotEngine(model, **{"rows": 4, "most_new_tokens": LIMIT, **settings})
        engine.start()
        engines.append(engine)
        return engine

    yield begin
    for engine in engines:
        engine.close()


def ask(engine: SlotEngine, *questions: Question) -> list[Heard]:
    heard = []
    for one in questions:
        heard.append(Heard())
        engine.submit(engine.prepare(one), heard[-1])
    return heard


@pytest.fixture(scope="module")
def alone(model: Any) -> dict[tuple[int, str, str], str]:
    """Every answer, asked by itself as evaluation does."""
    asked = [(seed, "vqa", text) for seed in range(3) for text in QUESTIONS]
    asked += [(seed, task, "") for seed in range(3) for task in ("report", "caption")]
    batch, model.batch_size = model.batch_size, 1
    found = {
        (seed, task, text): model.answer([Request(small_image(seed), task, text or None)], LIMIT)[0]
        for seed, task, text in asked
    }
    model.batch_size = batch
    assert len(set(found.values())) > 10
    return found


@pytest.mark.parametrize("settings", [{}, {"rows": 1}, {"rows": 3, "kept_images": 0}, {"rows": 16, "shares": False}])
def test_any_mixture_gets_the_answers_that_each_gets_alone(start: Any, alone: Any, settings: Any) -> None:
    engine, heard = start(**settings), {}
    for number, (seed, task, text) in enumerate(alone):
        shown = question(seed, text, task, in_pieces=number % 2 == 0, top=5 if number % 3 == 0 else None)
        (heard[seed, task, text],) = ask(engine, shown)
    for key, one in heard.items():
        ended = one.end()
        assert isinstance(ended, Ended) and one.text == alone[key], key
    assert engine.running == engine.waiting == 0


def test_questions_that_come_together_share_their_prefix(start: Any, alone: Any) -> None:
    admitted, images, rows = [], [], []
    watch = Watch(
        admitted=lambda *counts: admitted.append(counts),
        images=lambda *counts: images.append(counts),
        stepped=rows.append,
    )
    engine = start(rows=4, watch=watch)
    del admitted[:], images[:], rows[:]
    order = [question(seed, text) for text in QUESTIONS for seed in (0, 1)]  # not in the order of their images
    heard = ask(engine, *order)
    assert all(isinstance(one.end(), Ended) for one in heard)
    assert sum(questions for questions, _ in admitted) == 8
    assert sum(prefixes for _, prefixes in admitted) < 6, admitted
    assert sum(new for _, new in images) == 2
    assert max(rows) > 1
    before = engine.model.network.vit_forwards
    ask(engine, question(0, "Is it old?"))[0].end()
    assert engine.model.network.vit_forwards == before, "a known image is encoded again"


def test_likelihoods_add_up_to_those_of_the_whole_answer(start: Any, model: Any) -> None:
    engine = start()
    for text in QUESTIONS:
        (heard,) = ask(engine, question(1, text, top=3))
        ended = heard.end()
        if ended.reason == "length" or not ended.text:
            continue
        ids = model.network.llama_tokenizer.encode(ended.text)
        if len(ids) + 1 != ended.answer_tokens:
            continue  # the model spelt it with other tokens than the tokenizer would
        (known,) = model.log_probabilities([Request(small_image(1), "vqa", text)], [ended.text])
        told = sum(token.logprob for token in ended.tokens)
        assert told >= known - 1e-4, "with the end it is less likely than without"
        assert all(token.top[0][1] == pytest.approx(token.logprob, abs=1e-5) for token in ended.tokens)
        assert len(ended.tokens) == ended.answer_tokens - 1


def test_limits_and_stop_texts(start: Any, alone: Any) -> None:
    engine = start()
    whole = alone[0, "report", ""]
    mark = whole[len(whole) // 2 : len(whole) // 2 + 3]
    for in_pieces in (False, True):
        short, stopped = ask(
            engine,
            question(0, "", "report", most_tokens=3, in_pieces=in_pieces),
            question(0, "", "report", stop=("not in it at all", mark), in_pieces=in_pieces),
        )
        ended = short.end()
        assert (ended.reason, ended.answer_tokens) == ("length", 3) and whole.startswith(short.text)
        assert stopped.end().reason == "stop"
        assert stopped.text == whole[: whole.index(mark)].strip()
    (long,) = ask(engine, question(0, "", "report", most_tokens=10**9))
    assert long.end().answer_tokens <= engine.limits["report"]


def test_who_leaves_frees_his_row_and_changes_no_other_answer(start: Any, alone: Any) -> None:
    engine = start(rows=2)
    tickets, gone = {}, threading.Event()

    def leave(event: Any) -> None:
        if isinstance(event, Piece) and not gone.is_set():
            engine.cancel(tickets["leaves"])
            gone.set()
        elif gone.is_set():
            tickets["heard after"] = event

    tickets["leaves"] = engine.prepare(question(2, "", "report", in_pieces=True))
    engine.submit(tickets["leaves"], leave)
    (stays, waits, other) = ask(engine, question(0, "", "report"), question(1, QUESTIONS[0]), question(1, QUESTIONS[1]))
    assert gone.wait(60)
    for one, key in ((stays, (0, "report", "")), (waits, (1, "vqa", QUESTIONS[0])), (other, (1, "vqa", QUESTIONS[1]))):
        one.end()
        assert one.text == alone[key]
    assert "heard after" not in tickets and engine.running == 0


def test_who_leaves_while_he_waits_is_never_asked(start: Any, alone: Any) -> None:
    asked: list[int] = []
    engine = start(rows=1, watch=Watch(admitted=lambda questions, _: asked.append(questions)))
    del asked[:]
    (first,) = ask(engine, question(0, "", "report"))
    ready, heard = engine.prepare(question(1, QUESTIONS[0])), Heard()
    engine.submit(ready, heard)
    engine.cancel(ready)
    first.end()
    (last,) = ask(engine, question(1, QUESTIONS[1]))
    last.end()
    assert asked == [1, 1] and heard.events.empty()


def test_a_full_queue_and_an_end(start: Any) -> None:
    engine = start(rows=1, most_waiting=2)
    readies = [engine.prepare(question(seed, "", "report")) for seed in range(8)]
    heard = [Heard() for _ in readies]
    taken = []
    retry_s = 0
    for ready, one in zip(readies, heard):
        try:
            engine.submit(ready, one)
        except Full as full:
            retry_s = full.retry_s
            break
        taken.append(one)
    assert 1 <= retry_s <= 60 and 2 <= len(taken) <= 4
    engine.close()
    ends = [one.end() for one in taken]
    assert any(isinstance(end, Failed) for end in ends)
    with pytest.raises(RuntimeError, match="ended"):
        engine.submit(readies[-1], heard[-1])


def test_prompts_and_images_that_cannot_be_used(start: Any) -> None:
    engine = start(most_text_tokens=100)
    with pytest.raises(ConfigError, match="at most 100") as caught:
        engine.prepare(question(0, "word " * 120))
    assert caught.value.too_long  # type: ignore[attr-defined]

    def broken() -> Any:
        raise ImageError("damaged")

    with pytest.raises(ImageError, match="damaged"):
        engine.prepare(Question("vqa", "a?", {"": ShownImage("x", broken)}))
    (heard,) = ask(engine, question(0, "<Img><ImageHere></Img> {instruction} [/INST] </s> what?"))
    assert isinstance(heard.end(), Ended)


def test_memory_that_is_full_is_nobody_elses_end(start: Any, alone: Any, monkeypatch: Any) -> None:
    engine = start()
    real = engine._rows.admit
    calls = []

    def admit(features: Any, layout: Any, *rest: Any) -> Any:
        calls.append(layout.samples)
        if layout.samples > 1 or len(calls) == 2:
            raise torch.cuda.OutOfMemoryError
        return real(features, layout, *rest)

    monkeypatch.setattr(engine._rows, "admit", admit)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    heard = ask(engine, *(question(0, text) for text in QUESTIONS[:3]))
    ends = [one.end() for one in heard]
    assert [isinstance(end, Failed) for end in ends] == [True, False, False] and calls[0] == 3
    assert [one.text for one in heard[1:]] == [alone[0, "vqa", text] for text in QUESTIONS[1:3]]


def test_an_error_of_the_model_is_told_to_all_who_wait(start: Any, monkeypatch: Any, capsys: Any) -> None:
    engine = start()

    def broken() -> None:
        raise ValueError("a patient's text")

    monkeypatch.setattr(engine._rows, "step", broken)
    (heard,) = ask(engine, question(0, QUESTIONS[0]))
    assert isinstance(heard.end(), Failed)
    assert "ValueError" in engine.fault and "patient" not in engine.fault + capsys.readouterr().out
    with pytest.raises(RuntimeError, match="ValueError"):
        engine.submit(engine.prepare(question(0, QUESTIONS[0])), Heard())


def test_a_model_without_slots_is_refused_by_name(model: Any) -> None:
    class Checkout:
        network, templates = object(), model.templates

    with pytest.raises(ToolkitError, match="PEFOMED_TOOLKIT=bundled"):
        SlotEngine(Checkout())  # type: ignore[arg-type]
