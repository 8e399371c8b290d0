"""The local web server of the rating page. Knows HTTP and who may ask; what is shown and kept is ``rating_session``'s.

Bound to this machine it asks for nothing; bound elsewhere every request needs the token, as a cookie or in the URL.
No other web site can read or write: names that do not belong to this server are refused (DNS rebinding), and so are
posts from another origin.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import secrets
import socket
import socketserver
import sys
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, Callable
from urllib.parse import SplitResult, parse_qs, urlencode, urlsplit

from ...errors import ConfigError, DataError, ImageError
from ..console import say
from ..images.decoding import open_image
from .session import RatingSession, clean_rater
from .store import StoreError

_BODY_LIMIT = 64 * 1024
_IDLE_S = 60
"""A connection that says nothing for so long is closed."""
_IMAGE_PX = 2048
"""Longer side of a image as it is sent."""
_FILES = {
    "/": ("rating.html", "text/html"),
    "/rating.js": ("rating.js", "text/javascript"),
    "/rating.css": ("rating.css", "text/css"),
    "/explorer.css": ("explorer.css", "text/css"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class _Refused(Exception):
    """A request that gets no answer but this one."""

    def __init__(self, status: int, message: str) -> None:
        self.status, self.message = status, message
        super().__init__(message)


class RatingServer(ThreadingHTTPServer):
    """Serves one session; ``serve_forever`` runs until it is interrupted.

    Args:
        assets: folder of the page's files.
        host: address to listen on; not of this machine alone makes a token.
        port: 0 takes a free one.

    Raises:
        ConfigError: there is nothing to listen on.
    """

    daemon_threads = True

    def __init__(self, session: RatingSession, assets: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.session, self.host = session, host
        self.files = {path: ((assets / name).read_bytes(), kind) for path, (name, kind) in _FILES.items()}
        self.token: str | None = None if is_this_machine(host) else secrets.token_urlsafe(24)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}; choose another "
                "--port (0: any free one) or --host"
            ) from error

    def server_bind(self) -> None:
        """Without the parent's look-up of our own name, which can take seconds where there is no name service."""
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away in the middle of an answer is no news; anything else is."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Where to open the page, with the token if there is one."""
        host = socket.gethostname() if self.host in ("", "0.0.0.0", "::") else self.host
        query = "?" + urlencode({"token": self.token}) if self.token else ""
        return "http://{}:{}/{}".format(f"[{host}]" if ":" in host else host, self.server_address[1], query)

    def knows(self, name: str) -> bool:
        """Whether a ``Host`` header means this server: a name that a stranger's DNS could point here does not."""
        host = (_split("//" + name).hostname or "").rstrip(".")
        if self.token is None:
            return is_this_machine(host)
        names = {each.lower() for each in ("localhost", self.host, socket.gethostname())}
        return _address(host) is not None or host in names

    @property
    def cookie(self) -> str:
        """Name of the cookie with the token; cookies do not tell ports apart, their names must."""
        return f"pefomed_rating_{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: RatingServer
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    disable_nagle_algorithm = True  # else the body waits for the headers' acknowledgement, 40 ms

    def do_GET(self) -> None:
        """The page, its files, what a rater sees, and images."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """A rating."""
        self._answer(self._post)

    def _answer(self, work: Callable[[SplitResult], None]) -> None:
        try:
            self._check_host()
            work(_split(self.path))
        except _Refused as refused:
            self.close_connection = True  # a body may be left unread
            self._send_json(refused.status, {"error": refused.message})
        except StoreError as error:  # the raters learn that it failed, the terminal why
            say(f"error: {error}")
            self._send_json(500, {"error": "the ratings cannot be read or written; tell who runs this page"})
        except DataError as error:
            self._send_json(400, {"error": str(error)})

    def _get(self, url: SplitResult) -> None:
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.path == "/" and self.server.token is not None and self._is_token(query.pop("token", "")):
            return self._welcome(query)
        self._check_token()
        if url.path in self.server.files:
            content, kind = self.server.files[url.path]
            return self._send(200, content, kind + "; charset=utf-8")
        if url.path == "/session":
            return self._send_json(200, self.server.session.describe(clean_rater(query.get("rater"))))
        if url.path == "/image":
            return self._send(200, *self._image(query))
        raise _Refused(404, "there is nothing here")

    def _post(self, url: SplitResult) -> None:
        self._check_token()
        if url.path != "/rating":
            raise _Refused(404, "there is nothing here")
        said = self._read_json()
        rater = clean_rater(said.get("rater"))
        self._send_json(200, {"rated": self.server.session.save(rater, said.get("item"), said)})

    def _image(self, query: Mapping[str, str]) -> tuple[bytes, str]:
        session = self.server.session
        prediction = session.prediction(clean_rater(query.get("rater")), query.get("item"))
        if session.image_roots is None:
            raise _Refused(404, "no images are shown")
        try:
            image = open_image(session.image_root(prediction), prediction.image)
        except ImageError:  # its text names paths of this machine
            raise _Refused(404, "this image cannot be shown") from None
        image.thumbnail((_IMAGE_PX, _IMAGE_PX))
        buffer = BytesIO()
        image.save(buffer, "JPEG", quality=92)
        return buffer.getvalue(), "image/jpeg"

    def _check_host(self) -> None:
        if not self.server.knows(self.headers.get("Host", "")):
            raise _Refused(403, "this server is not known by that name; use the address that it printed")

    def _check_token(self) -> None:
        if self.server.token is None:
            return
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(self.server.cookie)
        except CookieError:
            cookie = None
        if cookie is None or not self._is_token(cookie.value):
            raise _Refused(403, "open the page with the whole link that the server printed, its token included")

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self.server.token or "").encode())

    def _welcome(self, query: dict[str, str]) -> None:
        """Trade the token in the URL for a cookie, so that it stays in no address bar."""
        rest = "?" + urlencode(query) if query else ""
        self._send(
            303,
            b"",
            "text/plain",
            {
                "Location": "/" + rest,
                "Set-Cookie": f"{self.server.cookie}={self.server.token}; Path=/; HttpOnly; SameSite=Lax",
            },
        )

    def _read_json(self) -> dict[str, Any]:
        origin = self.headers.get("Origin")
        if origin is not None and _split(origin).netloc != self.headers.get("Host"):
            raise _Refused(403, "a rating must come from the rating page")
        if self.headers.get_content_type() != "application/json":  # no form of another site can send this
            raise _Refused(415, "a rating is sent as application/json")
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            raise _Refused(411, "a rating says how long it is")
        if len(length) > 9 or int(length) > _BODY_LIMIT:
            raise _Refused(413, "this is too long for a rating")
        try:
            said = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise _Refused(400, "a rating is JSON") from None
        if not isinstance(said, dict):
            raise _Refused(400, "a rating is a JSON object")
        return said

    def _send_json(self, status: int, content: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(content).encode("ascii"), "application/json")

    def _send(self, status: int, content: bytes, kind: str, more: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            **_HEADERS,
            "Content-Type": kind,
            "Content-Length": str(len(content)),
            **(more or {}),
        }.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        """No versions for strangers."""
        return "pefomed"

    def log_message(self, format: str, *args: Any) -> None:
        """The terminal is for people; what was rated is in the store."""


def is_this_machine(host: str) -> bool:
    """Whether an address or a name can be reached from this machine only."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _address(host: str) -> Any:
    """The IP address that ``host`` is, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise _Refused(400, "this is no address") from None
