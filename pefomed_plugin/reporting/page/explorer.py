"""The page of a run: one HTML file that needs no network, with figures, breakdowns and every answer.

Puts data, images, style and script together; ``explorer_data`` decides what is shown, ``assets/`` how it looks and
moves.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ImageError
from ...services.console import progress
from ...services.images.decoding import open_image
from ...services.parallel import map_in_threads
from ...storage import write_pieces
from ..results import Run
from .explorer_data import image_keys, page_data
from .explorer_rows import SampleRows

if TYPE_CHECKING:
    from PIL.Image import Image

ASSETS = Path(__file__).resolve().parents[1] / "assets"
THUMBNAIL_PX = 320
"""Longer side of an image on the page."""
_JPEG_QUALITY = 72
_WORKERS = 2
_INCLUDE = re.compile(r"// @include (\w+\.js)")


def write_report(
    runs: Sequence[Run],
    path: Path,
    image_roots: Mapping[str, Path] | None = None,
    texts: bool = True,
    axes: Sequence[str] = (),
) -> list[str]:
    """Write the page of ``runs[0]``, compared with the others.

    Args:
        runs: at least one.
        path: the HTML file.
        image_roots: data set -> folder that ``Sample.images`` are below; None leaves all images out.
        texts: False leaves questions, answers and predictions out.
        axes: what the tests against the first run are told by as well.

    Returns:
        One line for each image that could not be shown; the page says so in its place.

    Raises:
        ConfigError: no such axis.
        DataError: the runs cannot be compared, or the file cannot be written; the old file is untouched.
    """
    problems: list[str] = []
    data = page_data(runs, texts, axes)
    data["images"] = image_roots is not None
    images = make_thumbnails(runs[0], image_roots, problems) if image_roots is not None else ()
    write_pieces(path, page_pieces(data, images))
    return problems


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


def page_pieces(data: Mapping[str, Any], images: Iterable[str | None]) -> Iterator[str]:
    """The HTML text in pieces, a row or an image at a time."""
    script = _INCLUDE.sub(lambda found: _asset(found.group(1)), _asset("explorer.js"))
    parts: dict[str, Iterable[str]] = {
        "@SCRIPT_HASH@": [base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")],
        "@STYLE@": [_asset("look.css"), _asset("explorer.css")],
        "@SCRIPT@": [script],
        "@DATA@": _embeddable_mapping(data),
        "@IMAGES@": _embeddable_list(images),
    }
    for line in _asset("explorer.html").splitlines(keepends=True):
        # Line by line and one mark per line, so that no text of the data can be taken for a mark.
        mark = next((part for part in parts if part in line), None)
        before, _, after = line.partition(mark) if mark else (line, "", "")
        yield before
        yield from parts[mark] if mark else ()
        yield after


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


def embeddable(content: Any) -> str:
    """JSON that can stand inside a script element: no ``<``, so neither ``</script>`` nor ``<!--`` can end it."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")
