"""The local web server of the rating page (Starlette, uvicorn): who may ask. What is shown and kept is ``session``'s.

Every request needs the token, as a cookie or in the first visit's URL: others may be logged in to this machine too. No
other web site can read or write: names that do not belong to this server are refused (DNS rebinding), and so are posts
from another origin.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from ...errors import DataError, ImageError
from ...json_text import JsonFault, parse_json
from ..console import say
from ..images.decoding import open_image
from ..images.full import read_full_image
from ..listening import listen
from ..local_names import is_known_as, split_url
from ..outbound import Passage
from ..web_guard import UNKNOWN_NAME, NotedAnswers, closed_passage, impatient
from .folder import clean_rater
from .session import RatingSession
from .store import StoreError

_BODY_LIMIT = 64 * 1024
_MOST_CONNECTIONS = 512
"""Further ones are answered with 503."""
_BACKLOG = 128
_IDLE_S = 60
"""A connection that begins no request for so long, or stops in the middle of a rating, is closed."""
_ENDING_S = 5
"""How long requests in flight may take when the server is stopped."""
_IMAGE_PX = 2048
"""Longer side of an image as it is sent."""
_FILES = {
    "/": ("rating.html", "text/html"),
    "/rating.js": ("rating.js", "text/javascript"),
    "/rating.css": ("rating.css", "text/css"),
    "/look.css": ("look.css", "text/css"),
    "/explorer.css": ("explorer.css", "text/css"),
    "/viewer.css": ("viewer.css", "text/css"),
    "/viewer.js": ("viewer.js", "text/javascript"),
    "/make.js": ("make.js", "text/javascript"),
    "/operator": ("operator.html", "text/html"),
    "/operator.js": ("operator.js", "text/javascript"),
}
_OF_OPERATOR = ("/operator", "/operator.js", "/progress")
"""What raters do not see: who else rates, and how far they are."""
_OF_BOTH = ("/rating.css", "/look.css", "/explorer.css", "/make.js")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class RatingServer:
    """Serves one session while it is entered; ``serve_forever`` runs until it is interrupted or ``shutdown``.

    Args:
        assets: folder of the page's files.
        host: address to listen on.
        port: 0 takes a free one.
        passage: of the gate, for an address that other machines reach; what they get is noted there.

    Raises:
        ConfigError: there is nothing to listen on, or the gate was not asked.
    """

    def __init__(
        self,
        session: RatingSession,
        assets: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        passage: Passage | None = None,
    ) -> None:
        self.session, self.host, self._passage = session, host, passage or closed_passage(host)
        self.token, self.operator_token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self._writer = ThreadPoolExecutor(1)  # who waits for another process's write keeps no thread from the readers
        self._files = {path: ((assets / name).read_bytes(), kind) for path, (name, kind) in _FILES.items()}
        self._socket = listen(host, port, backlog=_BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app(),
                http=impatient(_IDLE_S),
                ws="none",
                lifespan="off",
                log_config=None,  # the terminal is for people; what was rated is in the store
                log_level="error",
                access_log=False,
                server_header=False,  # no versions for strangers
                proxy_headers=False,
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_keep_alive=_IDLE_S,
                timeout_graceful_shutdown=_ENDING_S,
            )
        )

    def __enter__(self) -> RatingServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._writer.shutdown()

    def serve_forever(self) -> None:
        """Serve until Ctrl-C (requests in flight are answered, then KeyboardInterrupt is raised) or ``shutdown``."""
        self._server.run(sockets=[self._socket])

    def shutdown(self) -> None:
        """End ``serve_forever``, from any thread."""
        self._server.should_exit = True

    @property
    def url(self) -> str:
        """Where to open the page: the whole link is the key."""
        return self._link("/", self.token)

    @property
    def operator_url(self) -> str:
        """Where who runs the study sees how far everybody is, with a key of its own."""
        return self._link("/operator", self.operator_token)

    def _link(self, path: str, token: str) -> str:
        host = socket.gethostname() if self.host in ("", "0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}{path}?{urlencode({'token': token})}"

    @property
    def cookie(self) -> str:
        """Name of the cookie with the token; cookies do not tell ports apart, their names must."""
        return f"pefomed_rating_{self.port}"

    @property
    def operator_cookie(self) -> str:
        """The same of the operator's token."""
        return f"pefomed_operator_{self.port}"

    def _app(self) -> Starlette:
        app = Starlette(
            routes=[
                *(Route(path, self._file) for path in self._files),
                Route("/session", self._describe),
                Route("/image", self._image),
                Route("/full", self._full),
                Route("/progress", self._progress),
                Route("/rating", self._rate, methods=["POST"]),
            ],
            middleware=[
                Middleware(NotedAnswers, passage=self._passage),
                Middleware(BaseHTTPMiddleware, dispatch=self._guard),
            ],
            exception_handlers={
                HTTPException: _refuse,
                StoreError: _say_that_the_store_failed,
                DataError: lambda _, error: JSONResponse({"error": str(error)}, 400),
            },
        )
        app.router.redirect_slashes = False
        return app

    async def _guard(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Every request: the server's name, the token, and headers that let the page do nothing but rate."""
        try:
            response = self._check(request) or await call_next(request)
        except HTTPException as refused:
            response = await _refuse(request, refused)
        response.headers.update(_HEADERS)
        return response

    def _check(self, request: Request) -> Response | None:
        """None for a request that may go on; a valid token in the URL is traded for a cookie.

        Raises:
            HTTPException: 403 and the like.
        """
        if not is_known_as(request.headers.get("host", ""), self.host):
            raise HTTPException(403, UNKNOWN_NAME)
        query, path = dict(request.query_params), request.url.path
        is_start = request.method == "GET" and path in ("/", "/operator")
        if is_start and self._is_token(query.pop("token", ""), self._token_of(path)):
            return self._welcome(path, query)
        is_rater = self._is_token(request.cookies.get(self.cookie, ""), self.token)
        is_operator = self._is_token(request.cookies.get(self.operator_cookie, ""), self.operator_token)
        if path in _OF_BOTH and (is_rater or is_operator):
            return None
        if not (is_operator if path in _OF_OPERATOR else is_rater):
            raise HTTPException(403, "open the page with the whole link that the server printed, its token included")
        return None

    def _token_of(self, path: str) -> str:
        return self.operator_token if path in _OF_OPERATOR else self.token

    @staticmethod
    def _is_token(given: str, token: str) -> bool:
        return hmac.compare_digest(given.encode(), token.encode())

    def _welcome(self, path: str, query: dict[str, str]) -> Response:
        """Trade the token in the URL for a cookie, so that it stays in no address bar."""
        response = RedirectResponse(path + "?" + urlencode(query) if query else path, 303)
        cookie = self.operator_cookie if path in _OF_OPERATOR else self.cookie
        response.set_cookie(cookie, self._token_of(path), path="/", httponly=True, samesite="lax")
        return response

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


async def _refuse(_: Request, refused: Any) -> Response:
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
        said = parse_json(await asyncio.wait_for(request.body(), _IDLE_S))
    except (asyncio.TimeoutError, ClientDisconnect):
        raise HTTPException(408, "the rating did not come") from None
    except JsonFault:
        raise HTTPException(400, "a rating is JSON") from None
    if not isinstance(said, dict):
        raise HTTPException(400, "a rating is a JSON object")
    return said
