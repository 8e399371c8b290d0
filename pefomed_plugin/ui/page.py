"""The page of ``pefomed chat``, in gradio (extra ``ui``): an image, a question, an answer as it is generated.

Everything stays on this machine: no analytics, no share link, no font or script from elsewhere, and what is dropped
onto the page is deleted when it ends.
"""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, PefomedError
from ..origins import TINY, read_origins, what_the_tiny_model_is
from ..records import Prediction
from . import NOT_CLINICAL
from .desk import TASKS, Desk, Said, confidence_in_words
from .examples import NO_EXAMPLES, Gallery
from .history import next_turn, records_of, save_history, show_history, show_reference
from .layout import draw_answers, draw_asking, draw_examples, draw_history, draw_image
from .look import CLEAR_NAMES, make_theme, page_style

if TYPE_CHECKING:
    from ..adapters.medical_model import MedicalModel
    from ..services.outbound import Passage

_CALLED = {identifier: name for name, identifier in TASKS.items()}


def build_page(desk: Desk, gallery: Gallery = NO_EXAMPLES) -> Any:
    """The page as gradio blocks; gradio is imported now."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio  # late: optional

    with gradio.Blocks(**_looks(gradio.Blocks.__init__), title="PeFoMed: try a model", analytics_enabled=False) as page:
        gradio.HTML(f"<h1>Try a model</h1><div class='warning'><p>{escape(_warning(desk))}</p></div>")
        parts = SimpleNamespace(chosen=gradio.State(-1), history=gradio.State([]))
        if gallery.examples or gallery.left_out:
            draw_examples(parts, gallery)
        with gradio.Row():
            with gradio.Column():
                draw_image(parts)
            with gradio.Column():
                draw_asking(parts)
        draw_answers(parts, desk)
        draw_history(parts)
        gradio.HTML("".join(f"<p class='quiet'>{escape(line)}</p>" for line in _weights(desk)))
        page.load(None, None, None, js=CLEAR_NAMES)
        _wire_choosing(parts, desk, gallery)
        _wire_asking(parts, desk, gallery)
    return page


def _wire_choosing(parts: SimpleNamespace, desk: Desk, gallery: Gallery) -> None:
    """An example brings its image and its questions; an image of the user's own takes the questions away."""
    import gradio  # late: optional

    empty = [""] * (3 * len(desk.models) + 1)
    answers = [*parts.said, *parts.confidences, *parts.prompts, parts.reference]

    def choose(event: Any) -> Any:
        example = gallery.examples[event.index]
        choices = [(offer.words, number) for number, offer in enumerate(example.offers)]
        first = example.offers[0]
        offered = gradio.update(choices=choices, value=0, visible=True)
        return [example.path, event.index, offered, _CALLED[first.task], first.question, *empty]

    choose.__annotations__["event"] = gradio.SelectData  # gradio looks for the class itself

    def pick(number: int, chosen: int) -> Any:
        offer = gallery.examples[chosen].offers[number]
        return _CALLED[offer.task], offer.question

    def take_own() -> Any:
        return [-1, gradio.update(choices=[], value=None, visible=False), *empty]

    def show(path: str | None) -> Any:
        return _told(lambda: desk.show(path), path)

    def suit(task: str) -> Any:
        return gradio.update(visible=TASKS[task] == "vqa")

    if gallery.examples:
        outputs = [parts.file, parts.chosen, parts.offers, parts.task, parts.question, *answers]
        parts.gallery.select(choose, None, outputs)
    parts.offers.input(pick, [parts.offers, parts.chosen], [parts.task, parts.question])
    for act in (parts.file.upload, parts.file.clear):
        act(take_own, None, [parts.chosen, parts.offers, *answers])
    parts.file.change(show, parts.file, parts.image)
    parts.task.change(suit, parts.task, parts.question)


def _wire_asking(parts: SimpleNamespace, desk: Desk, gallery: Gallery) -> None:
    import gradio  # late: optional

    def ask(path: str | None, task: str, question: str, chosen: int, history: list[Prediction]) -> Iterator[Any]:
        texts = desk.ask(path, task, question)
        kept, said = [gradio.update()] * 3, None
        while True:
            now = _told(lambda: next(texts, None), path)
            if now is None:
                break
            said = now
            yield [*_shown(said), "", history, *kept]
        if said:
            example = gallery.examples[chosen] if chosen >= 0 else None
            sample = example.find(TASKS[task], question) if example else None
            image = example.image if example else Path(str(path)).name
            facts = [model.facts for model in desk.models]
            new = records_of(next_turn(history), image, TASKS[task], question, said, facts, sample)
            yield [*_shown(said), "", *remember([*history, *new])]

    def remember(history: list[Prediction]) -> list[Any]:
        saved = save_history(history, os.environ.get("GRADIO_TEMP_DIR")) if history else None
        some = bool(history)
        return [
            history,
            show_history(history),
            gradio.update(value=saved, interactive=some),
            gradio.update(interactive=some),
        ]

    def explain(path: str | None, task: str, question: str, answer: str) -> Any:
        return _told(lambda: desk.explain(path, task, question, answer), path)

    kept = [parts.history, parts.asked, parts.save, parts.clear]
    outputs = [*parts.said, *parts.confidences, *parts.prompts, parts.reference, *kept]
    inputs = [parts.file, parts.task, parts.question, parts.chosen, parts.history]
    running: Any = [press(ask, inputs, outputs) for press in (parts.ask.click, parts.question.submit)]
    shown = [parts.file, parts.task, parts.question, parts.said[0]]
    running.append(parts.where.click(explain, shown, [parts.drawn, parts.words]))
    half = [*parts.said, *parts.confidences]
    parts.stop.click(_stopped, half, parts.confidences, cancels=running)
    parts.show_reference.click(show_reference, parts.history, parts.reference)
    parts.clear.click(lambda: remember([]), None, kept)


def _shown(said: Sequence[Said]) -> list[str]:
    """Answers, confidences and prompts, in the order of their parts of the page."""
    return [
        *(one.text for one in said),
        *(
            "" if one.confidence is None else f"<p role='status'>{escape(_ended(one, one.confidence))}</p>"
            for one in said
        ),
        *(one.prompt for one in said),
    ]


def _stopped(*shown: str) -> list[str]:
    """What stands below answers that were stopped, of which ``shown`` has the texts and what stood below them."""
    texts, below = shown[: len(shown) // 2], shown[len(shown) // 2 :]
    told = "<p role='status'>stopped before its end, and not kept below</p>"
    return [told if text and not said else said for text, said in zip(texts, below)]


def _ended(said: Said, confidence: float) -> str:
    """What stands below an answer that has ended; of an empty one that it is one."""
    return ("" if said.text.strip() else "the answer is empty; ") + confidence_in_words(confidence)


def serve(
    model: MedicalModel,
    *,
    host: str,
    port: int,
    max_new_tokens: int = 0,
    gallery: Gallery = NO_EXAMPLES,
    passage: Passage | None = None,
    against: MedicalModel | None = None,
) -> None:
    """Show the page until Ctrl-C; of two models, both answer.

    Raises:
        ConfigError: the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="pefomed-chat-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # where gradio keeps what is dropped onto the page
        page = build_page(Desk(model, max_new_tokens, against), gallery)
        address = launch(page, host, port, gallery.folders, passage)
        print(f"\nthe page: {address}   (Ctrl-C ends it)", flush=True)
        try:
            Event().wait()
        finally:
            page.close(verbose=False)


def launch(
    page: Any, host: str, port: int | None = None, folders: Sequence[str] = (), passage: Passage | None = None
) -> str:
    """Serve a page in a thread; its address.

    Args:
        port: None or 0 takes a free one.
        folders: what the page may read of this machine, beside what is dropped onto it.
        passage: of the gate, for an address that other machines reach.

    Raises:
        ConfigError: the port is taken, or the gate was not asked.
    """
    from starlette.middleware import Middleware  # late: comes with gradio

    from ..services.web_guard import HostCheck, NotedAnswers, closed_passage  # late: comes with gradio

    noted = Middleware(NotedAnswers, passage=passage or closed_passage(host))
    try:
        _, address, _ = page.queue().launch(
            server_name=host,
            server_port=port or None,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            app_kwargs={"middleware": [noted, Middleware(HostCheck, listens_on=host)]},
            allowed_paths=list(folders),
            **_looks(page.launch),
        )
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}, port {port} ({error}); choose another with --port") from error
    return str(address)


def _told(act: Any, path: str | None = None) -> Any:
    """What ``act`` gives; a mistake of the user's becomes a message on the page.

    Args:
        path: file that was dropped, which the message calls by its name: where it is kept is nobody's business.
    """
    import gradio  # late: optional

    try:
        return act()
    except PefomedError as error:
        text = str(error).replace(str(path), Path(path).name) if path else str(error)
        raise gradio.Error(text, duration=None) from error


def _looks(takes: Any) -> dict[str, Any]:
    """Theme and style for whichever call takes them: ``Blocks`` until gradio 5, ``launch`` since 6."""
    looks: dict[str, Any] = {"theme": make_theme(), "css": page_style()}
    return looks if set(looks) <= set(inspect.signature(takes).parameters) else {}


def _warning(desk: Desk) -> str:
    tiny = [model for model in desk.models if read_origins(model.facts).model == TINY]
    return " ".join(
        [NOT_CLINICAL, *dict.fromkeys(f"This is {what_the_tiny_model_is(model.learnt)}." for model in tiny)]
    )


def _weights(desk: Desk) -> list[str]:
    return [
        f"weights: {model.facts.get('checkpoint')} (sha256 {str(model.facts.get('checkpoint_sha256'))[:12]}...), "
        f"plugin {model.facts.get('version')}"
        for model in desk.models
    ]
