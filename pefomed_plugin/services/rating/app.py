"""What the rating page's server answers (Starlette): its files, a rater's items and images, and what raters say.

Who may ask is ``server``'s; what is shown and kept is ``session``'s.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ...errors import DataError, ImageError
from ...json_text import JsonFault, parse_json
from ..console import say
from ..images.decoding import open_image
from ..images.full import read_full_image
from ..local_names import split_url
from .folder import clean_rater
from .session import RatingSession
from .store import StoreError

IDLE_S = 60
"""A connection that begins no request for so long, or stops in the middle of a rating, is closed."""
_BODY_LIMIT = 64 * 1024
_IMAGE_PX = 2048
"""Longer side of an image as it is sent."""
_FILES = {
    "/": ("rating.html", "text/html"),
    "/rating.js": ("rating.js", "text/javascript"),
    "/rating_film.js": ("rating_film.js", "text/javascript"),
    "/rating_saving.js": ("rating_saving.js", "text/javascript"),
    "/rating_row.js": ("rating_row.js", "text/javascript"),
    "/rating.css": ("rating.css", "text/css"),
    "/look.css": ("look.css", "text/css"),
    "/explorer.css": ("explorer.css", "text/css"),
    "/viewer.css": ("viewer.css", "text/css"),
    "/viewer.js": ("viewer.js", "text/javascript"),
    "/make.js": ("make.js", "text/javascript"),
    "/operator": ("operator.html", "text/html"),
    "/operator.js": ("operator.js", "text/javascript"),
}


class RatingPages:
    """Answers about one session; ``close`` it."""

    def __init__(self, session: RatingSession, assets: Path) -> None:
        self.session = session
        self._writer = ThreadPoolExecutor(1)  # who waits for another process's write keeps no thread from the readers
        head = (assets / "head.html").read_bytes()
        self._files = {
            path: ((head if kind == "text/html" else b"") + (assets / name).read_bytes(), kind)
            for path, (name, kind) in _FILES.items()
        }

    def close(self) -> None:
        """Let what is being written be finished."""
        self._writer.shutdown()

    @property
    def routes(self) -> list[Route]:
        """Every path, and what answers it."""
        return [
            *(Route(path, self._file) for path in self._files),
            Route("/session", self._describe),
            Route("/image", self._image),
            Route("/full", self._full),
            Route("/progress", self._progress),
            Route("/rating", self._rate, methods=["POST"]),
        ]

    async def _file(self, request: Request) -> Response:
        content, kind = self._files[request.url.path]
        return Response(content, media_type=kind)

    def _describe(self, request: Request) -> Response:
        """What a rater sees. As all that touches the disk in a thread: Starlette gives it one."""
        query = request.query_params
        return JSONResponse(self.session.describe(clean_rater(query.get("rater")), _round(query.get("round"))))

    def _image(self, request: Request) -> Response:
        root, name = self._named(request)
        try:
            image = open_image(root, name)
        except (ImageError, ValueError):  # its text names paths of this machine
            raise HTTPException(404, "this image cannot be shown") from None
        image.thumbnail((_IMAGE_PX, _IMAGE_PX))
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=92)
        return Response(buffer.getvalue(), media_type="image/jpeg")

    def _full(self, request: Request) -> Response:
        """Every pixel and every bit, for the viewer, which computes window and level itself."""
        root, name = self._named(request)
        try:
            full = read_full_image(root, name)
        except (ImageError, ValueError):
            raise HTTPException(404, "this image cannot be shown") from None
        content = {
            "media": full.media,
            "data": base64.b64encode(full.data).decode("ascii"),
            "bits": full.bits,
            "depth": asdict(full.depth) if full.depth else None,
            "note": full.note,
        }
        return JSONResponse(content)

    def _named(self, request: Request) -> tuple[Path, str]:
        """Root and name of the image that a rater asks for. Raises HTTPException, DataError where there is none."""
        query, session = request.query_params, self.session
        rater = clean_rater(query.get("rater"))
        prediction = session.prediction(rater, query.get("item"), _round(query.get("round")))
        if session.image_roots is None:
            raise HTTPException(404, "no images are shown")
        try:
            return session.image_root(prediction), prediction.images[int(query.get("number", "0"))]
        except (IndexError, ValueError):
            raise HTTPException(404, "this image cannot be shown") from None

    def _progress(self, request: Request) -> Response:
        """For who runs the study."""
        return JSONResponse(self.session.progress())

    async def _rate(self, request: Request) -> Response:
        said = await _read_json(request)
        rater = clean_rater(said.get("rater"))
        save = asyncio.get_running_loop().run_in_executor
        return JSONResponse(await save(self._writer, self.session.save, rater, said.get("item"), said))


def _round(given: str | None) -> int | None:
    """Number of a round. Raises DataError for what is none."""
    if given is None:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 4:
        raise DataError("a round has a number")
    return int(given)


async def refuse(_: Request, refused: Any) -> Response:
    """The words of a refusal; the connection is closed because a body may be left unread."""
    status, words = refused.status_code, refused.detail
    if status in (404, 405) and words in ("Not Found", "Method Not Allowed"):  # Starlette's own
        status, words = 404, "there is nothing here"
    return JSONResponse({"error": words}, status, {"Connection": "close"})


async def _say_that_the_store_failed(_: Request, error: Exception) -> Response:
    say(f"error: {error}")  # the raters learn that it failed, the terminal why
    return JSONResponse({"error": "the ratings cannot be read or written; tell who runs this page"}, 500)


async def _read_json(request: Request) -> dict[str, Any]:
    """The object that a rating page posts.

    Raises:
        HTTPException: it comes from elsewhere, or is not a small JSON object.
    """
    origin = request.headers.get("origin")
    parts = split_url(origin) if origin is not None else None
    if origin is not None and (parts is None or parts.netloc != request.headers.get("host")):
        raise HTTPException(403, "a rating must come from the rating page")
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":  # no form of another site can send this
        raise HTTPException(415, "a rating is sent as application/json")
    length = request.headers.get("content-length", "")
    if not length.isascii() or not length.isdigit():
        raise HTTPException(411, "a rating says how long it is")
    if len(length) > 9 or int(length) > _BODY_LIMIT:
        raise HTTPException(413, "this is too long for a rating")
    try:
        said = parse_json(await asyncio.wait_for(request.body(), IDLE_S))
    except (asyncio.TimeoutError, ClientDisconnect):
        raise HTTPException(408, "the rating did not come") from None
    except JsonFault:
        raise HTTPException(400, "a rating is JSON") from None
    if not isinstance(said, dict):
        raise HTTPException(400, "a rating is a JSON object")
    return said


FAULTS: Mapping[Any, Callable[..., Any]] = {
    HTTPException: refuse,
    StoreError: _say_that_the_store_failed,
    DataError: lambda _, error: JSONResponse({"error": str(error)}, 400),
}
"""What is answered when a request fails."""
