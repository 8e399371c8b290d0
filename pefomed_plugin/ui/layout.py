"""The parts of the page, as gradio draws them, each kept under a name; what they do is wired in ``page``."""

from __future__ import annotations

import inspect
from html import escape
from types import SimpleNamespace
from typing import Any

from .desk import TASKS, Desk
from .examples import ANY_IMAGE, Gallery
from .history import NOTHING


def draw_examples(parts: SimpleNamespace, gallery: Gallery) -> None:
    import gradio  # late: optional

    gradio.HTML(f"<h2>Examples</h2><p class='quiet' id='source'>{escape(gallery.words)}</p>")
    parts.gallery = gradio.Gallery(
        [(example.thumbnail, example.name) for example in gallery.examples],
        show_label=False,
        columns=6,
        height="auto",
        object_fit="contain",
        allow_preview=False,
        interactive=False,
        elem_id="examples",
        **_without_buttons(gradio.Gallery),
    )


def draw_image(parts: SimpleNamespace) -> None:
    import gradio  # late: optional

    parts.file = gradio.File(label="Image: JPEG, PNG, TIFF, DICOM, ...", type="filepath", elem_id="file")
    parts.image = gradio.Image(
        label="What the model sees, before it is resized to a square",
        type="pil",
        interactive=False,
        elem_id="image",
        **_without_sharing(gradio.Image),
    )


def draw_asking(parts: SimpleNamespace) -> None:
    import gradio  # late: optional

    parts.offers = gradio.Radio([], label="Questions about this image", visible=False, elem_id="offers")
    parts.task = gradio.Radio(list(TASKS), value=next(iter(TASKS)), label="What is asked for", elem_id="task")
    parts.question = gradio.Textbox(label="Question", placeholder=ANY_IMAGE[-1], elem_id="question")
    with gradio.Row():
        parts.ask = gradio.Button("Ask", variant="primary", elem_id="ask")
        parts.stop = gradio.Button("Stop", elem_id="stop")


def draw_answers(parts: SimpleNamespace, desk: Desk) -> None:
    """A column for each model: answer and confidence; beneath, what belongs to all."""
    import gradio  # late: optional

    parts.said, parts.confidences, parts.prompts = [], [], []
    names = desk.names if len(desk.models) > 1 else ["Answer"]
    with gradio.Row():
        for number, name in enumerate(names, 1):
            with gradio.Column():
                end = "" if number == 1 else f"-{number}"
                parts.said.append(gradio.Textbox(label=name, lines=4, interactive=False, elem_id=f"answer{end}"))
                parts.confidences.append(gradio.HTML(elem_id=f"confidence{end}"))
    with gradio.Accordion("The prompt as asked", open=False, elem_id="prompts"):
        for number, name in enumerate(names, 1):
            label = f"Prompt of {name}" if len(names) > 1 else "Prompt"
            parts.prompts.append(gradio.Textbox(label=label, interactive=False, elem_id=f"prompt-{number}"))
    parts.show_reference = gradio.Button("Show the reference", elem_id="show-reference")
    parts.reference = gradio.HTML(elem_id="reference")
    first = "" if len(names) == 1 else " (A)"
    with gradio.Accordion(f"What does the answer lean on?{first}", open=False):
        parts.where = gradio.Button("Cover parts of the image, one at a time", elem_id="where")
        parts.drawn = gradio.Image(
            label="What the answer leans on",
            type="pil",
            interactive=False,
            elem_id="map",
            **_without_sharing(gradio.Image),
        )
        parts.words = gradio.Textbox(label="In words", interactive=False, elem_id="map-words")


def draw_history(parts: SimpleNamespace) -> None:
    import gradio  # late: optional

    gradio.HTML("<h2>Asked in this session</h2>")
    parts.asked = gradio.HTML(NOTHING, elem_id="history")
    with gradio.Row():
        parts.save = gradio.DownloadButton("Save as JSON lines", interactive=False, elem_id="save-history")
        parts.clear = gradio.Button("Clear", interactive=False, elem_id="clear-history")


def _without_sharing(image: Any) -> dict[str, Any]:
    """gradio puts a button beside images that sends them to a public site; how it is left out depends on gradio."""
    takes = inspect.signature(image.__init__).parameters
    return {"show_share_button": False} if "show_share_button" in takes else {"buttons": ["fullscreen"]}


def _without_buttons(gallery: Any) -> dict[str, Any]:
    """Neither sharing nor saving beside thumbnails; how that is said depends on gradio."""
    takes = inspect.signature(gallery.__init__).parameters
    old = {name: False for name in ("show_share_button", "show_download_button") if name in takes}
    return old or {"buttons": []}
