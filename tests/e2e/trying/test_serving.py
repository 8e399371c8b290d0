"""``pefomed serve`` as a user starts it and the real ``openai`` client: many at once, those who leave, signals."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

openai = pytest.importorskip("openai")
pytest.importorskip("uvicorn")
pytest.importorskip("prometheus_client")

from pefomed_plugin.adapters.medical_model import Request  # noqa: E402
from pefomed_plugin.services.serving.faults import ApiFault  # noqa: E402
from pefomed_plugin.services.serving.workers import Workers  # noqa: E402
from tests.unit.services.small import small_image  # noqa: E402

from .serving import PATIENCE_S, Served, messages  # noqa: E402

pytestmark = pytest.mark.slow
QUESTIONS = ["Is there a fracture?", "Which side is the tube on?", "What is shown?", "Is the heart enlarged?"]
ASKED = [(seed, f"[vqa] {text}") for seed in range(3) for text in QUESTIONS] + [
    (seed, "[caption]") for seed in range(3)
]
LIMIT = 40


@pytest.fixture(scope="module")
def arguments(files: dict[str, Path]) -> list[str]:
    return ["--ckpt", str(files["checkpoint"]), "--llama", str(files["llama"]), "--vit", str(files["vit"])]


@pytest.fixture(scope="module")
def served(arguments: list[str]) -> Iterator[Served]:
    with Served(*arguments, "--served-name", "tiny", "--max-batch", "8", "--max-new-tokens", str(LIMIT)) as server:
        yield server


@pytest.fixture(scope="module")
def expected(model: Any) -> dict[tuple[int, str], str]:
    """As evaluation answers."""
    found = {}
    for seed, words in ASKED:
        task, _, text = words[1:].partition("]")
        found[seed, words] = model.answer([Request(small_image(seed), task, text.strip() or None)], LIMIT)[0]
    assert len(set(found.values())) > 8
    return found


def metrics(server: Served, name: str) -> float:
    import httpx

    lines = httpx.get(server.root + "/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name) and not line.startswith("#"))


def until(condition: Any) -> None:
    """A state that the server reaches by itself."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.05)


def test_a_hundred_clients_at_once(served: Served, expected: Any) -> None:
    async def all_of_them() -> list[tuple[tuple[int, str], str]]:
        client = openai.AsyncOpenAI(base_url=served.url, api_key="none", max_retries=0)

        async def one(number: int) -> tuple[tuple[int, str], str]:
            seed, words = ASKED[number % len(ASKED)]
            given = {"model": "tiny", "messages": messages(seed, words), "temperature": 0}
            if number % 2:
                answer = await client.chat.completions.create(**given)
                return (seed, words), answer.choices[0].message.content
            parts = []
            async for chunk in await client.chat.completions.create(**given, stream=True):
                parts.append(chunk.choices[0].delta.content or "")
            return (seed, words), "".join(parts)

        return list(await asyncio.gather(*(one(number) for number in range(100))))

    found = asyncio.run(all_of_them())
    assert len(found) == 100
    assert [(key, text) for key, text in found if text != expected[key]] == []
    assert metrics(served, "pefomed_prefixes_read_total") < metrics(served, "pefomed_prompts_read_total") / 2
    rows = metrics(served, "pefomed_step_rows_sum") / metrics(served, "pefomed_step_rows_count")
    assert rows > 4, "hardly any were answered together"


def test_every_parameter_of_the_client_is_known_here() -> None:
    from openai.types.chat import completion_create_params as theirs

    from pefomed_plugin.services.serving.parameters import read_parameters

    names = {*theirs.CompletionCreateParamsBase.__annotations__, "stream"}
    assert {"messages", "logit_bias"} <= names
    for name in names - {"model", "messages"}:
        with pytest.raises(ApiFault) as caught:
            read_parameters({name: object()})
        assert caught.value.code != "unknown_parameter", name


def test_a_refusal_is_the_clients_own_error(served: Served) -> None:
    client = served.client()
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="tiny", messages=messages(1, "a?"), temperature=0.5)
    assert caught.value.param == "temperature" and caught.value.type == "invalid_request_error"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="tinier", messages=messages(1, "a?"))
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("tinier")
    assert client.models.retrieve("tiny").id == next(iter(client.models.list())).id == "tiny"


def test_clients_that_leave_in_the_middle_free_their_rows(served: Served, expected: Any) -> None:
    before = metrics(served, "pefomed_clients_gone_total")
    left = threading.Barrier(12, timeout=PATIENCE_S)

    def leave(number: int) -> None:
        body = json.dumps({"model": "tiny", "messages": messages(number % 3, "[caption]"), "stream": True}).encode()
        host, port = served.root.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            if number % 2:
                assert connection.recv(100).startswith(b"HTTP/1.1 200")
            left.wait()

    threads = [threading.Thread(target=leave, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: metrics(served, "pefomed_rows ") == 0 and metrics(served, "pefomed_waiting ") == 0)
    assert metrics(served, "pefomed_clients_gone_total") > before
    client = served.client()
    for seed, words in ASKED[:2]:
        answer = client.chat.completions.create(model="tiny", messages=messages(seed, words))
        assert answer.choices[0].message.content == expected[seed, words]


def test_nothing_of_what_was_asked_is_in_the_log(served: Served) -> None:
    said = "\n".join(served.lines)
    assert "fracture" not in said and "Traceback" not in said and "error" not in said
    assert "[vqa] where a request names no task" in said


def test_sigterm_lets_what_was_taken_be_answered_and_refuses_what_is_new(arguments: list[str]) -> None:
    with Served(*arguments, "--max-batch", "1") as server:
        counted = ("pefomed_prompts_read_total", "pefomed_queue_seconds_sum", "pefomed_step_rows_count")
        assert [metrics(server, name) for name in counted] == [0, 0, 0], "the model's first answer is nobody's"
        client = server.client()
        texts: dict[int, str] = {}

        def finish(number: int, stream: Any) -> None:
            texts[number] = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)

        given = {"model": server.model, "messages": messages(1, "[report]"), "stream": True}
        first = client.chat.completions.create(**given)
        next(iter(first))
        others = [threading.Thread(target=lambda: finish(2, client.chat.completions.create(**given)))]
        others[0].start()
        until(lambda: metrics(server, "pefomed_waiting ") == 1)
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("stopping: 2 requests")
        with pytest.raises(openai.InternalServerError) as caught:
            client.chat.completions.create(model=server.model, messages=messages(1, "a?"))
        assert caught.value.status_code == 503 and caught.value.response.headers["retry-after"]
        finish(1, first)
        others[0].join(PATIENCE_S)
        assert texts[1] and texts[1] == texts[2]
        assert server.process.wait(PATIENCE_S) == 0


def test_a_second_signal_ends_it_now(arguments: list[str]) -> None:
    with Served(*arguments, "--max-batch", "1") as server:
        stream = server.client().chat.completions.create(
            model=server.model, messages=messages(1, "[report]"), stream=True
        )
        next(iter(stream))
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("stopping: 1 requests")
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(openai.APIError, match="stopped"):
            list(stream)
        assert server.process.wait(PATIENCE_S) == 0


def test_two_processes_of_which_one_is_killed(arguments: list[str], expected: Any) -> None:
    import httpx

    with Served(*arguments, "--data-parallel", "2", "--device", "cpu", "--max-new-tokens", str(LIMIT)) as server:
        assert httpx.get(server.root + "/health").json()["workers"] == {"alive": 2, "of": 2}
        first = server.children()
        assert len(first) == 2

        def ask() -> None:
            for seed, words in ASKED[:6]:
                with server.client() as client:  # a connection of its own
                    answer = client.chat.completions.create(model=server.model, messages=messages(seed, words))
                assert answer.choices[0].message.content == expected[seed, words]

        ask()
        assert metrics(server, 'pefomed_requests_total{status="200"') == 6, "both count into one"
        os.kill(first[0], signal.SIGKILL)
        said = server.wait_for("was ended by signal 9")
        assert f"(process {first[0]})" in said and "another one is started" in said
        until(lambda: httpx.get(server.root + "/health").json()["workers"] == {"alive": 2, "of": 2})
        assert first[0] not in server.children() and first[1] in server.children()
        ask()
        assert metrics(server, 'pefomed_requests_total{status="200"') == 12
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE_S) == 0
        until(lambda: not Path(f"/proc/{first[1]}").exists())


def test_processes_end_with_the_one_that_started_them(arguments: list[str]) -> None:
    with Served(*arguments, "--data-parallel", "2", "--device", "cpu") as server:
        children = server.children()
        assert len(children) == 2
        server.process.kill()
        until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


def _dies(arguments: Any, link: Any) -> int:
    """A worker that cannot load its model."""
    if arguments == "at once" and link.number == 1:
        return 2
    link.say_ready()
    signal.pause()
    return 0


def test_one_that_dies_before_it_is_ready_ends_all(capfd: Any) -> None:
    workers = Workers(_dies, "at once", 0, [{"CUDA_VISIBLE_DEVICES": ""}] * 2, lambda: None)
    assert workers.run() == 1
    assert "worker 1" in (said := capfd.readouterr().out) and "before it was ready; all are ended" in said
