"""The local web server of the rating page (Starlette, uvicorn): who may ask. What is answered is ``app``'s.

Every request needs the token, as a cookie or in the first visit's URL: others may be logged in to this machine too. No
other web site can read or write: names that do not belong to this server are refused (DNS rebinding), and so are posts
from another origin.
"""

from __future__ import annotations

import hmac
import secrets
import socket
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ..listening import listen
from ..local_names import is_known_as
from ..outbound import Passage
from ..web_guard import UNKNOWN_NAME, NotedAnswers, closed_passage, impatient
from .app import FAULTS, IDLE_S, RatingPages, refuse
from .session import RatingSession

_MOST_CONNECTIONS = 512
"""Further ones are answered with 503."""
_BACKLOG = 128
_ENDING_S = 5
"""How long requests in flight may take when the server is stopped."""
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
        self._pages = RatingPages(session, assets)
        self._socket = listen(host, port, backlog=_BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app(),
                http=impatient(IDLE_S),
                ws="none",
                lifespan="off",
                log_config=None,  # the terminal is for people; what was rated is in the store
                log_level="error",
                access_log=False,
                server_header=False,  # no versions for strangers
                proxy_headers=False,
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_keep_alive=IDLE_S,
                timeout_graceful_shutdown=_ENDING_S,
            )
        )

    def __enter__(self) -> RatingServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        self._pages.close()

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
            routes=self._pages.routes,
            middleware=[
                Middleware(NotedAnswers, passage=self._passage),
                Middleware(BaseHTTPMiddleware, dispatch=self._guard),
            ],
            exception_handlers=FAULTS,
        )
        app.router.redirect_slashes = False
        return app

    async def _guard(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Every request: the server's name, the token, and headers that let the page do nothing but rate."""
        try:
            response = self._check(request) or await call_next(request)
        except HTTPException as refused:
            response = await refuse(request, refused)
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
