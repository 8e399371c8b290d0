"""The server that the environment names: where it is, whether that is this machine, and the client that asks it.

What counts is the address that is connected to, not how it is spelled. A server is on this machine if its name leads to
loopback addresses only; it is then asked at these addresses, past every proxy. Nothing follows a redirect: it would
carry texts and key to where nobody allowed them. Every answer has a greatest size, packed or not.
"""

from __future__ import annotations

import importlib
import ipaddress
import logging
import os
import socket
import zlib
from collections.abc import AsyncIterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from ...errors import ConfigError
from ...offline import is_loopback, is_offline
from ...requirements import Need
from ..outbound import Passage

OPENAI = Need("openai", "questions to a server", "openai")
MOST_BYTES = 8 << 20
"""Of one reply or error, unpacked."""
most_bytes: ContextVar[int] = ContextVar("most_bytes", default=MOST_BYTES)
"""The same of what this task is reading: results of a batch are larger."""
texts_sent: ContextVar[int] = ContextVar("texts_sent", default=0)
"""How many texts are in the requests of this task, for the log of what leaves."""
_UNSPECIFIED = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""What servers print as their address: connecting there reaches this machine, and is done by its proper name."""
_ANY_KEY, _AS = "unused", "write it as http://127.0.0.1:8000/v1"


class TooLarge(Exception):
    """An answer is larger than anything that was asked for."""


@dataclass(frozen=True)
class Server:
    """Where requests go."""

    url: str
    """Base URL as results and ledgers have it, without what may be secret in it."""
    host: str
    """Its host, as the client reads it."""
    addresses: tuple[str, ...] = ()
    """Loopback addresses that it is asked at; empty: another machine."""
    proxy: str = ""
    """URL of the proxy that requests pass; may hold a password."""

    @property
    def is_local(self) -> bool:
        """Whether the texts stay on this machine."""
        return bool(self.addresses)

    @property
    def destination(self) -> str:
        """Where texts go, for messages and records."""
        if self.is_local:
            return f"{self.host} ({', '.join(self.addresses)})"
        parts = urlsplit(self.proxy)
        return f"{self.host} through the proxy {parts.hostname}:{parts.port or 80}" if self.proxy else self.host


def server_url() -> str:
    """Base URL of the server that the environment names, without what may be secret in it."""
    name, url = _named_url()
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        raise ConfigError(f"{name} is no URL; {_AS}") from None
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path.rstrip('/')}"


@dataclass
class Exit:
    """Where requests pass on their way out: without a passage none of them leaves this machine."""

    server: Server
    passage: Passage | None = None
    """Of ``outbound.open_passage``."""

    async def note(self, request: Any) -> None:
        """A request hook. Raises ConfigError where nobody asked the gate."""
        if self.server.is_local:
            return
        if self.passage is None:
            raise ConfigError(f"nothing goes to {self.server.host} before the gate was asked (OpenAIChat.clear)")
        self.passage.note(int(request.headers.get("Content-Length") or 0), texts_sent.get())


def find_server(http: Any) -> Server:
    """The server that the environment names; ``http`` is the package underneath ``openai``.

    Raises:
        ConfigError: its URL cannot be used.
    """
    name, given = _named_url()
    recorded = server_url()
    try:
        url = http.URL(given)
    except http.InvalidURL:
        raise ConfigError(f"{name} is no URL; {_AS}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(f"{name} must begin with http:// or https:// and name a host; {_AS}")
    if (urlsplit(recorded).hostname or "") != url.host.lower():
        raise ConfigError(f"{name} can be read in two ways; {_AS}")
    addresses = _loopback_addresses(url.host)
    return Server(recorded, url.host, addresses, "" if addresses else _proxy_for(url.scheme, url.host))


def make_client(timeout_s: float) -> tuple[Any, Server, Exit]:
    """An ``openai.AsyncOpenAI`` (or Azure's) that repeats nothing and follows no redirect, whom it asks, and the exit.

    Raises:
        ConfigError: the ``openai`` package, a variable or the key is missing, or the URL cannot be used.
    """
    try:
        import openai  # late: optional
    except ImportError:
        raise ConfigError(f"{OPENAI.message}; or use --judge offline") from None
    for name in ("openai", "httpx", "httpx2", "httpcore", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)  # below that they write whole requests
    client_class = openai.DefaultAsyncHttpxClient
    http = importlib.import_module(client_class.__mro__[1].__module__.partition(".")[0])  # httpx, or its successor
    server = find_server(http)
    leaving = Exit(server)
    options: dict[str, Any] = {
        "max_retries": 0,
        "timeout": timeout_s,
        "http_client": client_class(
            transport=_transport(http, server),
            follow_redirects=False,
            timeout=timeout_s,
            headers={"Accept-Encoding": "gzip"},
            event_hooks={"request": [leaving.note], "response": [_limiter(http)]},
        ),
    }
    if os.environ.get("AZURE_OPENAI_ENDPOINT"):
        missing = [
            f"{name} is not set" for name in ("AZURE_OPENAI_API_KEY", "OPENAI_API_VERSION") if not os.environ.get(name)
        ]
        if missing:
            raise ConfigError("AZURE_OPENAI_ENDPOINT is set, but Azure needs more", missing)
        return openai.AsyncAzureOpenAI(**options), server, leaving
    key = os.environ.get("OPENAI_API_KEY")
    if not key and not server.is_local:
        raise ConfigError("OPENAI_API_KEY is not set; for a server without keys set it to any word")
    return openai.AsyncOpenAI(api_key=key or _ANY_KEY, base_url=_named_url()[1], **options), server, leaving


def secrets() -> list[str]:
    """Keys of the environment: they are taken out of whatever a server sends back."""
    keys = (os.environ.get(name, "") for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"))
    return [key for key in keys if len(key) >= 8]


def _named_url() -> tuple[str, str]:
    """The variable that names the server, and the URL."""
    for name in ("AZURE_OPENAI_ENDPOINT", "OPENAI_BASE_URL"):
        if os.environ.get(name):
            return name, os.environ[name]
    return "OPENAI_BASE_URL", "https://api.openai.com/v1"


def _loopback_addresses(host: str) -> tuple[str, ...]:
    """The addresses of a host if all of them are this machine's loopback, else none."""
    if is_offline() and not is_loopback(host):
        return ()  # a name would be asked of a server elsewhere
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()  # unknown here; a proxy may know it
    addresses = [_UNSPECIFIED.get(str(entry[4][0]), str(entry[4][0])) for entry in found]
    return tuple(dict.fromkeys(addresses)) if all(map(_is_loopback, addresses)) else ()


def _is_loopback(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _proxy_for(scheme: str, host: str) -> str:
    """The proxy that the environment wants for a host elsewhere."""
    proxies = getproxies()
    proxy = "" if proxy_bypass(host) else proxies.get(scheme) or proxies.get("all") or ""
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _transport(http: Any, server: Server) -> Any:
    """Connections to the server, or to its proxy; a transport of our own keeps the client from looking for others."""
    limits = http.Limits(max_connections=1000, max_keepalive_connections=100)
    if not server.is_local:
        try:
            return http.AsyncHTTPTransport(limits=limits, proxy=server.proxy or None)
        except (ImportError, ValueError, http.InvalidURL):
            raise ConfigError(
                "the proxy of the environment cannot be used (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY); it should look "
                "like http://HOST:PORT, and SOCKS needs pip install socksio"
            ) from None

    class Pinned(http.AsyncHTTPTransport):
        """Connects to the addresses that were judged, whatever the name leads to by now."""

        answering: Sequence[str] = server.addresses

        async def handle_async_request(self, request: Any) -> Any:
            if request.url.host != server.host:
                raise http.UnsupportedProtocol("another host than the one that was named")
            url = request.url
            request.extensions = {**request.extensions, "sni_hostname": server.host}
            for address in self.answering:
                request.url = url.copy_with(host=address)
                try:
                    answer = await super().handle_async_request(request)
                except http.ConnectError:
                    if address == self.answering[-1]:
                        raise
                else:
                    self.answering = [address]
                    return answer
            raise AssertionError("a server on this machine has an address")

    return Pinned(limits=limits)


def _limiter(http: Any) -> Any:
    """A response hook: bodies are unpacked here and end at ``most_bytes``."""

    class Limited(http.AsyncByteStream):
        def __init__(self, stream: Any, encoding: str, most: int) -> None:
            self._stream, self._most, self._read = stream, most, 0
            self._unzip = zlib.decompressobj(31) if encoding else None  # 31: gzip

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in self._stream:
                try:
                    piece = chunk if self._unzip is None else self._unzip.decompress(chunk, self._most - self._read + 1)
                except zlib.error:
                    raise http.DecodingError("damaged gzip") from None
                self._read += len(piece)
                if self._read > self._most:
                    raise TooLarge
                yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def limit(response: Any) -> None:
        encoding = response.headers.pop("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise http.DecodingError(f"a packing that was not asked for: {encoding[:20]!r}", request=response.request)
        packed = "" if encoding == "identity" else encoding
        response.stream = Limited(response.stream, packed, most_bytes.get())

    return limit
