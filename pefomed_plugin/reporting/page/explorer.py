"""The page of a run: one HTML file that needs no network, with figures, breakdowns and every answer.

Puts data, images, style and script together; ``explorer_data`` decides what is shown, ``assets/`` how it looks and
moves.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import chain, count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, ImageError
from ...services.console import progress
from ...services.images.decoding import open_image
from ...services.parallel import map_in_threads
from ...storage import write_pieces
from ..results import Run
from ..training.curves import LOG, read_training
from ..training.page import training_section
from .assets import Marks, embeddable, fill, read_asset, with_includes
from .explorer_data import image_keys, page_data
from .explorer_rows import SampleRows
from .full_images import EMBEDDED, LINKED, check_folder, embedded_pieces, linked_folder, write_linked

if TYPE_CHECKING:
    from PIL.Image import Image

THUMBNAIL_PX = 320
"""Longer side of an image on the page."""
_JPEG_QUALITY = 72
_WORKERS = 2
IMAGES_A_BLOCK = 64


def write_report(
    runs: Sequence[Run],
    path: Path,
    image_roots: Mapping[str, Path] | None = None,
    texts: bool = True,
    axes: Sequence[str] = (),
    full_images: str = "",
) -> list[str]:
    """Write the page of ``runs[0]``, compared with the others.

    Args:
        runs: at least one.
        path: the HTML file.
        image_roots: data set -> folder that ``Sample.images`` are below; None leaves all images out.
        texts: False leaves questions, answers and predictions out.
        axes: what the tests against the first run are told by as well.
        full_images: ``embedded`` puts every image in full into the page, ``linked`` into pages of their own in a folder
            beside it; else the page has small ones alone.

    Returns:
        One line for each image that could not be shown; the page says so in its place.

    Raises:
        ConfigError: no such axis, or images in full of a page without images.
        DataError: the runs cannot be compared, the full images are too many for one page, or a file cannot be written;
            the old page is untouched.
    """
    if full_images and image_roots is None:
        raise ConfigError("a page without images has none in full: leave --no-images or --full-images out")
    if full_images == LINKED:
        check_folder(path)
    problems: list[str] = []
    data, keys = page_data(runs, texts, axes), image_keys(runs[0])
    data.update(images=image_roots is not None, imagesABlock=IMAGES_A_BLOCK)
    training = training_of(runs)
    data["full"] = {"mode": full_images, "folder": linked_folder(path).name, "missing": [], "smallPx": THUMBNAIL_PX}
    if image_roots is None:
        write_pieces(path, page_pieces(data, (), training=training))
        return problems
    if full_images == LINKED:
        data["full"]["missing"] = write_linked(runs[0], keys, image_roots, path)
    full = embedded_pieces(runs[0], keys, image_roots) if full_images == EMBEDDED else ()
    write_pieces(path, page_pieces(data, make_thumbnails(runs[0], image_roots, problems), full, training))
    return problems


def training_of(runs: Sequence[Run]) -> str:
    """The section with the curves of those runs that trained themselves; empty where none did."""
    trained = [read_training(run.folder, run.name) for run in runs if (run.folder / LOG).is_file()]
    return training_section(trained, "Training") if trained else ""


def make_thumbnails(run: Run, image_roots: Mapping[str, Path], problems: list[str]) -> Iterator[str | None]:
    """Every image of the run as base64 JPEG, in the order of ``image_keys``; None, and a line of ``problems``, where it
    cannot be opened.
    """
    keys = list(image_keys(run))

    def make(key: tuple[str, str]) -> tuple[str | None, str]:
        dataset, image = key
        if dataset not in image_roots:
            return None, f"{image}: no image root for {dataset}"
        try:
            return encode_thumbnail(open_image(image_roots[dataset], image)), ""
        except ImageError as error:
            return None, str(error)

    with progress("images", len(keys)) as advance:
        for opened, problem in map_in_threads(make, keys, _WORKERS):
            problems += [problem] if problem else []
            yield opened
            advance(1)


def encode_thumbnail(image: Image) -> str:
    """An RGB image as base64 JPEG, its longer side at most ``THUMBNAIL_PX``."""
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def render_page(data: Mapping[str, Any], images: Iterable[str | None]) -> str:
    """The HTML text. A content security policy forbids every connection and every script but ours."""
    return "".join(page_pieces(data, images))


def page_pieces(
    data: Mapping[str, Any], images: Iterable[str | None], full: Iterable[str] = (), training: str = ""
) -> Iterator[str]:
    """The HTML text in pieces, a row or a block of images at a time.

    Args:
        full: blocks of images in full.
        training: the section with the curves of the runs' training, where there are any.
    """
    style = [read_asset(name) for name in ("look.css", "explorer.css", "viewer.css", "training.css")]
    parts = {
        Marks.data: _embeddable_mapping(data),
        Marks.images: chain(_image_blocks(images), full),
        Marks.training: [training],
    }
    yield from fill("explorer.html", style, with_includes("explorer.js"), parts)


def _image_blocks(images: Iterable[str | None]) -> Iterator[str]:
    """Images in blocks, so that a browser unpacks those it shows and not all at once."""
    made = iter(images)
    for number in count():
        block = list(islice(made, IMAGES_A_BLOCK))
        if not block:
            return
        yield f'<script type="application/json" id="images-{number}">{embeddable(block)}</script>\n'


def _embeddable_mapping(content: Mapping[str, Any]) -> Iterator[str]:
    """As ``embeddable``, the samples row by row."""
    for number, (name, value) in enumerate(content.items()):
        yield ("," if number else "{") + embeddable(name) + ":"
        yield from _embeddable_list(value) if isinstance(value, SampleRows) else (embeddable(value),)
    yield "}"


def _embeddable_list(content: Iterable[Any]) -> Iterator[str]:
    yield "["
    for number, item in enumerate(content):
        yield ("," if number else "") + embeddable(item)
    yield "]"
