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
from random import Random
from threading import Event
from typing import TYPE_CHECKING, Any

from ..embedded.scenes import CHEST, HEAD_CT, draw_scene
from ..errors import ConfigError, PefomedError
from ..origins import TINY, read_origins, what_the_tiny_model_is
from ..services.images.image_folder import find_images
from . import NOT_CLINICAL
from .look import CLEAR_NAMES, make_theme, page_style

if TYPE_CHECKING:
    from PIL import Image

    from ..adapters.medical_model import MedicalModel
    from ..services.outbound import Passage

TASKS = {"Question [vqa]": "vqa", "Report [report]": "report", "Caption [caption]": "caption"}
"""As the page calls them -> as prompts do."""
Example = tuple[str, str, str]
"""Path of an image, key of ``TASKS``, question."""
EXAMPLE_QUESTION = "Is the heart enlarged?"


class Desk:
    """What the page's buttons do. Of gradio it uses the error alone."""

    def __init__(self, model: MedicalModel, max_new_tokens: int = 0) -> None:
        self.model = model
        self.max_new_tokens = max_new_tokens or None

    def show(self, path: str | None) -> Image.Image | None:
        """The image of a file that was dropped, as the model gets it (before it is resized)."""
        from ..services.images.given_images import open_given

        return open_given(path, self.model.policy) if path else None

    def answer(self, path: str | None, task: str, question: str) -> Iterator[str]:
        """The answer, as far as it is, again and again."""
        from ..adapters.medical_model import Request  # late: loads torch

        if not path:
            raise ConfigError("no image yet; drop one, or choose an example")
        asked = question if TASKS[task] == "vqa" else None
        yield from self.model.stream(Request(path, TASKS[task], asked), self.max_new_tokens)

    def explain(self, path: str | None, task: str, question: str, answer: str) -> tuple[Image.Image, str]:
        """The image with what the answer leans on drawn over it, and the same in words."""
        from ..adapters.medical_model import Request  # late: loads torch
        from ..adapters.occlusion import in_words, occlusion_map  # late: loads torch
        from ..services.images.overlay import SCALE, draw_overlay

        if not path or not answer.strip():
            raise ConfigError("no answer yet; ask something first")
        request = Request(path, TASKS[task], question if TASKS[task] == "vqa" else None)
        found = occlusion_map(self.model, request, answer)
        drawn = draw_overlay(self.model.open(path), found.drops, SCALE)
        return drawn, f"{in_words(found)}. What the answer leans on, not where a finding is."


def build_page(desk: Desk, examples: Sequence[Example] = ()) -> Any:
    """The page as gradio blocks; gradio is imported now."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio  # late: optional

    def show(path: str | None) -> Any:
        return _told(lambda: desk.show(path))

    def answer(path: str | None, task: str, question: str) -> Iterator[str]:
        texts = desk.answer(path, task, question)
        while True:
            text = _told(lambda: next(texts, None))
            if text is None:
                return
            yield text

    def explain(path: str | None, task: str, question: str, answer: str) -> Any:
        return _told(lambda: desk.explain(path, task, question, answer))

    warning = NOT_CLINICAL
    if read_origins(desk.model.facts).model == TINY:
        warning += f" This is {what_the_tiny_model_is(desk.model.learnt)}."
    with gradio.Blocks(**_looks(gradio.Blocks.__init__), title="PeFoMed: try a model", analytics_enabled=False) as page:
        gradio.HTML(f"<h1>Try a model</h1><div class='warning'><p>{escape(warning)}</p></div>")
        with gradio.Row():
            with gradio.Column():
                file = gradio.File(label="Image: JPEG, PNG, TIFF, DICOM, ...", type="filepath", elem_id="file")
                image = gradio.Image(
                    label="What the model sees, before it is resized to a square",
                    type="pil",
                    interactive=False,
                    elem_id="image",
                    **_without_sharing(gradio.Image),
                )
            with gradio.Column():
                task = gradio.Radio(list(TASKS), value=next(iter(TASKS)), label="What is asked for", elem_id="task")
                question = gradio.Textbox(label="Question", placeholder=EXAMPLE_QUESTION, elem_id="question")
                with gradio.Row():
                    ask = gradio.Button("Ask", variant="primary", elem_id="ask")
                    stop = gradio.Button("Stop", elem_id="stop")
                said = gradio.Textbox(label="Answer", lines=6, interactive=False, elem_id="answer")
                where = gradio.Button("What does it lean on?", elem_id="where")
                drawn = gradio.Image(
                    label="Parts of the image are covered one at a time",
                    type="pil",
                    interactive=False,
                    elem_id="map",
                    **_without_sharing(gradio.Image),
                )
                words = gradio.Textbox(label="In words", interactive=False, elem_id="map-words")
                gradio.HTML(f"<p>{escape(_weights(desk.model.facts))}</p>")
        page.load(None, None, None, js=CLEAR_NAMES)
        file.change(show, file, image)
        task.change(lambda chosen: gradio.update(visible=TASKS[chosen] == "vqa"), task, question)
        running: Any = [press(answer, [file, task, question], said) for press in (ask.click, question.submit)]
        explained = where.click(explain, [file, task, question, said], [drawn, words])
        stop.click(None, cancels=[*running, explained])
        if examples:
            gradio.Examples([list(example) for example in examples], [file, task, question], label="Examples")
    return page


def serve(
    model: MedicalModel,
    *,
    host: str,
    port: int,
    max_new_tokens: int = 0,
    examples: Sequence[Example] = (),
    passage: Passage | None = None,
) -> None:
    """Show the page until Ctrl-C.

    Raises:
        ConfigError: the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="pefomed-chat-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # where gradio keeps what is dropped onto the page
        page = build_page(Desk(model, max_new_tokens), examples)
        address = launch(page, host, port, sorted({str(Path(example[0]).parent) for example in examples}), passage)
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
        port: None takes a free one.
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
            server_port=port,
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


def find_examples(folder: Path) -> list[Example]:
    """Examples from a folder of images, its first six."""
    return _examples([folder / image for image in find_images(folder).images[:6]])


def draw_examples(folder: Path) -> list[Example]:
    """Examples of drawings of ours, written into ``folder``: no patient."""
    from ..embedded.drawing import save

    rng = Random("examples of the page")
    paths = [folder / name for name in ("chest_1.png", "chest_2.png", "head.png")]
    for path, kind in zip(paths, (CHEST, CHEST, HEAD_CT)):
        save(draw_scene(kind, rng), path)
    return _examples(paths)


def _examples(paths: Sequence[Path]) -> list[Example]:
    names = list(TASKS)
    return [
        (str(path), names[number % len(names)], EXAMPLE_QUESTION if number % len(names) == 0 else "")
        for number, path in enumerate(paths)
    ]


def _told(act: Any) -> Any:
    """What ``act`` gives; a mistake of the user's becomes a message on the page."""
    import gradio  # late: optional

    try:
        return act()
    except PefomedError as error:
        raise gradio.Error(str(error), duration=None) from error


def _looks(takes: Any) -> dict[str, Any]:
    """Theme and style for whichever call takes them: ``Blocks`` until gradio 5, ``launch`` since 6."""
    looks: dict[str, Any] = {"theme": make_theme(), "css": page_style()}
    return looks if set(looks) <= set(inspect.signature(takes).parameters) else {}


def _without_sharing(image: Any) -> dict[str, Any]:
    """gradio puts a button beside images that sends them to a public site; how it is left out depends on gradio."""
    takes = inspect.signature(image.__init__).parameters
    return {"show_share_button": False} if "show_share_button" in takes else {"buttons": ["fullscreen"]}


def _weights(facts: Any) -> str:
    return (
        f"weights: {facts.get('checkpoint')} (sha256 {str(facts.get('checkpoint_sha256'))[:12]}...), plugin "
        f"{facts.get('version')}"
    )
