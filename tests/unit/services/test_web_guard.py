"""A connection that says nothing is closed; one on which an answer is owed is not, where answers may take long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")

from pefomed_plugin.services.web_guard import NotedAnswers, impatient  # noqa: E402

IDLE_S = 0.03


async def slow(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(6 * IDLE_S)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def answer(request: bytes, **settings: Any) -> bytes:
    """Everything that comes back until the connection ends."""
    kind = impatient(IDLE_S, **settings)
    config = uvicorn.Config(slow, http=kind, ws="none", lifespan="off", log_config=None, timeout_keep_alive=60)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: kind(config=config, server_state=server.server_state, app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 30)
    except ConnectionError:
        return b""
    finally:
        writer.close()
        listening.close()


def test_an_answer_that_is_owed_keeps_its_connection() -> None:
    request = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
    assert asyncio.run(answer(request, answers_slowly=True)).endswith(b"ok")
    assert asyncio.run(answer(request)) == b""


def test_a_connection_that_never_asks_is_closed() -> None:
    for request in (b"", b"GET / HTTP/1.1\r\nHost: h"):
        assert asyncio.run(answer(request, answers_slowly=True)) == b""


class Noted:
    """A passage that keeps what it was told."""

    is_local = False

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def note(self, size: int, texts: int, host: str) -> None:
        self.lines.append((size, host))


@pytest.mark.parametrize(
    ("client", "parts", "noted"),
    [("192.0.2.7", 3, [(6, "192.0.2.7")]), ("192.0.2.7", 2, [(4, "192.0.2.7")]), ("127.0.0.1", 3, [])],
)
def test_what_was_sent_is_noted_also_where_the_other_side_goes_away(client: str, parts: int, noted: list[Any]) -> None:
    async def stream(scope: Any, receive: Any, send: Any) -> None:
        for number in range(3):
            if number == parts:
                raise ConnectionResetError
            await send({"type": "http.response.body", "body": b"ab", "more_body": number < 2})

    async def drop(message: Any) -> None:
        pass

    passage: Any = Noted()
    guarded = NotedAnswers(stream, passage)
    try:
        asyncio.run(guarded({"type": "http", "client": (client, 5)}, drop, drop))  # type: ignore[arg-type]
    except ConnectionResetError:
        assert parts < 3
    assert passage.lines == noted
