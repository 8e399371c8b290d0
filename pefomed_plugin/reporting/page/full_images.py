"""Images in full for the page of a run: within it, or a page each that it links to; ``assets/viewer.js`` shows them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import DataError, ImageError, why
from ...services.console import progress
from ...services.images.full import read_full_image
from ...services.parallel import map_in_threads
from ...storage import write_pieces
from ..results import Run
from .assets import Marks, embeddable, fill, read_asset, with_includes
from .explorer_rows import public_sets, shown_file

LINKED, EMBEDDED = "linked", "embedded"
MOST_EMBEDDED_BYTES = 400_000_000
"""Of a page; browsers give up at about 500 MB of text."""
_NAME = re.compile(r"\d{5,}\.html")
_WORKERS = 2

Keys = Mapping[tuple[str, str], int]


def linked_folder(page: Path) -> Path:
    """Where the pages of the images of a page lie: beside it."""
    return page.with_name(page.stem + "_images")


def check_folder(page: Path) -> None:
    """Refuse a folder that holds something else than pages of images.

    Raises:
        DataError: it does.
    """
    folder = linked_folder(page)
    others = sorted(path.name for path in folder.glob("*") if not _NAME.fullmatch(path.name)) if folder.is_dir() else []
    if others or folder.is_file():
        raise DataError(
            f"{folder} is where the full images go, and holds something else: move it away, or choose another --out",
            others[:5],
        )


def write_linked(run: Run, keys: Keys, image_roots: Mapping[str, Path], page: Path) -> list[int]:
    """A page for each image, beside ``page``; the numbers of those that cannot be opened. Pages of before are replaced.

    Raises:
        DataError: a file cannot be written.
    """
    folder = linked_folder(page)
    missing, written = [], set()
    for number, content in _contents(run, keys, image_roots):
        if content is None:
            missing.append(number)
            continue
        path = folder / f"{number:05}.html"
        write_pieces(path, viewer_pieces(content))
        written.add(path.name)
    try:
        for path in folder.glob("*.html"):
            if path.name not in written and _NAME.fullmatch(path.name):
                path.unlink()
    except OSError as error:
        raise DataError(f"cannot empty {folder} of an earlier report's images: {why(error)}") from error
    return missing


def embedded_pieces(run: Run, keys: Keys, image_roots: Mapping[str, Path]) -> Iterator[str]:
    """A JSON block for each image that can be opened, ``full-<number>``.

    Raises:
        DataError: together they are more than a page can hold.
    """
    size = 0
    for number, content in _contents(run, keys, image_roots):
        if content is not None:
            piece = f'<script type="application/json" id="full-{number}">{embeddable(content)}</script>\n'
            size += len(piece)
            if size > MOST_EMBEDDED_BYTES:
                raise DataError(
                    f"the full images take more than {MOST_EMBEDDED_BYTES / 1e6:.0f} MB, more than browsers open in a "
                    f"page ({number:,} of {len(keys):,} are in): give --full-images {LINKED}"
                )
            yield piece


def viewer_pieces(content: Mapping[str, Any]) -> Iterator[str]:
    """The page of one image, as safe as that of the run: its script alone runs, and nothing is fetched."""
    style = [read_asset(name) for name in ("look.css", "explorer.css", "viewer.css")]
    yield from fill("viewer.html", style, with_includes("viewer_page.js"), {Marks.data: [embeddable(content)]})


def _contents(run: Run, keys: Keys, image_roots: Mapping[str, Path]) -> Iterator[tuple[int, dict[str, Any] | None]]:
    public = public_sets(run)

    def make(key: tuple[str, str]) -> dict[str, Any] | None:
        dataset, image = key
        try:
            found = read_full_image(image_roots[dataset], image)
        except (KeyError, ImageError):  # told where the small one is made
            return None
        return {
            "name": shown_file(image, dataset in public),
            "media": found.media,
            "bits": found.bits,
            "depth": asdict(found.depth) if found.depth else None,
            "note": found.note,
            "data": base64.b64encode(found.data).decode("ascii"),
        }

    with progress("full images", len(keys)) as advance:
        for number, content in enumerate(map_in_threads(make, keys, _WORKERS)):
            yield number, content
            advance(1)
