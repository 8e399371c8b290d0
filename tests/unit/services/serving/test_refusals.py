"""What cannot be done is refused by name, whatever is sent; a status of 500 is never the answer."""

from __future__ import annotations

import asyncio
import base64
import json
import random
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("prometheus_client")
testclient = pytest.importorskip("starlette.testclient")

from pefomed_plugin.services.serving.app import make_app  # noqa: E402
from tests.unit.services.small import small_image  # noqa: E402

from .requests import PNG, EchoEngine, body, image, service, text, user  # noqa: E402

BASE = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def engine() -> EchoEngine:
    return EchoEngine()


@pytest.fixture(scope="module")
def client(engine: EchoEngine) -> Any:
    return testclient.TestClient(make_app(service(engine)), base_url=BASE)


def refused(client: Any, sent: Any, status: int = 400) -> dict[str, Any]:
    """The error, in OpenAI's shape."""
    answer = client.post("/v1/chat/completions", json=sent)
    assert answer.status_code == status, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"] and error["type"]
    return error


PARAMETERS = [
    ("temperature", 0.7),
    ("temperature", -1),
    ("temperature", "0"),
    ("temperature", True),
    ("n", 2),
    ("n", 0),
    ("n", True),
    ("tools", [{"type": "function"}]),
    ("tool_choice", "auto"),
    ("functions", [{}]),
    ("parallel_tool_calls", True),
    ("response_format", {"type": "json_object"}),
    ("logit_bias", {"5": 1}),
    ("presence_penalty", 0.1),
    ("frequency_penalty", "0"),
    ("modalities", ["audio"]),
    ("audio", {}),
    ("store", True),
    ("metadata", {"a": "b"}),
    ("reasoning_effort", "high"),
    ("service_tier", "flex"),
    ("moderation", {"model": "omni-moderation-latest"}),
    ("prompt_cache_options", "in-memory"),
    ("seed", 1.5),
    ("seed", 2**70),
    ("top_p", 0),
    ("top_p", 1.1),
    ("max_tokens", 0),
    ("max_tokens", -1),
    ("max_tokens", "9"),
    ("max_tokens", 1.5),
    ("max_completion_tokens", []),
    ("stop", ""),
    ("stop", []),
    ("stop", ["a"] * 5),
    ("stop", [1]),
    ("stop", ["x" * 501]),
    ("stream", "yes"),
    ("stream_options", {"include_usage": True}),
    ("logprobs", 5),
    ("top_logprobs", 21),
    ("top_logprobs", 2),
    ("user", 5),
    ("top_k", 5),
    ("temprature", 0),
]


@pytest.mark.parametrize(("name", "value"), PARAMETERS)
def test_a_parameter_is_refused_by_name(client: Any, name: str, value: Any) -> None:
    error = refused(client, body(**{name: value}))
    assert error["param"] == name and error["message"].startswith(name)


def test_what_changes_nothing_is_taken(client: Any) -> None:
    sent = body(
        temperature=0,
        n=1,
        seed=3,
        top_p=0.9,
        tools=[],
        tool_choice="none",
        presence_penalty=0.0,
        logit_bias={},
        response_format={"type": "text"},
        stop=None,
        user="somebody",
        prompt_cache_retention="24h",
        store=False,
        logprobs=False,
        max_tokens=None,
    )
    assert client.post("/v1/chat/completions", json=sent).status_code == 200


def test_a_parameter_that_is_nearly_one_is_helped(client: Any) -> None:
    assert "did you mean 'temperature'" in refused(client, body(temprature=0))["message"]


def test_limits_that_contradict_each_other(client: Any) -> None:
    assert refused(client, body(max_tokens=3, max_completion_tokens=4))["param"] == "max_tokens"


def test_stream_options(client: Any) -> None:
    for options in ({"other": True}, {"include_usage": 1}, [], {"include_obfuscation": True}):
        assert refused(client, body(stream=True, stream_options=options))["param"] == "stream_options"


MESSAGES: list[tuple[Any, str]] = [
    (None, "messages"),
    ([], "messages"),
    ({}, "messages"),
    ("hello", "messages"),
    ([5], "messages[0]"),
    ([{}], "messages[0].role"),
    ([{"role": 5}], "messages[0].role"),
    ([{"role": "usr", "content": "a"}], "messages[0].role"),
    ([{"role": "user"}], "messages[0].content"),
    ([{"role": "user", "content": 5}], "messages[0].content"),
    ([{"role": "user", "content": []}], "messages[0].content"),
    ([{"role": "user", "content": "no image"}], "messages[0].content"),
    ([{"role": "user", "content": [5]}], "messages[0].content[0]"),
    ([{"role": "user", "content": [{}]}], "messages[0].content[0].type"),
    ([{"role": "user", "content": [{"type": "txt", "text": ""}]}], "messages[0].content[0].type"),
    ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}], "messages[0].content[0].type"),
    ([{"role": "user", "content": [{"type": "text", "text": 5}]}], "messages[0].content[0].text"),
    ([{"role": "user", "content": [{"type": "text", "text": "a", "cache": 1}]}], "messages[0].content[0].cache"),
    ([user() | {"name": "Ann"}], "messages[0].name"),
    ([user(), {"role": "assistant", "content": "yes"}, user()], "messages[1].role"),
    ([{"role": "tool", "content": "x"}, user()], "messages[0].role"),
    ([user(), user()], "messages[0]"),
    ([user(), {"role": "system", "content": "[vqa]"}], "messages[1]"),
    ([{"role": "system", "content": "[vqa]"}] * 2 + [user()], "messages[1]"),
    ([{"role": "system", "content": "[vqa]"}], "messages"),
    ([{"role": "system", "content": "You are a helpful assistant."}, user()], "messages[0].content"),
    ([{"role": "system", "content": "[reprt]"}, user()], "messages[0].content"),
    ([{"role": "system", "content": [image()]}, user()], "messages[0].content"),
    ([user({"type": "image_url", "image_url": PNG}, text("a"))], "messages[0].content[0].image_url"),
    ([user({"type": "image_url"}, text("a"))], "messages[0].content[0].image_url"),
    ([user(image(detail="huge"), text("a"))], "messages[0].content[0].image_url.detail"),
    ([user(image(width=5), text("a"))], "messages[0].content[0].image_url.width"),
    ([user({"type": "image_url", "image_url": {"url": 5}}, text("a"))], "messages[0].content[0].image_url.url"),
    ([user(image(), text("  "))], "messages[0].content"),
    ([user(image(), text("[vqaa] a"))], "messages[0].content"),
    ([user(image(), text("[vqa] a [report]"))], "messages[0].content"),
    ([{"role": "system", "content": "report"}, user(image(), text("[vqa] a"))], "messages[1].content"),
    ([user(image(), image(), image(), text("a"))], "messages[0].content"),
    ([user(image(), image(), text("[report]"))], "messages[0].content"),
    ([user(text("a:"), image(), text("a:"), image(), text("what?"))], "messages[0].content"),
    ([user(image(), text("a" * 2001))], "messages[0].content"),
    ([user(image(), text("a" * 100_001))], "messages[0].content"),
]


@pytest.mark.parametrize(("messages", "param"), MESSAGES)
def test_messages_are_refused_with_their_place(engine: EchoEngine, messages: Any, param: str) -> None:
    roomy = testclient.TestClient(make_app(service(engine, most_body=10**6)), base_url=BASE)
    assert refused(roomy, body() | {"messages": messages})["param"] == param


URLS = [
    "http://example.org/a.png",
    "https://169.254.169.254/latest",
    "HTTPS://example.org/a.png",
    "//example.org/a.png",
    "ftp://example.org/a.png",
    "s3://bucket/a.png",
    "javascript:alert(1)",
    "http://[::1",
    "file:///etc/passwd",
    "/etc/passwd",
    "../a.png",
    "a.png",
    "data:",
    "data:image/png",
    "data:image/png,abc",
    "data:image/png;base64,",
    "data:image/png;base64,!!!",
    "data:image/png;base64,YWJj",
    "data:image/png;base64,YWJ",
    "data:text/html;base64,YWJj",
    "data:image/svg+xml;base64,YWJj",
    PNG[:200],
    PNG + "*",
]


@pytest.mark.parametrize("url", URLS)
def test_an_address_that_is_no_image(client: Any, url: str) -> None:
    error = refused(client, body(user(image(url), text("a"))))
    assert error["param"].startswith("messages[0].content")
    if url.lower().startswith("http") and "[" not in url:
        assert "fetches nothing" in error["message"] and error["message"].count("http") == 1


def test_an_image_itself_in_place_of_its_address_is_no_path(
    engine: EchoEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = testclient.TestClient(make_app(service(engine, tmp_path)), base_url=BASE)

    def never(*_: Any) -> str:
        raise AssertionError("looked for a file folder by folder")

    monkeypatch.setattr("os.path.realpath", never)
    error = refused(client, body(user(image("iVBORw0KGgo/" * 1000), text("a"))))
    assert "data:image/png;base64, in front" in error["message"]
    assert error["param"] == "messages[0].content[0].image_url.url"


def test_an_image_that_cannot_be_used_names_its_part_and_what_a_client_can_do(client: Any) -> None:
    frames = BytesIO()
    small_image(1).save(frames, "GIF", save_all=True, append_images=[small_image(2)])
    broken = base64.b64decode(PNG.partition(",")[2])[:-60]
    for content, said in ((frames.getvalue(), "several frames"), (broken, "damaged"), (b"text", "not an image")):
        url = "data:image/png;base64," + base64.b64encode(content).decode()
        error = refused(client, body(user(text("a"), image(url))))
        assert (error["param"], error["code"]) == ("messages[0].content[1].image_url.url", "invalid_image")
        assert said in error["message"] and "send one whole picture" in error["message"]
        assert not any(word in error["message"] for word in ("option frame", "allow_truncated", "fetch it"))


def test_a_model_that_is_not_served(client: Any) -> None:
    assert refused(client, body() | {"model": "gpt-4"}, 404)["code"] == "model_not_found"
    for wrong in (None, "", 5, []):
        assert refused(client, body() | {"model": wrong})["param"] == "model"


RAW = [
    b"",
    b"{",
    b"[]",
    b"5",
    b"null",
    b'"a"',
    b"\xff\xfe",
    b'{"model": "tiny", "model": "tiny"}',
    b'{"model": NaN}',
    b"[" * 5000,
    b'{"a":' * 2000,
    b'{"model": "tiny", "messages": 1e999}',
    b'{"model": "tiny", "max_tokens": ' + b"9" * 5000 + b"}",
    b"\x00",
    json.dumps(body()).encode() + b"x",
    b'{"model": "tiny", "messages": "\\ud800"}',
]


@pytest.mark.parametrize("raw", RAW, ids=range(len(RAW)))
def test_a_body_that_is_no_request(client: Any, raw: bytes) -> None:
    answer = client.post("/v1/chat/completions", content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_bodies_that_were_changed_anywhere_are_never_a_failure_of_the_server(client: Any, capsys: Any) -> None:
    drawn = random.Random(7)
    values = [None, True, -1, 1e308, "", "a", "[report]", [], {}, [[]], {"type": "text"}, 2**64, "\ud800"]
    whole = body({"role": "system", "content": "vqa"}, user(), stream=False, stop=["."], logprobs=True, max_tokens=3)
    seen = set()
    for _ in range(400):
        sent = json.loads(json.dumps(whole))
        for _ in range(drawn.randint(1, 2)):
            place, keys = sent, []
            while isinstance(place, (dict, list)) and place and (not keys or drawn.random() < 0.75):
                keys.append((place, drawn.choice(list(place) if isinstance(place, dict) else range(len(place)))))
                place = keys[-1][0][keys[-1][1]]
            holder, key = keys[-1] if keys else (sent, "model")
            holder[key] = drawn.choice(values)
        kind = {"content-type": "application/json"}
        answer = client.post("/v1/chat/completions", content=json.dumps(sent), headers=kind)
        seen.add(answer.status_code)
        assert answer.status_code in (200, 400, 404), answer.text
        assert answer.status_code == 200 or answer.json()["error"]["param"]
    assert seen == {200, 400, 404}
    assert capsys.readouterr().out == ""


def test_kinds_and_sizes_of_bodies(client: Any, engine: EchoEngine) -> None:
    sent = json.dumps(body())
    post = lambda **more: client.post("/v1/chat/completions", **more)  # noqa: E731
    assert post(content=sent, headers={"content-type": "text/plain"}).status_code == 415
    assert (
        post(content=sent, headers={"content-encoding": "gzip", "content-type": "application/json"}).status_code == 415
    )
    long = post(json=body(user(image(), text("a" * 60_000))))
    assert long.status_code == 413 and long.json()["error"]["code"] == "body_too_large"
    parts = post(content=(b"x" * 10_000 for _ in range(6)), headers={"content-type": "application/json"})
    assert parts.status_code == 413


def test_other_addresses_and_methods(client: Any) -> None:
    for method, path, status in [
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/completions", 404),
        ("POST", "/v1/responses", 404),
        ("GET", "/", 404),
        ("GET", "/v1/models/", 400),
        ("GET", "/v1/models/other", 404),
        ("DELETE", "/v1/models/tiny", 405),
    ]:
        answer = client.request(method, path)
        assert answer.status_code == status, path
        assert answer.json()["error"]["message"]


def test_names_that_are_not_the_servers_are_refused_while_no_key_is_set(engine: EchoEngine) -> None:
    there = testclient.TestClient(make_app(service(engine)), base_url="http://evil.example:8000")
    answer = there.get("/v1/models")
    assert answer.status_code == 403 and "not known by that name" in answer.json()["error"]["message"]


def test_with_a_key_only_who_has_it(engine: EchoEngine) -> None:
    keyed = testclient.TestClient(make_app(service(engine, key="a-long-secret")), base_url="http://any.example")
    for given in (None, "", "a-long-secret", "Bearer", "Bearer wrong", "Bearer a-long-secre", "Basic a-long-secret"):
        headers = {} if given is None else {"authorization": given}
        for path in ("/v1/models", "/v1/models/tiny", "/metrics"):
            assert keyed.get(path, headers=headers).status_code == 401
        answer = keyed.post("/v1/chat/completions", content=b"{", headers=headers)
        assert answer.status_code == 401 and answer.json()["error"]["code"] == "invalid_api_key"
    right = {"authorization": "Bearer a-long-secret"}
    assert keyed.get("/v1/models", headers=right).status_code == 200
    assert keyed.get("/metrics", headers=right).status_code == 200
    assert keyed.get("/health").status_code == 200
    assert keyed.post("/v1/chat/completions", json=body(), headers=right).status_code == 200


def test_too_many_are_asked_to_come_again(engine: EchoEngine) -> None:
    inside = service(engine, most_requests=1)
    client = testclient.TestClient(make_app(inside), base_url=BASE)
    inside.in_flight = 1
    answer = client.post("/v1/chat/completions", json=body())
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "4")
    assert answer.json()["error"]["code"] == "queue_full"
    inside.in_flight, engine.is_full = 0, True
    try:
        answer = client.post("/v1/chat/completions", json=body())
    finally:
        engine.is_full = False
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert inside.in_flight == 0


def test_a_server_that_stops_or_has_failed_says_so() -> None:
    engine = EchoEngine()
    inside = service(engine)
    client = testclient.TestClient(make_app(inside), base_url=BASE)
    assert client.get("/health").json()["status"] == "ok"
    inside.is_stopping = True
    answer = client.post("/v1/chat/completions", json=body())
    assert (
        answer.status_code == 503 and answer.headers["retry-after"] and answer.json()["error"]["type"] == "server_error"
    )
    assert (client.get("/health").status_code, client.get("/health").json()["status"]) == (503, "stopping")
    inside.is_stopping, engine.fault = False, "the model's thread ended"
    assert client.post("/v1/chat/completions", json=body()).status_code == 503
    assert client.get("/health").json()["status"] == "failed"


def test_an_error_of_ours_is_said_without_a_word_of_the_request(
    engine: EchoEngine, capsys: Any, monkeypatch: Any
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("Is there a fracture?")

    monkeypatch.setattr(engine, "prepare", broken)
    answer = testclient.TestClient(make_app(service(engine)), base_url=BASE).post("/v1/chat/completions", json=body())
    assert answer.status_code == 500 and answer.json()["error"]["type"] == "server_error"
    said = capsys.readouterr().out
    assert "KeyError" in said and "fracture" not in said + answer.text


def test_a_client_that_leaves_frees_its_row() -> None:
    engine = EchoEngine()
    engine.held = True
    inside = service(engine)
    app = make_app(inside)
    sent = json.dumps(body()).encode()
    messages = [{"type": "http.request", "body": sent, "more_body": False}]

    async def talk() -> list[Any]:
        out: list[Any] = []

        async def receive() -> Any:
            if messages:
                return messages.pop()
            while not engine.sinks:
                await asyncio.sleep(0)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            out.append(message)

        headers = [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": headers,
            "query_string": b"",
        }
        await app(scope, receive, send)  # type: ignore[arg-type]
        return out

    assert asyncio.run(talk()) == []
    assert len(engine.cancelled) == 1 and inside.in_flight == 0
    assert b"pefomed_clients_gone_total 1.0" in inside.metrics.text()
