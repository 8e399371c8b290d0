"""A connection that says nothing is closed; one on which an answer is owed is not, where answers may take long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("starlette")
uvicorn = pytest.importorskip("uvicorn")

from pefomed_plugin.services.web_guard import impatient  # noqa: E402

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
